package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// renewDeadline is how long a leader tries to renew its lease of 15 seconds before it gives up: nobody else leads by then.
const renewDeadline = 10 * time.Second

// fence keeps a controller from writing that may not lead any more and does not know it yet. That is one which was stopped
// for longer than its lease, by a debugger, a frozen node or a lack of CPU, and works on where it was; and one that is cut
// off, and that leader election only ends when it has tried in vain, for another 5 seconds, to give its lease back.
//
// Preconditions on what is written do not stop those: an old view of a Rollout and a new one of its ReplicaSet are enough to
// scale up what another leader has aborted.
type fence struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	renewed time.Time // when the request was sent that renewed the lease last
}

// leases wraps the transport of leader election, and notes when the lease was renewed.
func (f *fence) leases(next http.RoundTripper) http.RoundTripper {
	return transport(func(req *http.Request) (*http.Response, error) {
		sent := f.clock.Now()
		response, err := next.RoundTrip(req)
		if err == nil && response.StatusCode < http.StatusMultipleChoices && !reads(req) && strings.Contains(req.URL.Path, "/leases") {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.renewed = sent
		}
		return response, err
	})
}

// writes wraps the transport of the controllers, and lets nothing be written under a lease that may be over.
func (f *fence) writes(next http.RoundTripper) http.RoundTripper {
	return transport(func(req *http.Request) (*http.Response, error) {
		if age := f.age(); !reads(req) && age >= renewDeadline {
			return nil, fmt.Errorf("%s %s is not sent: the lease was last renewed %s ago, and another controller may lead",
				req.Method, req.URL.Path, age.Round(time.Millisecond))
		}
		return next.RoundTrip(req)
	})
}

// age is how long ago the lease was renewed, by the clock that goes further: the one that counts from the start of the
// machine stands still while the machine does, and the other may be put back.
func (f *fence) age() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock.Now()
	return max(now.Sub(f.renewed), now.Round(0).Sub(f.renewed.Round(0)))
}

func reads(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }
