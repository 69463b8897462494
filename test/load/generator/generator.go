// Package generator sends requests at a constant rate and counts what becomes of each, from a pod as test/load does, or
// from a test.
//
// The load is open: a request is begun when it is due, whether or not earlier ones have ended, so that a slow or dead path
// cannot make the load wait and so hide its failures. Latency counts from the moment a request was due.
package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/test/load/stats"
)

// Headers of the sample app, see test/app.
const (
	headerVersion  = "X-Version"
	headerAppError = "X-App-Error"
)

// maxBody is how much of an answer is read. A longer one is cut off, and its connection not used again.
const maxBody = 64 << 10

// Generator sends requests on a timetable.
type Generator struct {
	config    Config
	clock     clock.Clock
	recorder  *stats.Recorder
	startedAt time.Time
	kept      *http.Client
	fresh     *http.Client
}

// New makes a generator; its time begins now.
func New(config Config, clk clock.Clock) *Generator {
	return &Generator{
		config:    config,
		clock:     clk,
		recorder:  stats.NewRecorder(clk),
		startedAt: clk.Now(),
		kept:      config.client(true),
		fresh:     config.client(false),
	}
}

// Run begins each request when it is due, until ctx ends or the time is up, and returns when the last one has ended.
func (g *Generator) Run(ctx context.Context) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	share := 0.0
	for n := 0; ; n++ {
		offset := time.Duration(float64(n) / g.config.Rate * float64(time.Second))
		if offset >= g.config.MaxDuration || !g.waitUntil(ctx, g.startedAt.Add(offset)) {
			return
		}
		client := g.kept
		if share += g.config.Fresh; share >= 1 {
			share--
			client = g.fresh
		}
		if !g.recorder.Begin(g.config.MaxInFlight) {
			g.recorder.Refused(fmt.Sprintf("not sent: %d requests were under way already", g.config.MaxInFlight))
			continue
		}
		underWay.Go(func() {
			answer := g.ask(client)
			answer.Latency = g.clock.Since(g.startedAt.Add(offset))
			g.recorder.End(answer)
		})
	}
}

// waitUntil waits for a time. It returns at once when the time has passed: a generator that was held up catches up.
func (g *Generator) waitUntil(ctx context.Context, due time.Time) bool {
	wait := due.Sub(g.clock.Now())
	if wait <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-g.clock.After(wait):
		return true
	}
}

// ask sends one request and says what became of it. A request that was begun is let end, so it does not end with the
// load.
func (g *Generator) ask(client *http.Client) stats.Answer {
	var connections atomic.Int32
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connections.Add(1) },
	})
	request, err := g.config.request(ctx)
	if err != nil {
		return stats.Answer{Failure: err.Error()}
	}
	response, err := client.Do(request)
	if err != nil {
		failure := plain(err)
		if connections.Load() == 0 {
			failure = "without a connection: " + failure
		}
		return stats.Answer{Failure: failure, Retried: connections.Load() > 1}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	answer := judge(response, body, err)
	if g.config.Protocol == ProtocolGRPC {
		answer = judgeCall(response, answer)
	}
	answer.Retried = connections.Load() > 1
	return answer
}

// judge says what an answer is: a success, an error of the app's own, or a failure.
func judge(response *http.Response, body []byte, readErr error) stats.Answer {
	answer := stats.Answer{Version: response.Header.Get(headerVersion)}
	switch {
	case readErr != nil:
		answer.Failure = "answer cut off: " + plain(readErr)
	case response.Header.Get(headerAppError) != "":
		answer.AppError = true
	case response.StatusCode != http.StatusOK:
		const excerpt = 100
		text := strings.TrimSpace(string(body[:min(len(body), excerpt)]))
		answer.Failure = fmt.Sprintf("%s, not from the app: %s", response.Status, text)
	case answer.Version == "":
		answer.Failure = "answer without " + headerVersion
	}
	return answer
}

// judgeCall says what the answer to a call is: one without a code in its trailer was not given by the app, or not to its
// end.
func judgeCall(response *http.Response, answer stats.Answer) stats.Answer {
	const grpcOK = "0"
	code := response.Trailer.Get("Grpc-Status")
	if code == "" {
		code = response.Header.Get("Grpc-Status") // An answer without a message has no trailer of its own.
	}
	if answer.Failure == "" && !answer.AppError && code != grpcOK {
		answer.Failure = fmt.Sprintf("call ended with the code %q: %s", code, response.Header.Get("Grpc-Message"))
	}
	return answer
}

// plain says what went wrong without addresses and ports, which differ from request to request.
func plain(err error) string {
	var network *net.OpError
	var inURL *url.Error
	switch {
	case errors.As(err, &network):
		return network.Op + ": " + network.Err.Error()
	case errors.As(err, &inURL) && inURL.Timeout():
		return "no answer in time"
	case errors.As(err, &inURL):
		return inURL.Err.Error()
	default:
		return err.Error()
	}
}

// Report says what has been counted, with the seconds from since on, in Unix time.
func (g *Generator) Report(since int64) stats.Report {
	report := g.recorder.Report(since)
	report.StartedAt = g.startedAt
	report.EndsAt = g.startedAt.Add(g.config.MaxDuration)
	report.Rate = g.config.Rate
	return report
}

// Handler answers /stats with a stats.Report: with the last 60 seconds one by one, or ?last=n of them, or those
// ?since=, in Unix time.
func (g *Generator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		since, err := g.since(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(g.Report(since))
	})
	return mux
}

func (g *Generator) since(query url.Values) (int64, error) {
	if s := query.Get("since"); s != "" {
		since, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("since: %q is not a time: write seconds in Unix time", s)
		}
		return since, nil
	}
	last := int64(60)
	if s := query.Get("last"); s != "" {
		var err error
		if last, err = strconv.ParseInt(s, 10, 64); err != nil || last < 0 {
			return 0, fmt.Errorf("last: %q is not a number of seconds", s)
		}
	}
	return g.clock.Now().Unix() - last, nil
}
