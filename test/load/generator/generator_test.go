package generator

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/sluice-dev/sluice/test/load/stats"
)

// send runs a load against a handler at such a rate that n requests are sent within a fifth of a second.
func send(t *testing.T, n int, change func(*Config), handler http.HandlerFunc) stats.Report {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	const within = 200 * time.Millisecond
	config := Config{
		Target: server.URL, Rate: float64(n) / within.Seconds(), Timeout: 5 * time.Second,
		MaxInFlight: 1000, MaxDuration: within,
	}
	if change != nil {
		change(&config)
	}
	generator := New(config, clock.RealClock{})
	generator.Run(t.Context())
	return generator.Report(0)
}

func TestEveryRequestIsCountedByItsAnswer(t *testing.T) {
	var n atomic.Int64
	got := send(t, 60, func(c *Config) { c.Host = "web.example" }, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "web.example" {
			t.Errorf("host %q, want web.example", r.Host)
		}
		switch n.Add(1) % 6 {
		case 0:
			w.Header().Set(headerVersion, "v3")
			w.Header().Set(headerAppError, "injected")
			w.WriteHeader(http.StatusInternalServerError)
		case 1:
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("no pods"))
		case 2: // A success that the app did not give.
		case 3:
			w.Header().Set(headerVersion, "v1")
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.Header().Set(headerVersion, "v1")
		}
	})
	want := stats.Tally{
		All:      stats.Counts{Requests: 60, AppErrors: 10, Failures: 30},
		Versions: map[string]stats.Counts{"v1": {Requests: 30, Failures: 10}, "v3": {Requests: 10, AppErrors: 10}},
	}
	if diff := cmp.Diff(want, got.Total); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	messages := map[string]int64{}
	for _, f := range got.Failures {
		messages[f.Message] = f.Count
	}
	wantMessages := map[string]int64{
		"502 Bad Gateway, not from the app: no pods":    10,
		"500 Internal Server Error, not from the app: ": 10,
		"answer without X-Version":                      10,
	}
	if diff := cmp.Diff(wantMessages, messages); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if got.InFlight != 0 {
		t.Errorf("%d requests are still under way", got.InFlight)
	}
}

func TestHeadersAreSent(t *testing.T) {
	header := http.Header{"X-Canary": {"yes"}}
	send(t, 5, func(c *Config) { c.Header = header }, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Canary") != "yes" {
			t.Errorf("headers %v, want X-Canary: yes", r.Header)
		}
		w.Header().Set(headerVersion, "v1")
	})
}

func TestConnectionsThatBreakAreFailures(t *testing.T) {
	got := send(t, 10, func(c *Config) { c.Fresh = 1 }, func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = connection.Close()
	})
	if got.Total.All != (stats.Counts{Requests: 10, Failures: 10}) {
		t.Errorf("counts %+v, want 10 failures", got.Total.All)
	}
}

func TestSlowAnswersDoNotSlowTheLoad(t *testing.T) {
	const slow = 300 * time.Millisecond // Longer than the whole load of a fifth of a second.
	got := send(t, 20, nil, func(w http.ResponseWriter, _ *http.Request) {
		clock.RealClock{}.Sleep(slow)
		w.Header().Set(headerVersion, "v1")
	})
	if got.Total.All != (stats.Counts{Requests: 20}) {
		t.Errorf("counts %+v, want 20 successes", got.Total.All)
	}
	if got.Latency.P50 < slow {
		t.Errorf("median latency %v, want at least %v", got.Latency.P50, slow)
	}
}

func TestAnswersThatComeTooLateAreFailures(t *testing.T) {
	got := send(t, 5, func(c *Config) { c.Timeout = 20 * time.Millisecond },
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if got.Total.All != (stats.Counts{Requests: 5, Failures: 5}) || got.Failures[0].Message != "no answer in time" {
		t.Errorf("counts %+v, failures %+v, want 5 without an answer in time", got.Total.All, got.Failures)
	}
}

func TestRequestsAboveTheBoundCountAsFailed(t *testing.T) {
	got := send(t, 10, func(c *Config) { c.MaxInFlight = 2; c.Timeout = time.Second },
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	refused := "not sent: 2 requests were under way already"
	if f := got.Failures[0]; f.Message != refused || f.Count != 8 || got.Total.All.Failures != 10 {
		t.Errorf("%d failures, first %+v, want 10 with 8 not sent", got.Total.All.Failures, f)
	}
}

// TestLateRequestsAreCountedFromWhenTheyWereDue holds that a load that was held up catches up, and hides nothing.
func TestLateRequestsAreCountedFromWhenTheyWereDue(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(headerVersion, "v1")
	}))
	defer server.Close()
	clk := testingclock.NewFakeClock(time.Unix(1000, 0))
	generator := New(Config{
		Target: server.URL, Rate: 10, Timeout: time.Minute, MaxInFlight: 1000,
		MaxDuration: 2 * time.Second,
	}, clk)
	clk.Step(10 * time.Second)
	generator.Run(t.Context())
	got := generator.Report(0)
	if got.Total.All.Requests != 20 || got.Latency.Max != 10*time.Second || got.Latency.P50 < 9*time.Second {
		t.Errorf("%d requests with latency %+v, want 20 that waited 8 to 10 seconds", got.Total.All.Requests, got.Latency)
	}
}

func TestStatsAreAnsweredAsJSON(t *testing.T) {
	clk := testingclock.NewFakeClock(time.Unix(1000, 0))
	generator := New(Config{Rate: 50, MaxDuration: time.Minute}, clk)
	for range 100 {
		generator.recorder.Refused("x")
		clk.Step(time.Second)
	}
	for _, c := range []struct {
		query       string
		wantCode    int
		wantSeconds int
	}{
		{"", 200, 60},
		{"?last=5", 200, 5},
		{"?last=0", 200, 0},
		{"?since=1000", 200, 100},
		{"?since=1098", 200, 2},
		{"?since=today", 400, 0},
		{"?last=-1", 400, 0},
	} {
		answer := httptest.NewRecorder()
		generator.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/stats"+c.query, nil))
		if answer.Code != c.wantCode {
			t.Errorf("%q: status %d, want %d", c.query, answer.Code, c.wantCode)
			continue
		}
		if c.wantCode != http.StatusOK {
			continue
		}
		var got stats.Report
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Seconds) != c.wantSeconds || got.Total.All.Failures != 100 || got.Rate != 50 ||
			!got.EndsAt.Equal(time.Unix(1060, 0)) {
			t.Errorf("%q: %d seconds, want %d, of %+v", c.query, len(got.Seconds), c.wantSeconds, got.Total)
		}
	}
}

func TestErrorsAreTheSameForEveryConnection(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{
			&net.OpError{Op: "read", Addr: &net.TCPAddr{Port: 4711}, Err: errors.New("connection reset by peer")},
			"read: connection reset by peer",
		},
		{io.ErrUnexpectedEOF, "unexpected EOF"},
	} {
		if got := plain(c.err); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
