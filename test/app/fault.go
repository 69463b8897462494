package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/ptr"
)

// Fault is what the app does wrong.
type Fault struct {
	// ErrorRate is the share of requests, from 0 to 1, that are answered with 500.
	ErrorRate float64
	// Scattered has each request fail by itself, with the odds of ErrorRate, as errors do in life. Otherwise they are spread
	// evenly.
	Scattered bool
	// Leak is how many bytes each request takes and never gives back.
	Leak int
	// Latency is how long every answer is held back.
	Latency time.Duration
	// Unready has /readyz say that no requests are to be sent here. Those that come are answered as ever.
	Unready bool
}

func (f Fault) validate() error {
	if math.IsNaN(f.ErrorRate) || f.ErrorRate < 0 || f.ErrorRate > 1 {
		return fmt.Errorf("an error rate of %v is not a share of requests: write a number from 0 to 1", f.ErrorRate)
	}
	if f.Leak < 0 {
		return fmt.Errorf("a leak of %d bytes is negative: write a number such as 1048576", f.Leak)
	}
	if f.Latency < 0 {
		return fmt.Errorf("a latency of %v is negative: write a duration such as 50ms", f.Latency)
	}
	return nil
}

// Faults decides, request by request, what goes wrong.
type Faults struct {
	mu    sync.Mutex
	fault Fault
	// due is the share of an error that has built up: whenever it reaches 1, a request fails.
	due float64
	// kept is what has leaked.
	kept [][]byte
	// random draws the errors that are scattered.
	random *rand.Rand
}

// NewFaults starts with fault. Of one name, the same requests fail each time that errors are scattered: no two pods have
// the same name.
func NewFaults(fault Fault, name string) *Faults {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return &Faults{fault: fault, random: rand.New(rand.NewPCG(hash.Sum64(), 0))}
}

// Next says how long the next request is held back, and whether it then fails. Unless failures are scattered they are
// spread evenly: with 0.2 every fifth request fails, so that a short measurement shows the rate that was asked for.
func (f *Faults) Next() (latency time.Duration, fail bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault.Leak > 0 {
		// Memory counts once it is written to.
		f.kept = append(f.kept, bytes.Repeat([]byte{1}, f.fault.Leak))
	}
	if f.fault.Scattered {
		return f.fault.Latency, f.random.Float64() < f.fault.ErrorRate
	}
	f.due += f.fault.ErrorRate
	// Five times 0.2 adds up to a little less than 1.
	const rounding = 1e-9
	if f.due >= 1-rounding {
		f.due--
		fail = true
	}
	return f.fault.Latency, fail
}

// faultDocument is a Fault on the wire. What a request leaves out stays as it was.
type faultDocument struct {
	ErrorRate *float64 `json:"errorRate,omitempty"`
	Scattered *bool    `json:"scattered,omitempty"`
	Latency   *string  `json:"latency,omitempty"`
	Unready   *bool    `json:"unready,omitempty"`
}

func (f *Faults) change(d faultDocument) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault := f.fault
	if d.ErrorRate != nil {
		fault.ErrorRate = *d.ErrorRate
	}
	if d.Latency != nil {
		latency, err := time.ParseDuration(*d.Latency)
		if err != nil {
			return fmt.Errorf("latency %q is not a duration: write one such as \"50ms\"", *d.Latency)
		}
		fault.Latency = latency
	}
	fault.Scattered = ptr.Deref(d.Scattered, fault.Scattered)
	fault.Unready = ptr.Deref(d.Unready, fault.Unready)
	if err := fault.validate(); err != nil {
		return err
	}
	f.fault, f.due = fault, 0
	return nil
}

// ServeHTTP shows the fault to a GET and changes it by a POST of {"errorRate": 0.2, "latency": "50ms",
// "unready": true}; "scattered": true draws the errors.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var d faultDocument
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&d); err != nil {
			http.Error(w, `send {"errorRate": 0.2, "latency": "50ms", "unready": true}, any may be left out: `+err.Error(), http.StatusBadRequest)
			return
		}
		if err := f.change(d); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	fault := f.now()
	latency := fault.Latency.String()
	w.Header().Set("Content-Type", "application/json")
	document := faultDocument{ErrorRate: &fault.ErrorRate, Latency: &latency}
	if fault.Unready {
		document.Unready = &fault.Unready
	}
	if fault.Scattered {
		document.Scattered = &fault.Scattered
	}
	_ = json.NewEncoder(w).Encode(document)
}

// now is what goes wrong at present.
func (f *Faults) now() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}
