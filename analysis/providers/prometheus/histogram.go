package prometheus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// CountLatencies reads the samples of all buckets, or of native histograms, and counts by itself, as Count does. What
// selects classic buckets has to select all of them: the one of all requests tells how many there were.
func (p *Provider) CountLatencies(ctx context.Context, query analysis.LatencyQuery) (analysis.LatencyCount, error) {
	limited, cancel := context.WithTimeout(ctx, timeout(query.Source.Prometheus))
	defer cancel()
	asks, err := p.asker(limited, query.Source.Prometheus, query.Secrets)
	if err != nil {
		return analysis.LatencyCount{}, err
	}
	asked := span{from: query.From, to: query.To}
	var matrices [2]model.Matrix
	var count analysis.LatencyCount
	arms := [2]struct{ field, selector string }{{"candidate", query.Candidate}, {"stable", query.Stable}}
	for i, arm := range arms {
		value, warnings, err := asks.query(limited, asked.over(arm.selector), query.To)
		if err == nil {
			matrices[i], err = samples(value, arm.selector)
		}
		if err != nil {
			return analysis.LatencyCount{}, at(arm.field, err)
		}
		count.Warnings = append(count.Warnings, clean(warnings)...)
	}
	seen := sightingsOf(matrices[:])
	var counted [2]buckets
	for i, arm := range arms {
		if counted[i], err = asked.buckets(matrices[i], seen); err != nil {
			return analysis.LatencyCount{}, at(arm.field, err)
		}
	}
	if err := alike(counted[0], counted[1]); err != nil {
		return analysis.LatencyCount{}, at("candidate", err)
	}
	for i, into := range []*judge.Histogram{&count.Candidate, &count.Stable} {
		if *into, err = counted[i].histogram(); err != nil {
			return analysis.LatencyCount{}, at(arms[i].field, queryFault(v1alpha1.ReasonQueryInvalid, err.Error()))
		}
	}
	count.Newest, count.Scrape = ages(matrices[0], matrices[1])
	return count, nil
}

