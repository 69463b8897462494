package cloudwatch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
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

func answer(values string) providertest.Answer {
	return ok(`{"Messages":[],"MetricDataResults":[{"Id":"errors","Label":"Errors","StatusCode":"Complete",` +
		`"Timestamps":[1.69999994E9],"Values":[` + values + `]}]}`)
}

func source(address string, timeout time.Duration) v1alpha1.MetricProvider {
	return v1alpha1.MetricProvider{CloudWatch: &v1alpha1.CloudWatchMetric{
		Region: "eu-central-1", Address: address, Timeout: &metav1.Duration{Duration: timeout},
		AccessKeyID:     v1alpha1.SecretKeyReference{Name: "aws", Key: "id"},
		SecretAccessKey: v1alpha1.SecretKeyReference{Name: "aws", Key: "secret"},
		Statistics: []v1alpha1.CloudWatchStatistic{{
			ID: "errors", Namespace: "AWS/ApplicationELB", Metric: "HTTPCode_Target_5XX_Count", Statistic: "Sum",
			Dimensions: []v1alpha1.NamedValue{{Name: "LoadBalancer", Value: "app/web/1"}},
		}},
	}}
}

func TestContract(t *testing.T) {
	providertest.Test(t, providertest.Subject{
		Provider: newProvider(),
		Source:   source,
		Number:   func(value float64) providertest.Answer { return answer(strconv.FormatFloat(value, 'g', -1, 64)) },
		Finite:   true,
		// Several values are those of several periods, of which the first is the newest.
		Literal: func(text string) providertest.Answer { return answer(`[` + text + `]`) },
		Warned: func(value float64, warning string) providertest.Answer {
			return ok(fmt.Sprintf(`{"MetricDataResults":[{"Label":"x","StatusCode":"PartialData","Values":[%g,3],`+
				`"Messages":[{"Code":"Partial","Value":%q}]}]}`, value, warning))
		},
		Empty: answer(""),
		Several: ok(`{"MetricDataResults":[{"Label":"a","StatusCode":"Complete","Values":[1]},` +
			`{"Label":"b","StatusCode":"Complete","Values":[2]}]}`),
		BadQuery: []providertest.Answer{
			{Status: 400, Body: `{"__type":"com.amazonaws.cloudwatch#InvalidParameterValueException","message":"the reason: not a valid statistic"}`},
			{Status: 400, Body: `{"__type":"ValidationError","Message":"the reason: Error in expression"}`},
		},
		Malformed: []providertest.Answer{
			ok("{}"), ok("null"), ok("[]"), ok(`{"MetricDataResults":null}`), ok(`{"MetricDataResults":[1]}`), answer("null"), answer(`"0.97"`),
			answer("1e999"), answer("[1]"), answer("{}"),
			{Status: 204},
			{Status: 400, Body: "no"},
			{Status: 400, Body: "{}"},
			ok(`{"MetricDataResults":[{"Label":"x","StatusCode":"InternalError","Values":[1]}]}`),
			{Status: 400, Body: `{"__type":"com.amazon.coral.service#UnknownOperationException"}`},
		},
	})
}

// TestRefusedCredentials has AWS's one status for everything, with the types that say that the credentials do not count. The
// message of some repeats what was signed.
func TestRefusedCredentials(t *testing.T) {
	for _, kind := range []string{
		"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "MissingAuthenticationToken",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"__type":"com.amazon.coral.service#%s","message":"signed-text"}`, kind)
		}))
		_, err := newProvider().Measure(t.Context(), analysis.Query{Source: source(server.URL, 0), Secrets: providertest.Secrets})
		server.Close()
		if err == nil || !strings.HasPrefix(err.Error(), "provider.cloudWatch.accessKeyID: ") || strings.Contains(err.Error(), "signed-text") {
			t.Errorf("%s: got %v, want a fault of the credentials, without the message", kind, err)
		}
	}
}

// TestRequest checks what is asked, and computes the signature again from what arrived, by the steps of AWS's documentation.
func TestRequest(t *testing.T) {
	at := time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = []string{
			r.Method, r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("X-Amz-Target"), r.Header.Get("X-Amz-Security-Token"),
			string(body), r.Header.Get("Authorization"),
		}
		got[6] = strings.Replace(got[6], "Signature="+signature(r, body), "Signature=valid", 1)
		_, _ = io.WriteString(w, answer("1").Body)
	}))
	defer server.Close()
	asked := source(server.URL, time.Second)
	asked.CloudWatch.SessionToken = &v1alpha1.SecretKeyReference{Name: "aws", Key: "session"}
	asked.CloudWatch.Expression = "100 * errors"
	if _, err := newProvider().Measure(t.Context(), analysis.Query{Source: asked, At: at, Secrets: providertest.NamedSecrets}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST", "/", "application/x-amz-json-1.0", "GraniteServiceVersion20100801.GetMetricData", "aws/session",
		`{"StartTime":1699999680,"EndTime":1699999980,"ScanBy":"TimestampDescending","MetricDataQueries":[` +
			`{"Id":"errors","MetricStat":{"Metric":{"Namespace":"AWS/ApplicationELB","MetricName":"HTTPCode_Target_5XX_Count",` +
			`"Dimensions":[{"Name":"LoadBalancer","Value":"app/web/1"}]},"Period":60,"Stat":"Sum"},"ReturnData":false},` +
			`{"Id":"sluice","Expression":"100 * errors","Period":60,"ReturnData":true}]}`,
		"AWS4-HMAC-SHA256 Credential=aws/id/20231114/eu-central-1/monitoring/aws4_request, " +
			"SignedHeaders=accept;content-length;content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=valid",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// signature computes that of a request with the key "aws/secret".
func signature(r *http.Request, body []byte) string {
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n" + r.URL.RawQuery + "\n"
	for _, name := range strings.Split(names, ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		canonical += name + ":" + value + "\n"
	}
	canonical += "\n" + names + "\n" + digest(string(body))
	date := r.Header.Get("X-Amz-Date")
	scope := date[:8] + "/eu-central-1/monitoring/aws4_request"
	key := []byte("AWS4" + "aws/secret")
	for _, part := range strings.Split(scope, "/") {
		key = keyed(key, part)
	}
	return hex.EncodeToString(keyed(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+digest(canonical)))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func keyed(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func TestAddressOf(t *testing.T) {
	for region, want := range map[string]string{
		"eu-central-1":  "https://monitoring.eu-central-1.amazonaws.com",
		"us-gov-west-1": "https://monitoring.us-gov-west-1.amazonaws.com",
		"cn-north-1":    "https://monitoring.cn-north-1.amazonaws.com.cn",
	} {
		if got := addressOf(region); got != want {
			t.Errorf("%s: got %s, want %s", region, got, want)
		}
	}
}
