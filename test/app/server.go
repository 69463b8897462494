package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"
)

// Headers of an answer.
const (
	// HeaderVersion holds the version that answered.
	HeaderVersion = "X-Version"
	// HeaderPod holds the name of the pod that answered, by which a probe of traffic tells its revision.
	HeaderPod = "X-Pod"
	// HeaderAppError marks an error that the app was told to answer.
	HeaderAppError = "X-App-Error"
)

const (
	// shutdownTimeout is how long requests that are under way when the drain ends may still take.
	shutdownTimeout = 10 * time.Second
	// longestHold is how long an answer can be held back by its caller.
	longestHold = 5 * time.Minute
)

// App answers requests and counts them.
type App struct {
	config   Config
	faults   *Faults
	clock    clock.Clock
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	draining atomic.Bool
}

// NewApp makes the app of config.
func NewApp(config Config, clk clock.Clock) *App {
	a := &App{
		config:   config,
		faults:   NewFaults(config.Fault, config.Pod),
		clock:    clk,
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total",
			Help: "Requests answered, by version and status code.",
		}, []string{"version", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Time from a request's arrival to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"version"}),
	}
	a.registry.MustRegister(a.requests, a.duration)
	// Series that start at 0 let the first error count as an increase.
	a.requests.WithLabelValues(config.Version, strconv.Itoa(http.StatusOK))
	a.requests.WithLabelValues(config.Version, strconv.Itoa(http.StatusInternalServerError))
	a.duration.WithLabelValues(config.Version)
	return a
}

// Serving handles the serving port.
func (a *App) Serving() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.answer)
	mux.HandleFunc("/hold", a.hold)
	mux.HandleFunc("POST "+grpcMethod, a.answerGRPC)
	mux.HandleFunc("/healthz", ok)
	mux.HandleFunc("/readyz", a.ready)
	return mux
}

// Admin handles the port of metrics and faults.
func (a *App) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	mux.Handle("/admin/fault", a.faults)
	return mux
}

func (a *App) answer(w http.ResponseWriter, r *http.Request) { a.answerAfter(w, r, 0) }

// hold answers after as long as the parameter "for" says, like a large download.
func (a *App) hold(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("for"))
	if err != nil || d < 0 || d > longestHold {
		http.Error(w, fmt.Sprintf("for: %q: write a duration from 0s to %s", r.FormValue("for"), longestHold), http.StatusBadRequest)
		return
	}
	a.answerAfter(w, r, d)
}

// waits says whether the caller is still there after a time.
func (a *App) waits(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	select {
	case <-a.clock.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

func (a *App) answerAfter(w http.ResponseWriter, r *http.Request, held time.Duration) {
	start := a.clock.Now()
	latency, fail := a.faults.Next()
	if !a.waits(r, held+latency) {
		return
	}
	w.Header().Set(HeaderVersion, a.config.Version)
	w.Header().Set(HeaderPod, a.config.Pod)
	if a.draining.Load() {
		// A caller that keeps its connection would be cut off when the drain ends.
		w.Header().Set("Connection", "close")
	}
	code := http.StatusOK
	if fail {
		code = http.StatusInternalServerError
		w.Header().Set(HeaderAppError, "injected")
	}
	a.count(code, start)
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, "version %s, pod %s\n", a.config.Version, a.config.Pod)
}

// count counts a request that arrived at start.
func (a *App) count(code int, start time.Time) {
	a.requests.WithLabelValues(a.config.Version, strconv.Itoa(code)).Inc()
	a.duration.WithLabelValues(a.config.Version).Observe(a.clock.Since(start).Seconds())
}

// ready answers the kubelet.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	if a.faults.now().Unready {
		http.Error(w, "told to be unready", http.StatusServiceUnavailable)
		return
	}
	ok(w, r)
}

func ok(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n"))
}

// serve answers on both ports until ctx ends, and then for as long as config.Drain says.
func serve(ctx context.Context, config Config, clk clock.Clock) error {
	var listen net.ListenConfig
	serving, err := listen.Listen(ctx, "tcp", config.Address)
	if err != nil {
		return fmt.Errorf("ADDRESS: %w", err)
	}
	admin, err := listen.Listen(ctx, "tcp", config.AdminAddress)
	if err != nil {
		return errors.Join(fmt.Errorf("ADMIN_ADDRESS: %w", err), serving.Close())
	}
	return NewApp(config, clk).serveOn(ctx, serving, admin)
}

// serveOn answers on two listeners until ctx ends, and then for as long as the drain lasts.
func (a *App) serveOn(ctx context.Context, serving, admin net.Listener) error {
	// HTTP/2 without TLS is what gRPC speaks in a cluster.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	servers := []*http.Server{
		{Handler: a.Serving(), ReadHeaderTimeout: 10 * time.Second, Protocols: &protocols},
		{Handler: a.Admin(), ReadHeaderTimeout: 10 * time.Second},
	}
	failed := make(chan error, len(servers))
	for i, listener := range []net.Listener{serving, admin} {
		go func() { failed <- servers[i].Serve(listener) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	if a.config.Drain == 0 {
		return errors.Join(servers[0].Close(), servers[1].Close())
	}
	a.draining.Store(true)
	<-a.clock.After(a.config.Drain)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return errors.Join(servers[0].Shutdown(end), servers[1].Shutdown(end))
}