// Latencies asks the server for the distribution, which extrapolates a little: no test rests on it.
func (p *Provider) Latencies(ctx context.Context, query analysis.HistoryQuery) (judge.Histogram, error) {
	limited, cancel := context.WithTimeout(ctx, timeout(query.Source.Prometheus))
	defer cancel()
	asks, err := p.asker(limited, query.Source.Prometheus, query.Secrets)
	if err != nil {
		return judge.Histogram{}, err
	}
	text := fmt.Sprintf("sum by (le) (increase(%s[%dms]))", query.Selector, query.For.Milliseconds())
	value, _, err := asks.query(limited, text, query.At)
	if err != nil {
		return judge.Histogram{}, at("stable", err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return judge.Histogram{}, at("stable", notBuckets(query.Selector))
	}
	all := newBuckets()
	for _, sample := range vector {
		switch {
		case sample == nil:
		case sample.Histogram != nil:
			all.addNative(sample.Histogram, nil)
		default:
			if err := all.addClassic(sample.Metric, float64(sample.Value)); err != nil {
				return judge.Histogram{}, at("stable", err)
			}
		}
	}
	out, err := all.histogram()
	if err != nil {
		return judge.Histogram{}, at("stable", queryFault(v1alpha1.ReasonQueryInvalid, err.Error()))
	}
	return out, nil
}

// notBuckets says that a selector selects no histograms.
func notBuckets(selector string) error {
	return queryFault(v1alpha1.ReasonQueryInvalid, fmt.Sprintf(
		`%s gives no buckets; select those of a histogram, such as http_request_duration_seconds_bucket{pod=~"web-.*"}, or a native histogram`,
		fetch.Printable(selector, fetch.ShownText)))
}

// edges are the bounds of a bucket of a native histogram.
type edges struct{ lower, upper float64 }

// buckets are the sum of the histograms of one version.
type buckets struct {
	classic map[float64]float64 // requests up to le
	native  map[edges]float64
}

func newBuckets() buckets { return buckets{map[float64]float64{}, map[edges]float64{}} }

// buckets sums up by how much the histograms of a version have grown within the span.
func (s span) buckets(matrix model.Matrix, seen sightings) (buckets, error) {
	all := newBuckets()
	for _, stream := range matrix {
		if len(stream.Histograms) > 0 {
			s.grow(stream, seen, all)
			continue
		}
		if err := all.addClassic(stream.Metric, s.growth(stream, seen)); err != nil {
			return all, err
		}
	}
	return all, nil
}

// addClassic adds requests to the bucket that a series counts. Two texts of a bound, "1" and "1.0", are one.
func (b buckets) addClassic(metric model.Metric, count float64) error {
	text, ok := metric[model.BucketLabel]
	if !ok {
		return queryFault(v1alpha1.ReasonQueryInvalid, "it selects series without the label le; select all buckets of a histogram, "+
			"such as http_request_duration_seconds_bucket, or a native histogram")
	}
	le, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(le) {
		return queryFault(v1alpha1.ReasonQueryInvalid, fmt.Sprintf("it selects a bucket le=%q, which is no number",
			fetch.Printable(string(text), fetch.ShownText)))
	}
	b.classic[le] += count
	return nil
}

// grow adds by how much a native histogram has grown within the span, as growth does for a counter.
func (s span) grow(stream *model.SampleStream, seen sightings, into buckets) {
	var last *model.SampleHistogram
	for _, sample := range stream.Histograms {
		now, when := sample.Histogram, sample.Timestamp.Time()
		if now == nil || !counts(float64(now.Count)) || when.After(s.to) {
			continue
		}
		if when.After(s.from) && (last != nil || seen.before(stream.Metric, sample.Timestamp)) {
			into.addNative(now, last)
		}
		last = now
	}
}

// addNative adds what a native histogram has more than an earlier one. One that has less of anything was reset, and counts
// from 0. The earlier one may have finer buckets, of which two make one of the later.
func (b buckets) addNative(now, before *model.SampleHistogram) {
	if before != nil && wasReset(now, before) {
		before = nil
	}
	for _, bucket := range now.Buckets {
		more := float64(bucket.Count)
		if before != nil {
			more = max(more-within(before, bucket), 0)
		}
		b.native[edges{float64(bucket.Lower), float64(bucket.Upper)}] += more
	}
}

// wasReset says that a native histogram began anew.
func wasReset(now, before *model.SampleHistogram) bool {
	if now.Count < before.Count {
		return true
	}
	tolerance := 1e-9 * float64(before.Count)
	for _, bucket := range now.Buckets {
		if float64(bucket.Count) < within(before, bucket)-tolerance {
			return true
		}
	}
	return false
}

// within is how many requests a histogram has in a bucket: all of its own buckets inside.
func within(h *model.SampleHistogram, bucket *model.HistogramBucket) float64 {
	sum := 0.0
	for _, b := range h.Buckets {
		if b.Lower >= lessALittle(bucket.Lower) && lessALittle(b.Upper) <= bucket.Upper {
			sum += float64(b.Count)
		}
	}
	return sum
}

// lessALittle allows for the last digit, in which the same bound differs between resolutions.
func lessALittle(f model.FloatString) model.FloatString {
	return f - model.FloatString(1e-12*math.Abs(float64(f)))
}

// histogram is what the buckets come to; empty when there are none.
func (b buckets) histogram() (judge.Histogram, error) {
	switch {
	case len(b.classic) > 0 && len(b.native) > 0:
		return judge.Histogram{}, errors.New("it selects classic buckets and native histograms, which count the same requests: select one")
	case len(b.classic) > 0:
		bounds := b.bounds()
		counts := make([]float64, 0, len(bounds))
		for _, le := range bounds {
			counts = append(counts, b.classic[le])
		}
		return judge.Classic(bounds, counts)
	}
	h := judge.Histogram{Exponential: true}
	for e, count := range b.native {
		h.Buckets = append(h.Buckets, judge.Bucket{Lower: e.lower, Upper: e.upper, Count: count})
	}
	slices.SortFunc(h.Buckets, func(x, y judge.Bucket) int {
		return cmp.Or(cmp.Compare(x.Lower, y.Lower), cmp.Compare(x.Upper, y.Upper))
	})
	return h, nil
}

// bounds of classic buckets, in order.
func (b buckets) bounds() []float64 {
	all := make([]float64, 0, len(b.classic))
	for le := range b.classic {
		all = append(all, le)
	}
	slices.Sort(all)
	return all
}

// alike says that the histograms of two versions cannot be compared, since a version was given other buckets.
func alike(candidate, stable buckets) error {
	if len(candidate.classic)+len(candidate.native) == 0 || len(stable.classic)+len(stable.native) == 0 {
		return nil
	}
	if len(candidate.classic) > 0 != (len(stable.classic) > 0) {
		return queryFault(v1alpha1.ReasonQueryInvalid,
			"one version has classic buckets and the other native histograms, which cannot be compared: select the same of both")
	}
	if mine, others := candidate.bounds(), stable.bounds(); !slices.Equal(mine, others) {
		return queryFault(v1alpha1.ReasonQueryInvalid, fmt.Sprintf(
			"its buckets are le=%v, and stable's le=%v: both versions need the same, so change the buckets in a release of its own", mine, others))
	}
	return nil
}

// points are the values of a counter over time. A native histogram counts its requests.
func points(stream *model.SampleStream) []model.SamplePair {
	if len(stream.Histograms) == 0 {
		return stream.Values
	}
	all := make([]model.SamplePair, 0, len(stream.Histograms))
	for _, sample := range stream.Histograms {
		if sample.Histogram != nil {
			all = append(all, model.SamplePair{Timestamp: sample.Timestamp, Value: model.SampleValue(sample.Histogram.Count)})
		}
	}
	return all
}

// turned says that a series went from one kind of sample to another within the time that was read.
func turned(stream *model.SampleStream) bool {
	return len(stream.Values) > 0 && len(stream.Histograms) > 0
}
