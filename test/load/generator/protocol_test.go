package generator

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/test/load/stats"
)

// sendIn runs a load of ten requests in a protocol against a handler that speaks it.
func sendIn(t *testing.T, protocol Protocol, handler http.HandlerFunc) stats.Report {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()
	const within = 200 * time.Millisecond
	generator := New(Config{
		Target: server.URL, Protocol: protocol, Rate: 10 / within.Seconds(), Fresh: 0.5, Timeout: 5 * time.Second,
		MaxInFlight: 1000, MaxDuration: within,
	}, clock.RealClock{})
	generator.Run(t.Context())
	return generator.Report(0)
}

func TestRequestsAreMadeInTheProtocol(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerVersion, "v1")
		if r.ProtoMajor != 2 || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusBadRequest)
		}
	}
	if got := sendIn(t, ProtocolH2C, answer).Total.All; got != (stats.Counts{Requests: 10}) {
		t.Errorf("counts %+v, want 10 successes", got)
	}
}

func TestCallsAreJudgedByTheirCode(t *testing.T) {
	for _, c := range []struct {
		name    string
		code    string
		message []byte
		want    stats.Counts
	}{
		{"success", "0", make([]byte, 5), stats.Counts{Requests: 10}},
		{"unavailable", "14", nil, stats.Counts{Requests: 10, Failures: 10}},
		{"cut off before its code", "", make([]byte, 5), stats.Counts{Requests: 10, Failures: 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := sendIn(t, ProtocolGRPC, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if r.URL.Path != grpcMethod || len(body) != 5 || err != nil {
					t.Errorf("call of %s with %d bytes (%v), want %s with 5", r.URL.Path, len(body), err, grpcMethod)
				}
				w.Header().Set(headerVersion, "v1")
				w.Header().Set("Content-Type", "application/grpc")
				if len(c.message) > 0 {
					_, _ = w.Write(c.message)
				}
				if c.code != "" {
					w.Header().Set(http.TrailerPrefix+"Grpc-Status", c.code)
				}
			})
			if got.Total.All != c.want {
				t.Errorf("counts %+v, want %+v; %+v", got.Total.All, c.want, got.Failures)
			}
		})
	}
}
