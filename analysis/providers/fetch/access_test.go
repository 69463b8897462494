package fetch_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// vault has the values of one Secret.
type vault map[string]string

func (v vault) read(_ context.Context, ref v1alpha1.SecretKeyReference) (string, error) {
	value, ok := v[ref.Key]
	if !ok {
		return "", &analysis.Fault{Reason: v1alpha1.ReasonSecretMissing, Message: "there is no " + ref.Key}
	}
	return value, nil
}

func key(name string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: "prometheus", Key: name}
}

func keyed(name string) *v1alpha1.SecretKeyReference {
	ref := key(name)
	return &ref
}

// newAccess may ask the loopback network.
func newAccess(t *testing.T, time clock.Clock) *fetch.Access {
	t.Helper()
	guard, err := fetch.NewGuard(fetch.Rules{AllowLocal: true})
	if err != nil {
		t.Fatal(err)
	}
	return fetch.NewAccess(fetch.Transport{Guard: guard}, fetch.Transport{Guard: guard}, time)
}

// get asks an address, and gives the status and the body, or the error.
func get(t *testing.T, a *fetch.Access, address string, secrets vault, access v1alpha1.PrometheusAccess) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	client, err := a.Client(ctx, secrets.read, "provider.prometheus", access)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader("query=up"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return fmt.Sprintf("%d %s", response.StatusCode, body), err
}

// echo answers with the headers that say who asks.
func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprintf(w, "%s|%s", r.Header.Get("Authorization"), r.Header.Get("X-Scope-Orgid"))
}

func TestWhoAsks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	secrets := vault{"user": "sluice\n", "password": "s3cr3t:x\n", "token": "abc\n", "tenant": "shop", "broken": "a\nb"}
	tests := map[string]struct {
		access    v1alpha1.PrometheusAccess
		want      string
		wantField string
	}{
		"nobody in particular": {want: "200 |"},
		"a user": {
			access: v1alpha1.PrometheusAccess{Authentication: &v1alpha1.MetricAuthentication{
				Basic: &v1alpha1.BasicCredentials{Username: key("user"), Password: key("password")},
			}},
			want: "200 Basic c2x1aWNlOnMzY3IzdDp4|",
		},
		"a token, for a tenant": {
			access: v1alpha1.PrometheusAccess{
				Authentication: &v1alpha1.MetricAuthentication{Bearer: keyed("token")},
				Headers:        []v1alpha1.MetricHeader{{Name: "X-Scope-OrgID", SecretKeyRef: keyed("tenant")}},
			},
			want: "200 Bearer abc|shop",
		},
		"no such password": {
			access: v1alpha1.PrometheusAccess{Authentication: &v1alpha1.MetricAuthentication{
				Basic: &v1alpha1.BasicCredentials{Username: key("user"), Password: key("nothing")},
			}},
			wantField: "provider.prometheus.authentication.basic.password",
		},
		"a token of two lines": {
			access:    v1alpha1.PrometheusAccess{Authentication: &v1alpha1.MetricAuthentication{Bearer: keyed("broken")}},
			wantField: "provider.prometheus.authentication.bearer",
		},
		"no way of asking": {
			access:    v1alpha1.PrometheusAccess{Authentication: &v1alpha1.MetricAuthentication{}},
			wantField: "provider.prometheus.authentication",
		},
		"no such tenant": {
			access:    v1alpha1.PrometheusAccess{Headers: []v1alpha1.MetricHeader{{Name: "X-Scope-OrgID", SecretKeyRef: keyed("nothing")}}},
			wantField: "provider.prometheus.headers[0].secretKeyRef",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := get(t, newAccess(t, nil), server.URL, secrets, test.access)
			if got != test.want || fieldOf(err) != test.wantField {
				t.Errorf("got %q and error %v, want %q and a fault of %q", got, err, test.want, test.wantField)
			}
		})
	}
}

// fieldOf is the field of a fault.
func fieldOf(err error) string {
	var fault *analysis.Fault
	if errors.As(err, &fault) {
		return fault.Field
	}
	return ""
}

