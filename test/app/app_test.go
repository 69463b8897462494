package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
)

func TestConfigFrom(t *testing.T) {
	defaults := Config{Version: "dev", Address: ":8080", AdminAddress: ":9090", Drain: 5 * time.Second}
	cases := map[string]struct {
		env     map[string]string
		want    Config
		wantErr string
	}{
		"nothing set": {want: defaults},
		"everything set": {
			env: map[string]string{
				"VERSION": "v3", "HOSTNAME": "web-1", "ADDRESS": ":80", "ADMIN_ADDRESS": ":81",
				"ERROR_RATE": "0.2", "ERRORS": "scattered", "LEAK": "1048576", "LATENCY": "50ms", "DRAIN": "0",
			},
			want: Config{
				Version: "v3", Pod: "web-1", Address: ":80", AdminAddress: ":81",
				Fault: Fault{ErrorRate: 0.2, Scattered: true, Leak: 1 << 20, Latency: 50 * time.Millisecond},
			},
		},
		"leak is no number":    {env: map[string]string{"LEAK": "1Mi"}, wantErr: `LEAK: "1Mi" is not a number of bytes`},
		"leak is negative":     {env: map[string]string{"LEAK": "-1"}, wantErr: "a leak of -1 bytes is negative"},
		"errors are not known": {env: map[string]string{"ERRORS": "many"}, wantErr: `ERRORS: "many" is not known: write scattered`},
		"error rate is no number": {
			env:     map[string]string{"ERROR_RATE": "20%"},
			wantErr: `ERROR_RATE: "20%" is not a number: write one from 0 to 1`,
		},
		"error rate is no share": {env: map[string]string{"ERROR_RATE": "20"}, wantErr: "write a number from 0 to 1"},
		"error rate is no number at all": {
			env:     map[string]string{"ERROR_RATE": "NaN"},
			wantErr: "write a number from 0 to 1",
		},
		"latency without a unit": {
			env:     map[string]string{"LATENCY": "50"},
			wantErr: `LATENCY: "50" is not a duration: write one such as 50ms or 5s`,
		},
		"negative drain": {env: map[string]string{"DRAIN": "-1s"}, wantErr: `DRAIN: "-1s" is not a duration`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := configFrom(func(key string) string { return c.env[key] })
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("error %v, want one with %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsAreSpreadEvenly(t *testing.T) {
	for _, c := range []struct {
		rate float64
		want string
	}{
		{0, ".................... "},
		{0.2, "....X....X....X....X "},
		{0.5, ".X.X.X.X.X.X.X.X.X.X "},
		{0.3, "...X..X..X...X..X..X "},
		{1, "XXXXXXXXXXXXXXXXXXXX "},
	} {
		faults := NewFaults(Fault{ErrorRate: c.rate}, "web-1")
		got := ""
		for range 20 {
			if _, fail := faults.Next(); fail {
				got += "X"
			} else {
				got += "."
			}
		}
		if want := strings.TrimSpace(c.want); got != want {
			t.Errorf("rate %v: %s, want %s", c.rate, got, want)
		}
	}
}

func TestErrorRateHoldsOverManyRequests(t *testing.T) {
	faults := NewFaults(Fault{ErrorRate: 0.013}, "web-1")
	failed := 0
	for range 100_000 {
		if _, fail := faults.Next(); fail {
			failed++
		}
	}
	if failed != 1300 {
		t.Errorf("%d of 100000 failed, want 1300", failed)
	}
}

// TestScatteredErrorsAreIndependent holds the rate and, by how much the number of errors of a thousand requests varies,
// that none of them knows of the others: np(1−p), where evenly spread ones would hardly vary.
func TestScatteredErrorsAreIndependent(t *testing.T) {
	const rate, each, times = 0.01, 1000, 1000
	faults := NewFaults(Fault{ErrorRate: rate, Scattered: true}, "web-1")
	var sum, squares float64
	for range times {
		n := 0.0
		for range each {
			if _, fail := faults.Next(); fail {
				n++
			}
		}
		sum += n
		squares += n * n
	}
	mean := sum / times
	variance := squares/times - mean*mean
	if want := rate * each; mean < 0.95*want || mean > 1.05*want {
		t.Errorf("%.2f of %d requests fail, want about %.0f", mean, each, want)
	}
	if want := rate * (1 - rate) * each; variance < 0.8*want || variance > 1.2*want {
		t.Errorf("their number varies by %.2f, want about %.2f", variance, want)
	}
}

func TestLeakIsKept(t *testing.T) {
	faults := NewFaults(Fault{Leak: 1000}, "web-1")
	for range 3 {
		faults.Next()
	}
	if got := len(slices.Concat(faults.kept...)); got != 3000 {
		t.Errorf("%d bytes are kept after three requests, want 3000", got)
	}
}

// ask sends a handler one GET.
func ask(t *testing.T, handler http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return answer
}

func TestAnswersNameTheVersionAndMarkErrors(t *testing.T) {
	app := NewApp(Config{Version: "v3", Pod: "web-1", Fault: Fault{ErrorRate: 0.5}}, clock.RealClock{})
	for i, want := range []struct {
		code  int
		error string
	}{{200, ""}, {500, "injected"}, {200, ""}, {500, "injected"}} {
		answer := ask(t, app.Serving(), "/")
		if answer.Code != want.code || answer.Header().Get(HeaderAppError) != want.error {
			t.Errorf("answer %d: status %d and %s %q, want %d and %q", i, answer.Code, HeaderAppError,
				answer.Header().Get(HeaderAppError), want.code, want.error)
		}
		if got := answer.Header().Get(HeaderVersion); got != "v3" {
			t.Errorf("version %q, want v3", got)
		}
		if got := answer.Header().Get(HeaderPod); got != "web-1" {
			t.Errorf("pod %q, want web-1", got)
		}
		if got, want := answer.Body.String(), "version v3, pod web-1\n"; got != want {
			t.Errorf("body %q, want %q", got, want)
		}
	}
}

func TestMetricsCountRequestsButNotProbes(t *testing.T) {
	app := NewApp(Config{Version: "v3", Fault: Fault{ErrorRate: 0.5}}, clock.RealClock{})
	for _, path := range []string{"/", "/healthz", "/", "/readyz", "/"} {
		ask(t, app.Serving(), path)
	}
	metrics := ask(t, app.Admin(), "/metrics").Body.String()
	for _, want := range []string{
		`http_requests_total{code="200",version="v3"} 2`,
		`http_requests_total{code="500",version="v3"} 1`,
		`http_request_duration_seconds_count{version="v3"} 3`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s:\n%s", want, metrics)
		}
	}
}

func TestProbesDoNotFail(t *testing.T) {
	app := NewApp(Config{Version: "v3", Fault: Fault{ErrorRate: 1}}, clock.RealClock{})
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := ask(t, app.Serving(), path).Code; got != http.StatusOK {
			t.Errorf("%s answers %d", path, got)
		}
	}
}

func TestUnreadyIsForTheKubeletAlone(t *testing.T) {
	app := NewApp(Config{Version: "v3"}, clock.RealClock{})
	for _, c := range []struct {
		body                  string
		wantReady, wantAnswer int
	}{{`{"unready":true}`, 503, 200}, {`{"errorRate":0}`, 503, 200}, {`{"unready":false}`, 200, 200}} {
		answer := httptest.NewRecorder()
		app.Admin().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/admin/fault", strings.NewReader(c.body)))
		ready, root := ask(t, app.Serving(), "/readyz").Code, ask(t, app.Serving(), "/").Code
		if ready != c.wantReady || root != c.wantAnswer {
			t.Errorf("after %s: /readyz answers %d and / %d, want %d and %d", c.body, ready, root, c.wantReady, c.wantAnswer)
		}
	}
}

func TestFaultIsChangedAtRunTime(t *testing.T) {
	app := NewApp(Config{Version: "v1", Fault: Fault{Latency: time.Second}}, clock.RealClock{})
	for _, c := range []struct {
		name, method, body string
		wantCode           int
		want               string
	}{
		{"show", http.MethodGet, "", 200, `{"errorRate":0,"latency":"1s"}`},
		{"change both", http.MethodPost, `{"errorRate":0.2,"latency":"50ms"}`, 200, `{"errorRate":0.2,"latency":"50ms"}`},
		{"change one", http.MethodPost, `{"errorRate":1}`, 200, `{"errorRate":1,"latency":"50ms"}`},
		{"no share", http.MethodPost, `{"errorRate":2}`, 400, "an error rate of 2 is not a share"},
		{"no duration", http.MethodPost, `{"latency":"5"}`, 400, `latency "5" is not a duration`},
		{"negative", http.MethodPost, `{"latency":"-5s"}`, 400, "is negative"},
		{"unknown field", http.MethodPost, `{"rate":1}`, 400, `send {"errorRate": 0.2`},
		{"nothing changed by refusals", http.MethodGet, "", 200, `{"errorRate":1,"latency":"50ms"}`},
	} {
		answer := httptest.NewRecorder()
		app.Admin().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), c.method, "/admin/fault", strings.NewReader(c.body)))
		if answer.Code != c.wantCode || !strings.Contains(answer.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d with %s", c.name, answer.Code, answer.Body, c.wantCode, c.want)
		}
	}
}

