package stats

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// keptSeconds is how many seconds are remembered one by one: an hour.
	keptSeconds = 3600
	// keptFailures is how many different failures are remembered. More are counted, not described.
	keptFailures = 20
	// growth is the ratio of the bounds of neighbouring latency classes.
	growth = 1.05
)

// Answer is the end of one request.
type Answer struct {
	// Version that answered; empty when not known.
	Version string
	// AppError says that the app marked the answer as an error of its own.
	AppError bool
	// Failure says what else went wrong; empty when nothing did.
	Failure string
	// Retried says that the HTTP client sent the request more than once.
	Retried bool
	// Latency is the time from the moment the request was due to its end.
	Latency time.Duration
}

// Recorder counts answers. It may be used by many goroutines at once.
type Recorder struct {
	clock clock.PassiveClock

	mu         sync.Mutex
	inFlight   int64
	retried    int64
	total      Tally
	lastAnswer map[string]time.Time
	seconds    []Second
	failures   []Failure
	// classes count latencies: class i holds those up to growth^i microseconds.
	classes []int64
	max     time.Duration
}

// NewRecorder makes a Recorder that has counted nothing.
func NewRecorder(clk clock.PassiveClock) *Recorder {
	return &Recorder{clock: clk, total: Tally{Versions: map[string]Counts{}}, lastAnswer: map[string]time.Time{}}
}

// Begin counts a request that is sent, unless limit are under way already.
func (r *Recorder) Begin(limit int64) (begun bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inFlight >= limit {
		return false
	}
	r.inFlight++
	return true
}

// End counts the answer to a request that Begin let through.
func (r *Recorder) End(a Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	r.record(a)
}

// Refused counts a request that was not sent at all as a failure.
func (r *Recorder) Refused(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record(Answer{Failure: reason})
}

func (r *Recorder) record(a Answer) {
	now := r.clock.Now()
	counts := Counts{Requests: 1}
	switch {
	case a.Failure != "":
		counts.Failures = 1
		r.describe(now, a.Failure)
	case a.AppError:
		counts.AppErrors = 1
	}
	if a.Retried {
		r.retried++
	}
	tally := Tally{All: counts}
	if a.Version != "" {
		tally.Versions = map[string]Counts{a.Version: counts}
		r.lastAnswer[a.Version] = now
	}
	r.total = r.total.Plus(tally)
	r.addToSecond(now.Unix(), tally)
	r.addLatency(a.Latency)
}

func (r *Recorder) addToSecond(at int64, tally Tally) {
	last := len(r.seconds) - 1
	if last < 0 || r.seconds[last].At != at {
		r.seconds = append(r.seconds, Second{At: at})
		last++
	}
	r.seconds[last].Tally = r.seconds[last].Plus(tally)
	if len(r.seconds) > keptSeconds {
		r.seconds = slices.Delete(r.seconds, 0, len(r.seconds)-keptSeconds)
	}
}

func (r *Recorder) describe(now time.Time, message string) {
	for i := range r.failures {
		if r.failures[i].Message == message {
			r.failures[i].Count++
			r.failures[i].LastAt = now
			return
		}
	}
	if len(r.failures) < keptFailures {
		r.failures = append(r.failures, Failure{Message: message, Count: 1, FirstAt: now, LastAt: now})
	}
}

func (r *Recorder) addLatency(latency time.Duration) {
	class := 0
	if us := float64(latency.Microseconds()); us > 1 {
		class = int(math.Ceil(math.Log(us) / math.Log(growth)))
	}
	for len(r.classes) <= class {
		r.classes = append(r.classes, 0)
	}
	r.classes[class]++
	r.max = max(r.max, latency)
}

// quantile is the upper bound of the latency of the share q of all answers.
func (r *Recorder) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(r.total.All.Requests)))
	for class, n := range r.classes {
		rank -= n
		if rank <= 0 && n > 0 {
			return min(r.max, time.Duration(math.Pow(growth, float64(class))*float64(time.Microsecond)))
		}
	}
	return r.max
}

// Report says what has been counted, with the seconds from since on, in Unix time.
func (r *Recorder) Report(since int64) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := Report{
		Now:        r.clock.Now(),
		InFlight:   r.inFlight,
		Retried:    r.retried,
		Total:      r.total.Plus(Tally{}),
		LastAnswer: maps.Clone(r.lastAnswer),
		Latency:    Latency{P50: r.quantile(0.5), P99: r.quantile(0.99), Max: r.max},
		Failures:   slices.Clone(r.failures),
	}
	for _, second := range r.seconds {
		if second.At >= since {
			report.Seconds = append(report.Seconds, second)
		}
	}
	return report
}