// TestTokensAreKeptUntilTheyEnd holds that a token is asked for once, again shortly before its end, again when the server
// refuses it, and again when the Secret has changed.
func TestTokensAreKeptUntilTheyEnd(t *testing.T) {
	began := clock.RealClock{}.Now() // the library tells the end of a token by this clock
	passing := clocktesting.NewFakeClock(began)
	var given atomic.Int64
	var asked []string
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		asked = append(asked, fmt.Sprint(user, " ", password, " ", r.FormValue("grant_type"), " ", r.FormValue("scope"), " ", r.FormValue("audience")))
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":"t%d","token_type":"bearer","expires_in":3600}`, given.Add(1))
	}))
	defer tokens.Close()
	refuses := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses {
			w.WriteHeader(http.StatusUnauthorized)
		}
		echo(w, r)
	}))
	defer server.Close()
	a, secrets := newAccess(t, passing), vault{"secret": "s3cr3t"}
	access := v1alpha1.PrometheusAccess{Authentication: &v1alpha1.MetricAuthentication{OAuth2: &v1alpha1.OAuth2Credentials{
		TokenURL: tokens.URL, ClientID: "sluice", ClientSecret: key("secret"), Scopes: []string{"read", "metrics"}, Audience: "mimir",
	}}}
	for i, step := range []struct {
		change func()
		want   string
	}{
		{func() {}, "200 Bearer t1|"},
		{func() {}, "200 Bearer t1|"},
		{func() { passing.Step(59 * time.Minute) }, "200 Bearer t1|"},
		{func() { passing.Step(55 * time.Second) }, "200 Bearer t2|"},
		{func() { passing.SetTime(began); refuses = true }, "401 Bearer t2|"},
		{func() { refuses = false }, "200 Bearer t3|"},
		{func() { secrets["secret"] = "another" }, "200 Bearer t4|"},
	} {
		step.change()
		if got, err := get(t, a, server.URL, secrets, access); got != step.want {
			t.Fatalf("step %d: got %q and error %v, want %q", i, got, err, step.want)
		}
	}
	want := "sluice s3cr3t client_credentials read metrics mimir"
	if len(asked) != 4 || asked[0] != want {
		t.Errorf("tokens were asked for %d times, first with %q, want 4 and %q", len(asked), asked, want)
	}
}

