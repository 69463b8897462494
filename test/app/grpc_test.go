package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
)

// called is the answer to a call.
type called struct {
	status                   int
	code, version, errorKind string
}

// call makes a call on a server, in HTTP/2 without TLS or in HTTP/1.1.
func call(t *testing.T, url string, http2 bool) called {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(http2)
	transport.Protocols.SetHTTP1(!http2)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+grpcMethod, strings.NewReader(emptyMessage))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return called{
		status: answer.StatusCode, code: answer.Trailer.Get("Grpc-Status"), version: answer.Header.Get(HeaderVersion),
		errorKind: answer.Header.Get(HeaderAppError),
	}
}

func TestCallsEndWithACode(t *testing.T) {
	for _, c := range []struct {
		name                string
		errorRate           float64
		wantCode, wantError string
	}{
		{"success", 0, "0", ""},
		{"error of the app's own", 1, "13", "injected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := NewApp(Config{Version: "v3", Fault: Fault{ErrorRate: c.errorRate}}, clock.RealClock{})
			server := httptest.NewUnstartedServer(app.Serving())
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Config.Protocols.SetHTTP1(true)
			server.Start()
			defer server.Close()
			want := called{status: http.StatusOK, code: c.wantCode, version: "v3", errorKind: c.wantError}
			if got := call(t, server.URL, true); got != want {
				t.Errorf("answer %+v, want %+v", got, want)
			}
			if got := call(t, server.URL, false).status; got != http.StatusUnsupportedMediaType {
				t.Errorf("a call in HTTP/1.1 is answered with %d, want %d", got, http.StatusUnsupportedMediaType)
			}
		})
	}
}

func TestAnswersAreHeldBackAsAsked(t *testing.T) {
	clk := testingclock.NewFakeClock(time.Unix(0, 0))
	app := NewApp(Config{Version: "v3"}, clk)
	answered := make(chan int)
	go func() { answered <- ask(t, app.Serving(), "/hold?for=30s").Code }()
	for !clk.HasWaiters() {
		runtime.Gosched()
	}
	clk.Step(30*time.Second - 1)
	select {
	case code := <-answered:
		t.Fatalf("answered %d too early", code)
	default:
	}
	clk.Step(1)
	if code := <-answered; code != http.StatusOK {
		t.Errorf("answer %d, want 200", code)
	}
	for _, wrong := range []string{"/hold", "/hold?for=1", "/hold?for=-1s", "/hold?for=1h"} {
		if code := ask(t, app.Serving(), wrong).Code; code != http.StatusBadRequest {
			t.Errorf("%s: answer %d, want 400", wrong, code)
		}
	}
}
