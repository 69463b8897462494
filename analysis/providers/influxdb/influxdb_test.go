package influxdb

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/analysis/providertest"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newProvider() *Provider { return New(fetch.Transport{Guard: fetch.Anywhere()}.Client()) }

func ok(body string) providertest.Answer { return providertest.Answer{Status: 200, Body: body} }

// flux is an annotated CSV with one row, as InfluxDB 2 writes it.
func flux(text string) providertest.Answer {
	return ok("#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,double,string\r\n" +
		"#group,false,false,true,true,false,true\r\n#default,_result,,,,,\r\n" +
		",result,table,_start,_stop,_value,pod\r\n" +
		",,0,2023-11-14T22:08:20Z,2023-11-14T22:13:20Z," + text + ",a\r\n\r\n")
}

// influxQL is an answer with one row, as InfluxDB 1 writes it.
func influxQL(text string) providertest.Answer {
	return ok(`{"results":[{"statement_id":0,"series":[{"name":"http","columns":["time","mean"],"values":[[1700000000000,` + text + `]]}]}]}`)
}

const fluxHead = "#datatype,string,long,double,string\r\n#group,false,false,false,true\r\n#default,_result,,,\r\n,result,table,_value,pod\r\n"

func TestFluxContract(t *testing.T) {
	providertest.Test(t, providertest.Subject{
		Provider: newProvider(),
		Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
			return v1alpha1.MetricProvider{InfluxDB: &v1alpha1.InfluxDBMetric{
				Address: address, Organization: "shop", Flux: "from()", Token: &v1alpha1.SecretKeyReference{},
				Timeout: &metav1.Duration{Duration: timeout},
			}}
		},
		Number:  func(value float64) providertest.Answer { return flux(strconv.FormatFloat(value, 'g', -1, 64)) },
		Literal: flux,
		Empty:   ok("\r\n"),
		Several: ok(fluxHead + ",,0,1,a\r\n,,1,2,b\r\n\r\n"),
		BadQuery: []providertest.Answer{
			{Status: 400, Body: `{"code":"invalid","message":"the reason: compilation failed"}`},
			ok("#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,the reason: out of bounds,897\r\n"),
		},
		Malformed: []providertest.Answer{
			ok("#datatype,string,long,double,string\r\n"), ok(fluxHead + ",,0,1\r\n"), ok(fluxHead + ",,0,1,a,b\r\n"),
			ok(fluxHead + ",,0,\"1,a\r\n"), ok(",result,table,_value\r\n,,0,1\r\n"), ok("_value\r\n1\r\n"), ok(`{"results":[]}`),
			ok("#datatype,string,long,string\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n,,0,1\r\n"),
			ok("#datatype,string,long,double\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,value\r\n,,0,1\r\n"),
			{Status: 400, Body: "{}"},
			{Status: 400, Body: "no"},
		},
	})
}

func TestInfluxQLContract(t *testing.T) {
	providertest.Test(t, providertest.Subject{
		Provider: newProvider(),
		Source: func(address string, timeout time.Duration) v1alpha1.MetricProvider {
			return v1alpha1.MetricProvider{InfluxDB: &v1alpha1.InfluxDBMetric{
				Address: address, Database: "shop", InfluxQL: "SELECT", Timeout: &metav1.Duration{Duration: timeout},
			}}
		},
		Number:  func(value float64) providertest.Answer { return influxQL(strconv.FormatFloat(value, 'g', -1, 64)) },
		Finite:  true,
		Literal: influxQL,
		Empty:   ok(`{"results":[{"statement_id":0}]}`),
		Several: ok(`{"results":[{"series":[{"name":"x","tags":{"pod":"a"},"columns":["time","m"],"values":[[1,1]]},
			{"name":"x","tags":{"pod":"b"},"columns":["time","m"],"values":[[1,2]]}]}]}`),
		BadQuery: []providertest.Answer{
			{Status: 400, Body: `{"error":"the reason: error parsing query"}`},
			ok(`{"error":"the reason"}`),
			ok(`{"results":[{"statement_id":0,"error":"the reason: database not found"}]}`),
		},
		Malformed: []providertest.Answer{
			ok("{}"), ok("null"), ok("[]"), ok(`{"results":[]}`), ok(`{"results":[{},{}]}`), ok(`{"results":[{"series":[{}]}]}`),
			ok(`{"results":[{"series":[{"columns":["time","m"]}]}]}`), ok(`{"results":[{"series":[{"columns":["m","time"],"values":[[1,1]]}]}]}`),
			ok(`{"results":[{"series":[{"columns":["time","m"],"values":[[1]]}]}]}`), ok(`{"results":[{"series":[{"columns":["time","m"],"values":[[null,1]]}]}]}`),
			ok(`{"results":[{"series":[{"columns":["time","m"],"values":[[1,1],[2,2]]}]}]}`),
			ok(`{"results":[{"series":[{"columns":["time","m","n"],"values":[[1,1,2]]}]}]}`),
			influxQL(`"0.97"`), influxQL("[1]"), influxQL("true"),
			{Status: 204},
		},
	})
}

func TestShapes(t *testing.T) {
	tests := map[string]struct {
		body string
		want string
	}{
		"nothing at all":        {"", "no data"},
		"a table without a row": {fluxHead + "\r\n", "no data"},
		"null":                  {fluxHead + ",,0,,a\r\n", "no data"},
		"a whole number":        {"#datatype,string,long,long\r\n#group,false,false,false\r\n#default,_result,,\r\n,result,table,_value\r\n,,0,7\r\n", "7"},
		"two tables":            {fluxHead + ",,0,1,a\r\n\r\n" + fluxHead + ",,1,2,b\r\n\r\n", "Ambiguous"},
		"no annotation of groups": {
			"#datatype,string,long,double\r\n,result,table,_value\r\n,,0,1\r\n", "ProviderUnreachable",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.body) }))
			defer server.Close()
			got := providertest.Told(newProvider().Measure(t.Context(), analysis.Query{
				Source: v1alpha1.MetricProvider{InfluxDB: &v1alpha1.InfluxDBMetric{Address: server.URL, Flux: "x"}},
			}))
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = []string{r.Method, r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}
	}))
	defer server.Close()
	token := &v1alpha1.SecretKeyReference{Name: "influx", Key: "token"}
	tests := map[string]struct {
		source v1alpha1.InfluxDBMetric
		want   []string
	}{
		"Flux": {
			v1alpha1.InfluxDBMetric{Organization: "my shop", Flux: `from(bucket: "a")`, Token: token},
			[]string{
				"POST", "/api/v2/query?org=my+shop", "application/json", "Token influx/token",
				`{"query":"from(bucket: \"a\")","type":"flux","now":"2023-11-14T22:13:20Z",` +
					`"dialect":{"header":true,"delimiter":",","annotations":["datatype","group","default"]}}`,
			},
		},
		"InfluxQL": {
			v1alpha1.InfluxDBMetric{Database: "shop", InfluxQL: "SELECT mean(x) FROM y"},
			[]string{"POST", "/query", "application/x-www-form-urlencoded", "", "db=shop&epoch=ms&q=SELECT+mean%28x%29+FROM+y"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.source.Address = server.URL
			_, _ = newProvider().Measure(t.Context(), analysis.Query{
				Source: v1alpha1.MetricProvider{InfluxDB: &test.source}, At: time.Unix(1_700_000_000, 0), Secrets: providertest.NamedSecrets,
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}
