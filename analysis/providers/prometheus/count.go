package prometheus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// lookback is how far before a span samples are read, to know where counters stood: two scrapes a minute apart.
	lookback = 2 * time.Minute
	// maxSpan bounds how many samples one query reads, after a long time in which nobody asked.
	maxSpan = time.Hour
)

// Count reads the samples of all counters, at a fixed time, and counts by itself. rate and increase would extrapolate,
// which makes figures vary more than requests do, and miss the first value of a counter that is new, such as that of the
// first error. The fields of a fault are those of analysis.CountQuery: candidate.bad and so on.
func (p *Provider) Count(ctx context.Context, query analysis.CountQuery) (analysis.Count, error) {
	limited, cancel := context.WithTimeout(ctx, timeout(query.Source.Prometheus))
	defer cancel()
	asks, err := p.asker(limited, query.Source.Prometheus, query.Secrets)
	if err != nil {
		return analysis.Count{}, err
	}
	asked := span{from: query.From, to: query.To}
	var matrices [4]model.Matrix
	var count analysis.Count
	for i, s := range [4]struct{ field, selector string }{
		{"candidate.total", query.Candidate.Total},
		{"stable.total", query.Stable.Total},
		{"candidate.bad", query.Candidate.Bad},
		{"stable.bad", query.Stable.Bad},
	} {
		if s.selector == "" { // an objective has no stable
			continue
		}
		value, warnings, err := asks.query(limited, asked.over(s.selector), query.To)
		if err == nil {
			matrices[i], err = samples(value, s.selector)
		}
		if err != nil {
			return analysis.Count{}, at(s.field, err)
		}
		count.Warnings = append(count.Warnings, clean(warnings)...)
	}
	seen := sightingsOf(matrices[:])
	count.Batch = judge.Batch{
		Candidate: judge.Arm{Bad: asked.count(matrices[2], seen), Total: asked.count(matrices[0], seen)},
		Stable:    judge.Arm{Bad: asked.count(matrices[3], seen), Total: asked.count(matrices[1], seen)},
	}
	count.Newest, count.Scrape = ages(matrices[0], matrices[1])
	return count, nil
}

// at puts a fault of a query where the query is written, and leaves those of the server.
func at(field string, err error) error {
	var fault *analysis.Fault
	if !errors.As(err, &fault) || fault.Field != fieldQuery {
		return err
	}
	moved := *fault
	moved.Field = field
	if errors.Is(err, fetch.ErrTooLarge) {
		moved.Message = fmt.Sprintf("the samples take more than %d bytes; select fewer series, or a shorter interval", fetch.MaxBody)
	}
	return &moved
}

// samples takes the samples of counters out of an answer.
func samples(value model.Value, selector string) (model.Matrix, error) {
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, queryFault(v1alpha1.ReasonQueryInvalid, fmt.Sprintf(
			`%s[…] gives no samples; write a selector such as http_requests_total{pod=~"web-.*"}`, fetch.Printable(selector, fetch.ShownText)))
	}
	for _, stream := range matrix {
		if stream == nil {
			return nil, queryFault(v1alpha1.ReasonQueryInvalid, "the answer holds a series that is none")
		}
		if turned(stream) {
			return nil, queryFault(v1alpha1.ReasonPartial, fmt.Sprintf(
				"%s has turned from a counter into a native histogram, or back; it is counted once samples of one kind are left",
				fetch.Printable(stream.Metric.String(), fetch.ShownText)))
		}
	}
	return matrix, twice(matrix)
}

// span is a time after from, until to and at to.
type span struct{ from, to time.Time }

// over is the query for all samples of a selector that matter to a span that ends at the time of the query.
func (s span) over(selector string) string {
	length := min(s.to.Sub(s.from), maxSpan) + lookback
	return fmt.Sprintf("%s[%dms]", selector, length.Milliseconds())
}

// count sums up by how much counters have grown within the span.
func (s span) count(matrix model.Matrix, seen sightings) float64 {
	sum := 0.0
	for _, stream := range matrix {
		sum += s.growth(stream, seen)
	}
	return sum
}

// growth is by how much one counter has grown within the span. A fall is a restart, after which it counts from 0. A
// counter that appears within the span began at 0 if its target had been seen before without it. If not, nobody knows
// since when it counts, and its first value is where counting begins: a target that was away for an hour would otherwise
// bring an hour's requests with it.
func (s span) growth(stream *model.SampleStream, seen sightings) float64 {
	sum, last, known := 0.0, 0.0, false
	for _, sample := range points(stream) {
		value, at := float64(sample.Value), sample.Timestamp.Time()
		if !counts(value) || at.After(s.to) {
			continue
		}
		if at.After(s.from) && (known || seen.before(stream.Metric, sample.Timestamp)) {
			sum += rise(last, value)
		}
		last, known = value, true
	}
	return sum
}

// counts says whether a value can be one of a counter.
func counts(value float64) bool { return value >= 0 && !math.IsInf(value, 1) }

// rise is from one value of a counter to the next.
func rise(last, value float64) float64 {
	if value < last {
		return value
	}
	return value - last
}

// scraped names what is scraped. Series without these labels have none, and are never taken for new ones.
type scraped struct{ job, instance model.LabelValue }

// scrapedOf gives the target of a series.
func scrapedOf(metric model.Metric) (scraped, bool) {
	instance, ok := metric[model.InstanceLabel]
	return scraped{job: metric[model.JobLabel], instance: instance}, ok
}

// sightings are the times at which targets were first seen.
type sightings map[scraped]model.Time

// sightingsOf takes the first sample of each target from all series: those of the other version, and of good requests,
// tell as well that a target was there.
func sightingsOf(matrices []model.Matrix) sightings {
	seen := sightings{}
	for _, matrix := range matrices {
		for _, stream := range matrix {
			target, ok := scrapedOf(stream.Metric)
			values := points(stream)
			if !ok || len(values) == 0 {
				continue
			}
			first := values[0].Timestamp
			if known, ok := seen[target]; !ok || first < known {
				seen[target] = first
			}
		}
	}
	return seen
}

// before says whether the target of a series was seen before a time.
func (s sightings) before(metric model.Metric, at model.Time) bool {
	target, ok := scrapedOf(metric)
	first, known := s[target]
	return ok && known && first < at
}

// ages gives the time of the last sample of the version whose samples end first, and the least time between two samples.
func ages(arms ...model.Matrix) (newest time.Time, scrape time.Duration) {
	for _, matrix := range arms {
		var last time.Time
		for _, stream := range matrix {
			values := points(stream)
			if n := len(values); n > 0 && values[n-1].Timestamp.Time().After(last) {
				last = values[n-1].Timestamp.Time()
			}
			scrape = shorter(scrape, values)
		}
		if !last.IsZero() && (newest.IsZero() || last.Before(newest)) {
			newest = last
		}
	}
	return newest, scrape
}

// shorter is the least time between two samples, or what was known before if that is less; 0 is unknown.
func shorter(known time.Duration, values []model.SamplePair) time.Duration {
	for i := 1; i < len(values); i++ {
		if gap := values[i].Timestamp.Sub(values[i-1].Timestamp); gap > 0 && (known == 0 || gap < known) {
			known = gap
		}
	}
	return known
}
