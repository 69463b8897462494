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
	// HeaderAppError marks an error that the app was told to answer.
	HeaderAppError = "X-App-Error"
)

// shutdownTimeout is how long requests that are under way when the drain ends may still take.
const shutdownTimeout = 10 * time.Second

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
		faults:   NewFaults(config.Fault),
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
	mux.HandleFunc("/healthz", ok)
	mux.HandleFunc("/readyz", ok)
	return mux
}

// Admin handles the port of metrics and faults.
func (a *App) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	mux.Handle("/admin/fault", a.faults)
	return mux
}

func (a *App) answer(w http.ResponseWriter, r *http.Request) {
	start := a.clock.Now()
	latency, fail := a.faults.Next()
	if latency > 0 {
		select {
		case <-a.clock.After(latency):
		case <-r.Context().Done():
			return // The caller has gone; there is nobody to answer.
		}
	}
	w.Header().Set(HeaderVersion, a.config.Version)
	if a.draining.Load() {
		// A caller that keeps its connection would be cut off when the drain ends.
		w.Header().Set("Connection", "close")
	}
	code := http.StatusOK
	if fail {
		code = http.StatusInternalServerError
		w.Header().Set(HeaderAppError, "injected")
	}
	a.requests.WithLabelValues(a.config.Version, strconv.Itoa(code)).Inc()
	a.duration.WithLabelValues(a.config.Version).Observe(a.clock.Since(start).Seconds())
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, "version %s, pod %s\n", a.config.Version, a.config.Pod)
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
	servers := []*http.Server{
		{Handler: a.Serving(), ReadHeaderTimeout: 10 * time.Second},
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