func TestNoToken(t *testing.T) {
	tests := map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		limit  time.Duration
		want   string
	}{
		"the client is refused": {
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"secret of a stranger"}`)
			},
			want: "it gives no token, with status 401 and the error invalid_client; check the URL, the client and its secret",
		},
		"a page": {
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, "secret of a stranger")
			},
			want: "it gives no token, with status 404; check",
		},
		"an error of its own making": {
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"error":"secret of a stranger"}`)
			},
			want: "it gives no token, with status 400; check",
		},
		"a token of two lines": {
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"access_token":"a\nb","token_type":"bearer"}`)
			},
			want: "it gives a token that cannot stand in a header",
		},
		"silence": {
			answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, limit: 100 * time.Millisecond,
			want: "it gives no token in time",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				test.answer(w, r)
			}))
			defer tokens.Close()
			ctx, cancel := context.WithTimeout(t.Context(), max(test.limit, 100*time.Millisecond))
			defer cancel()
			_, err := newAccess(t, nil).Client(ctx, vault{"secret": "s3cr3t"}.read, "provider.prometheus", v1alpha1.PrometheusAccess{
				Authentication: &v1alpha1.MetricAuthentication{OAuth2: &v1alpha1.OAuth2Credentials{
					TokenURL: tokens.URL, ClientID: "sluice", ClientSecret: key("secret"),
				}},
			})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "stranger") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("got error %v, want one with %q and without secrets", err, test.want)
			}
		})
	}
}

// TestTokensAreAskedForThroughTheGuard holds that the address of tokens, which a metric names, leads nowhere that the
// address of a metric may not lead.
func TestTokensAreAskedForThroughTheGuard(t *testing.T) {
	a := fetch.NewAccess(fetch.Transport{Guard: fetch.Anywhere()}, fetch.Transport{}, nil)
	_, err := a.Client(t.Context(), vault{"secret": "s3cr3t"}.read, "provider.prometheus", v1alpha1.PrometheusAccess{
		Authentication: &v1alpha1.MetricAuthentication{OAuth2: &v1alpha1.OAuth2Credentials{
			TokenURL: "http://127.0.0.1:1/token", ClientID: "sluice", ClientSecret: key("secret"),
		}},
	})
	if fieldOf(err) != "provider.prometheus.authentication.oauth2.tokenURL" || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("got error %v, want a refusal", err)
	}
}

// pair makes a certificate with its key, in PEM.
func pair(t *testing.T) (certificate, private string) {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: now().AddDate(100, 0, 0)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, made.Public(), made)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("CERTIFICATE", raw), inPEM("PRIVATE KEY", encoded)
}

func inPEM(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}

func TestCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%d", len(r.TLS.PeerCertificates))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	certificate, private := pair(t)
	another, _ := pair(t)
	secrets := vault{
		"ca": inPEM("CERTIFICATE", server.Certificate().Raw), "another": another, "junk": "hello",
		"tls.crt": certificate, "tls.key": private,
	}
	tests := map[string]struct {
		tls       *v1alpha1.MetricTLS
		want      string
		wantError string
	}{
		"nothing is said":       {wantError: "certificate"},
		"an authority":          {tls: &v1alpha1.MetricTLS{CA: keyed("ca")}, want: "200 0"},
		"another authority":     {tls: &v1alpha1.MetricTLS{CA: keyed("another")}, wantError: "certificate"},
		"no authority":          {tls: &v1alpha1.MetricTLS{CA: keyed("junk")}, wantError: "provider.prometheus.tls.ca: it is no certificate in PEM"},
		"anybody":               {tls: &v1alpha1.MetricTLS{InsecureSkipVerify: true}, want: "200 0"},
		"a name":                {tls: &v1alpha1.MetricTLS{CA: keyed("ca"), ServerName: "example.com"}, want: "200 0"},
		"a name of another":     {tls: &v1alpha1.MetricTLS{CA: keyed("ca"), ServerName: "example.org"}, wantError: "example.org"},
		"a certificate":         {tls: &v1alpha1.MetricTLS{CA: keyed("ca"), Certificate: keyed("tls.crt"), Key: keyed("tls.key")}, want: "200 1"},
		"a key of another":      {tls: &v1alpha1.MetricTLS{CA: keyed("ca"), Certificate: keyed("another"), Key: keyed("tls.key")}, wantError: "no pair in PEM"},
		"a key that is missing": {tls: &v1alpha1.MetricTLS{Certificate: keyed("tls.crt"), Key: keyed("nothing")}, wantError: "provider.prometheus.tls.key: there is no nothing"},
	}
	a := newAccess(t, nil) // one for all, so that what is kept is not mixed up
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := get(t, a, server.URL, secrets, v1alpha1.PrometheusAccess{TLS: test.tls})
			if got != test.want || (test.wantError == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.wantError) {
				t.Errorf("got %q and error %v, want %q and an error with %q", got, err, test.want, test.wantError)
			}
			if err != nil && strings.Contains(err.Error(), "hello") {
				t.Errorf("error %v shows a value", err)
			}
		})
	}
}

// TestBusyServers holds that a server which says when to come back is asked again, with the same question, and only as
// long as there is time.
func TestBusyServers(t *testing.T) {
	const date = "Sun, 01 Mar 2026 12:00:00 GMT"
	tests := map[string]struct {
		after     string
		date      string
		status    int
		times     int32 // that it is busy
		wantWaits []time.Duration
		want      string
	}{
		"seconds":            {after: "1", status: 429, times: 1, wantWaits: []time.Duration{time.Second}, want: "200 query=up"},
		"twice":              {after: "1", status: 503, times: 2, wantWaits: []time.Duration{time.Second, time.Second}, want: "200 query=up"},
		"too often":          {after: "1", status: 503, times: 9, wantWaits: []time.Duration{time.Second, time.Second}, want: "503 busy"},
		"a moment":           {after: "Sun, 01 Mar 2026 12:00:02 GMT", date: date, status: 429, times: 1, wantWaits: []time.Duration{2 * time.Second}, want: "200 query=up"},
		"later than we wait": {after: "30", status: 429, times: 1, want: "429 busy"},
		"it does not say":    {status: 503, times: 1, want: "503 busy"},
		"nonsense":           {after: "soon", status: 503, times: 1, want: "503 busy"},
		"another error":      {after: "1", status: 500, times: 1, want: "500 busy"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if asked.Add(1) > test.times {
					_, _ = w.Write(body)
					return
				}
				if test.after != "" {
					w.Header().Set("Retry-After", test.after)
				}
				if test.date != "" {
					w.Header().Set("Date", test.date)
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, "busy")
			}))
			defer server.Close()
			waiting := &hasty{RealClock: clock.RealClock{}}
			got, err := get(t, newAccess(t, waiting), server.URL, nil, v1alpha1.PrometheusAccess{})
			if got != test.want {
				t.Errorf("got %q and error %v, want %q", got, err, test.want)
			}
			if diff := cmp.Diff(test.wantWaits, waiting.waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
		})
	}
}

// hasty is a clock whose timers go off at once.
type hasty struct {
	clock.RealClock
	waits []time.Duration
}

func (h *hasty) NewTimer(d time.Duration) clock.Timer {
	h.waits = append(h.waits, d)
	return h.RealClock.NewTimer(0)
}
