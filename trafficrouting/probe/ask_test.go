package probe

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

// question asks a server by its address, and for another host.
func question(t *testing.T, server *httptest.Server) Question {
	t.Helper()
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	return Question{
		Probe: v1alpha1.TrafficProbe{
			RevisionHeader: "X-Pod", Headers: []v1alpha1.ProbeHeader{{Name: "X-Probe", Value: "yes"}},
			Timeout: &metav1.Duration{Duration: 2 * time.Second},
		},
		Door:     trafficrouting.Door{Address: at.Hostname(), Port: int32(port), Host: "web.example.com", Path: "/cart?a=b", TLS: at.Scheme == "https"},
		Requests: 40, Candidate: "new", Stable: "old",
	}
}

func gateway(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// answerLike is the n-th answer of a gateway behind which all sorts of things are.
func answerLike(w http.ResponseWriter, n int32) {
	switch {
	case n <= 4:
		w.Header().Set("X-Pod", "web-new-x2x4z")
		w.WriteHeader(http.StatusInternalServerError) // its answer all the same
	case n <= 34:
		w.Header().Set("X-Pod", "old")
	case n <= 36:
		w.WriteHeader(http.StatusServiceUnavailable)
	case n <= 38:
		w.Header().Set("Location", "http://10.0.0.1/")
		w.WriteHeader(http.StatusFound)
	default:
		panic(http.ErrAbortHandler)
	}
}

func TestAskCountsWhoseAnswersAre(t *testing.T) {
	var n, connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "web.example.com" || r.URL.String() != "/cart?a=b" || r.Header.Get("X-Probe") != "yes" || r.Method != http.MethodGet {
			t.Errorf("asked for %s %s of %s with %v", r.Method, r.URL, r.Host, r.Header)
		}
		answerLike(w, n.Add(1))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	got := NewAsker(Guard{Loopback: true}).Ask(t.Context(), question(t, server))
	want := Count{Candidate: 4, Stable: 30, Untold: 4, Failed: 2, Failure: "EOF"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("count (-want +got):\n%s", diff)
	}
	if got := connections.Load(); got < 40 {
		t.Errorf("%d connections for 40 requests: each is to find a proxy of its own", got)
	}
}

// TestAskEndsEarly holds that a gateway which does not answer is not asked to the end.
func TestAskEndsEarly(t *testing.T) {
	var asked atomic.Int32
	server := gateway(t, func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		panic(http.ErrAbortHandler)
	})
	q := question(t, server)
	q.Requests = 100
	got := NewAsker(Guard{Loopback: true}).Ask(t.Context(), q)
	if n := asked.Load(); n < 50 || n > 70 {
		t.Errorf("%d requests, want little more than half of 100", n)
	}
	if v := Decide(500, 100, got); v.Confirmed {
		t.Errorf("confirmed: %s", v.Message)
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := gateway(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if got := NewAsker(Guard{Loopback: true}).Ask(ctx, question(t, server)); got.Candidate+got.Stable+got.Untold > 0 {
		t.Errorf("counted %+v after the end", got)
	}
}

func TestAskKeepsItsPace(t *testing.T) {
	var n atomic.Int32
	server := gateway(t, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.Header().Set("X-Pod", "old")
	})
	asker := NewAsker(Guard{Loopback: true})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	q := question(t, server)
	q.Requests = 2000
	for range 2 { // two probes of one controller share the rate
		asker.Ask(ctx, q)
	}
	if got := n.Load(); got > burst+Rate/2 {
		t.Errorf("%d requests in 0.3 s, want no more than %d a second", got, Rate)
	}
}

// TestAskOverTLS holds that a certificate is looked at, unless the spec says otherwise.
func TestAskOverTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Pod", "new") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of each client that does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	q := question(t, server)
	asker := NewAsker(Guard{Loopback: true})
	if got := asker.Ask(t.Context(), q); got.Failed == 0 || !strings.Contains(got.Failure, "certificate") {
		t.Errorf("a certificate of nobody: %+v", got)
	}
	q.Probe.InsecureSkipVerify = true
	if got := asker.Ask(t.Context(), q); got.Candidate != q.Requests {
		t.Errorf("any certificate will do: %+v", got)
	}
}

func TestGuard(t *testing.T) {
	api := netip.MustParseAddrPort("10.96.0.1:443")
	guard := Guard{Forbidden: []netip.AddrPort{api}}
	for _, test := range []struct {
		address string
		allowed bool
	}{
		{"10.77.0.1:80", true},
		{"203.0.113.7:443", true},
		{"[2001:db8::1]:80", true},
		{"10.96.0.1:80", true},
		{"127.0.0.1:80", false},
		{"127.8.9.10:80", false},
		{"[::1]:80", false},
		{"[::ffff:127.0.0.1]:80", false},
		{"0.0.0.0:80", false},
		{"[::]:80", false},
		{"224.0.0.1:80", false},
		{"169.254.169.254:80", false},
		{"[::ffff:169.254.169.254]:80", false},
		{"[fe80::1%eth0]:80", false},
		{"[fd00:ec2::254]:80", false},
		{"100.100.100.200:80", false},
		{"[64:ff9b::a9fe:a9fe]:80", false},
		{"10.96.0.1:443", false},
		{"[::ffff:10.96.0.1]:443", false},
		{"web.example.com:80", false},
	} {
		err := guard.control("tcp", test.address, nil)
		if (err == nil) != test.allowed {
			t.Errorf("%s: %v, want allowed %t", test.address, err, test.allowed)
		}
	}
	if err := (Guard{Loopback: true}).control("tcp", "127.0.0.1:80", nil); err != nil {
		t.Errorf("outside a cluster: %v", err)
	}
}

// TestAskRefusesResolvedAddresses holds that it is the resolved address that is looked at, and that no proxy is asked instead.
func TestAskRefusesResolvedAddresses(t *testing.T) {
	reached := gateway(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	t.Setenv("HTTP_PROXY", reached.URL)
	q := question(t, reached)
	q.Requests = 20
	for _, address := range []string{"127.0.0.1", "localhost", "2130706433"} {
		q.Door.Address = address
		got := NewAsker(Guard{}).Ask(t.Context(), q)
		if got.Failed == 0 || got.Candidate+got.Stable+got.Untold > 0 {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

func TestDoorNamesItself(t *testing.T) {
	door := trafficrouting.Door{Through: "HTTPRoute shop/web through Gateway edge/public", Address: "10.0.0.9", Port: 443, TLS: true, Path: "/"}
	if got, want := door.String(), "HTTPRoute shop/web through Gateway edge/public, https://10.0.0.9:443/"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
