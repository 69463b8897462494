package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func TestDecide(t *testing.T) {
	for _, test := range []struct {
		name     string
		weight   int32
		requests int
		count    Count
		want     Verdict
	}{
		{"the share", 100, 200, Count{Candidate: 21, Stable: 179}, Verdict{
			true, "21 of 200 answers came from the candidate, and 10% is 8 to 35",
		}},
		{"the least", 100, 200, Count{Candidate: 8, Stable: 192}, Verdict{
			true, "8 of 200 answers came from the candidate, and 10% is 8 to 35",
		}},
		{"the most", 100, 200, Count{Candidate: 35, Stable: 165}, Verdict{
			true, "35 of 200 answers came from the candidate, and 10% is 8 to 35",
		}},
		{"too few", 100, 200, Count{Candidate: 7, Stable: 193}, Verdict{
			false, "7 of 200 answers came from the candidate, and 10% is 8 to 35",
		}},
		{"too many", 100, 200, Count{Candidate: 36, Stable: 164}, Verdict{
			false, "36 of 200 answers came from the candidate, and 10% is 8 to 35",
		}},
		{"none is none", 0, 200, Count{Stable: 200}, Verdict{
			true, "0 of 200 answers came from the candidate, and 0% is 0",
		}},
		{"one is not none", 0, 200, Count{Candidate: 1, Stable: 199}, Verdict{
			false, "1 of 200 answers came from the candidate, and 0% is 0",
		}},
		{"all is all", 1000, 200, Count{Candidate: 200}, Verdict{
			true, "200 of 200 answers came from the candidate, and 100% is 200",
		}},
		{"one short is not all", 1000, 200, Count{Candidate: 199, Stable: 1}, Verdict{
			false, "199 of 200 answers came from the candidate, and 100% is 200",
		}},
		{"what tells nothing does not count", 1000, 200, Count{Candidate: 150, Untold: 47, Failed: 3, Failure: "timeout"}, Verdict{
			true, "150 of 150 answers came from the candidate, and 100% is 150; 47 answers told no revision; 3 requests had no answer: timeout",
		}},
		{"half is enough", 1000, 201, Count{Candidate: 101, Untold: 100}, Verdict{
			true, "101 of 101 answers came from the candidate, and 100% is 101; 100 answers told no revision",
		}},
		{"less is not", 1000, 201, Count{Candidate: 100, Untold: 101}, Verdict{
			false, "100 of 201 requests were answered by a revision that is told, and 101 have to be; 101 answers told no revision",
		}},
		{"no answer", 500, 200, Count{Failed: 101, Failure: "connection refused"}, Verdict{
			false, "0 of 200 requests were answered by a revision that is told, and 100 have to be; 101 requests had no answer: connection refused",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Decide(test.weight, test.requests, test.count)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBounds holds that no more than Odds lies beyond either bound, and more than that beyond the next number inside.
func TestBounds(t *testing.T) {
	for _, n := range []int{20, 73, 200, 757, 2000} {
		for tenths := range 999 {
			p := float64(tenths+1) / 1000
			low, high := Bounds(n, p)
			if below := between(0, low-1, n, p); below > Odds {
				t.Errorf("%d of %d at %g: %g lies below", low, n, p, below)
			}
			if upTo := between(0, low, n, p); upTo <= Odds {
				t.Errorf("%d of %d at %g: the bound is too low, with %g up to it", low, n, p, upTo)
			}
			if above := between(high+1, n, n, p); above > Odds {
				t.Errorf("%d of %d at %g: %g lies above", high, n, p, above)
			}
			if from := between(high, n, n, p); from <= Odds {
				t.Errorf("%d of %d at %g: the bound is too high, with %g from it on", high, n, p, from)
			}
		}
	}
}

func between(from, to, n int, p float64) float64 {
	sum := 0.0
	for k := from; k <= to; k++ {
		sum += chance(n, k, p)
	}
	return sum
}

// TestRequestsTell holds that a probe whose number of requests is not given tells its weight from no traffic, from all of it, and
// from the weight before, by which a gateway serves that has not heard of another one.
func TestRequestsTell(t *testing.T) {
	for tenths := int32(4); tenths <= 996; tenths++ {
		n := int((&v1alpha1.TrafficProbe{}).RequestsFor(0, tenths))
		if none := Decide(tenths, n, Count{Stable: n}); none.Confirmed {
			t.Errorf("weight %d with %d requests: none is confirmed", tenths, n)
		}
		if all := Decide(tenths, n, Count{Candidate: n}); all.Confirmed {
			t.Errorf("weight %d with %d requests: all is confirmed", tenths, n)
		}
	}
	for before := int32(10); before < 1000; before += 10 {
		for weight := before + 70; weight <= 1000; weight += 10 { // nearer ones are not told by 2000 requests
			n := int((&v1alpha1.TrafficProbe{}).RequestsFor(before, weight))
			still := n * int(before) / 1000
			if got := Decide(weight, n, Count{Candidate: still, Stable: n - still}); got.Confirmed {
				t.Errorf("weight %d after %d: %s is confirmed", weight, before, got.Message)
			}
		}
	}
}

func TestRequests(t *testing.T) {
	for _, test := range []struct {
		given, before, weight, want int32
	}{
		{0, 0, 0, 200},
		{0, 0, 1000, 200},
		{0, 0, 100, 200},
		{0, 10, 200, 200},
		{0, 200, 300, 798},
		{0, 200, 200, 200},
		{0, 500, 510, 2000},
		{0, 500, 1000, 200},
		{0, 1000, 500, 200},
		{0, 0, 10, 757},
		{0, 0, 990, 757},
		{0, 0, 1, 2000},
		{20, 0, 10, 20},
		{2000, 200, 500, 2000},
	} {
		probe := v1alpha1.TrafficProbe{Requests: test.given}
		if got := probe.RequestsFor(test.before, test.weight); got != test.want {
			t.Errorf("%d requests given, weight %d after %d: %d, want %d", test.given, test.weight, test.before, got, test.want)
		}
	}
}

func TestTells(t *testing.T) {
	for value, want := range map[string]string{
		"7c9f5d": "7c9f5d", "web-7c9f5d-x2x4z": "7c9f5d", "web-5b8w2k-x2x4z": "5b8w2k", " 5b8w2k ": "5b8w2k",
		"": "", "-": "", "web": "", "web-9999-x2x4z": "", "web7c9f5d": "", "v2": "",
	} {
		if got := Tells(value, "7c9f5d", "5b8w2k"); got != want {
			t.Errorf("%q tells %q, want %q", value, got, want)
		}
	}
}