// listening is an app on two ports of the loopback.
type listening struct {
	clock *testingclock.FakeClock
	stop  context.CancelFunc
	done  chan error
	url   string
}

func listen(t *testing.T, drain time.Duration) listening {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = l
	}
	ctx, stop := context.WithCancel(t.Context())
	l := listening{
		clock: testingclock.NewFakeClock(time.Unix(0, 0)),
		stop:  stop,
		done:  make(chan error, 1),
		url:   "http://" + listeners[0].Addr().String(),
	}
	app := NewApp(Config{Version: "v1", Drain: drain}, l.clock)
	go func() { l.done <- app.serveOn(ctx, listeners[0], listeners[1]) }()
	return l
}

// get sends one request and says whether the app closes the connection afterwards.
func (l listening) get(t *testing.T) (closes bool, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.Close, err
}

func TestAnswersWhileDraining(t *testing.T) {
	app := listen(t, 5*time.Second)
	if closes, err := app.get(t); closes || err != nil {
		t.Errorf("before the drain: connection closed %v, error %v", closes, err)
	}
	app.stop()
	for !app.clock.HasWaiters() { // Until the drain has begun.
		runtime.Gosched()
	}
	if closes, err := app.get(t); !closes || err != nil {
		t.Errorf("during the drain: connection closed %v, error %v", closes, err)
	}
	app.clock.Step(5 * time.Second)
	if err := <-app.done; err != nil {
		t.Error(err)
	}
	if _, err := app.get(t); err == nil {
		t.Error("it answers after the drain")
	}
}

func TestEndsAtOnceWithoutDrain(t *testing.T) {
	app := listen(t, 0)
	if _, err := app.get(t); err != nil {
		t.Error(err)
	}
	app.stop()
	if err := <-app.done; err != nil {
		t.Error(err)
	}
	if _, err := app.get(t); err == nil {
		t.Error("it answers after its end")
	}
}
