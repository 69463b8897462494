// Package proxy stands between a client and an API server, in the process of a test, and makes trouble: answers of its
// own, delays, connections that break, and a network that carries nothing for a while.
//
//	p := proxy.Start(t, e.Config)
//	heal := p.Inject(proxy.Fault{Verbs: []string{"patch"}, Resources: []string{"httproutes"}, Answer: proxy.Conflict()})
//	...a client with p.Config()...
//	heal()
//
// It speaks TLS and HTTP/2, as an API server does, so that clients behave as they do with one.
package proxy

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Proxy is between a client and an API server.
type Proxy struct {
	server   *httptest.Server
	upstream *rest.Config
	gate     *gate

	mu     sync.Mutex
	faults []*Fault
	seen   []Request
}

// Fault is trouble for some requests. What is left zero does not happen.
type Fault struct {
	// Verbs of the requests that it befalls: get, list, watch, create, update, patch, delete; none means all.
	Verbs []string
	// Resources of the requests that it befalls, such as httproutes or rollouts/status; none means all.
	Resources []string
	// Namespace of the requests that it befalls; empty means all.
	Namespace string
	// Times is how many requests it befalls; 0 means all.
	Times int

	// Delay is how long a request waits on its way to the server.
	Delay time.Duration
	// Hold is how long it waits besides: until this is closed.
	Hold <-chan struct{}
	// Answer is given instead of the server's.
	Answer *metav1.Status
	// Reset breaks the connection instead of an answer.
	Reset bool
	// Lose lets the request arrive, and breaks the connection instead of the server's answer.
	Lose bool
}

// Start starts a proxy to the server of a connection. It ends with the test.
func Start(t testing.TB, upstream *rest.Config) *Proxy {
	t.Helper()
	target, err := url.Parse(upstream.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(upstream)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{upstream: upstream, gate: newGate()}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // an event of a watch does not wait for the next
		ErrorLog:      log.New(nowhere{}, "", 0),
		// A server that cannot be reached is a connection that breaks, and not an answer.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		p.serve(forward, out, req)
	}))
	p.server.Listener = p.gate.listen(p.server.Listener)
	p.server.Config.ErrorLog = log.New(nowhere{}, "", 0)
	p.server.EnableHTTP2 = true
	p.server.StartTLS()
	t.Cleanup(func() {
		p.gate.heal()
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

type nowhere struct{}

func (nowhere) Write(data []byte) (int, error) { return len(data), nil }

// Config connects through the proxy, with the rights of the connection that it was started with.
func (p *Proxy) Config() *rest.Config {
	config := rest.CopyConfig(p.upstream)
	config.Host = p.server.URL
	config.CAData = pemOf(p.server.Certificate())
	return config
}

// Inject begins a fault. The function that is returned ends it.
func (p *Proxy) Inject(fault Fault) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := &fault
	if f.Times == 0 {
		f.Times = -1
	}
	p.faults = append(p.faults, f)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = slices.DeleteFunc(p.faults, func(other *Fault) bool { return other == f })
	}
}

// Part lets the network carry nothing, in either direction, until it is healed: connections stay open, and what is sent
// waits, as in a network that loses every packet.
func (p *Proxy) Part() { p.gate.part() }

// Heal ends a partition. What was sent meanwhile arrives.
func (p *Proxy) Heal() { p.gate.heal() }

// Break breaks all connections, once.
func (p *Proxy) Break() { p.gate.breakAll() }

// Requests are all that have come in so far, but for watches, that a filter lets through; nil lets all through.
func (p *Proxy) Requests(filter func(Request) bool) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Request
	for _, r := range p.seen {
		if r.Verb != "watch" && (filter == nil || filter(r)) {
			out = append(out, r)
		}
	}
	return out
}

func (p *Proxy) serve(forward http.Handler, out http.ResponseWriter, req *http.Request) {
	fault := p.meet(parse(req))
	if fault == nil {
		forward.ServeHTTP(out, req)
		return
	}
	fault.wait(req.Context())
	switch {
	case fault.Lose:
		forward.ServeHTTP(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	case fault.Reset:
		panic(http.ErrAbortHandler)
	case fault.Answer != nil:
		answer(out, fault.Answer)
	default:
		forward.ServeHTTP(out, req)
	}
}

// meet notes a request, and finds the fault that befalls it: of several the one that began first.
func (p *Proxy) meet(request Request) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, request)
	for _, fault := range p.faults {
		if fault.Times == 0 || !fault.befalls(request) {
			continue
		}
		fault.Times--
		copied := *fault
		return &copied
	}
	return nil
}

// wait waits as long as a request is delayed, or as somebody waits for its answer.
func (f *Fault) wait(ctx context.Context) {
	delay := make(chan struct{})
	timer := time.AfterFunc(f.Delay, func() { close(delay) })
	defer timer.Stop()
	for _, over := range []<-chan struct{}{delay, f.Hold} {
		if over == nil {
			continue
		}
		select {
		case <-over:
		case <-ctx.Done():
			return
		}
	}
}

func (f *Fault) befalls(r Request) bool {
	return (len(f.Verbs) == 0 || slices.Contains(f.Verbs, r.Verb)) &&
		(len(f.Resources) == 0 || slices.Contains(f.Resources, r.Resource)) &&
		(f.Namespace == "" || f.Namespace == r.Namespace)
}

func answer(out http.ResponseWriter, status *metav1.Status) {
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		out.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(int(status.Code))
	_ = json.NewEncoder(out).Encode(status) // the client has gone, if anything
}
