package analysis

import (
	"slices"
	"time"

	"github.com/sluice-dev/sluice/analysis/judge"
	"github.com/sluice-dev/sluice/analysis/presets"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// maxBatches bounds a foresight: a week of batches of a minute.
const maxBatches = 10_080

// Traffic is what a release is expected to see.
type Traffic struct {
	// Rate of requests to both versions together, per second.
	Rate float64
	// Bad is stable's share of bad requests, 0 to 1.
	Bad float64
	// Stages of the release, in order.
	Stages []Stage
}

// Stage is a part of a release with one weight.
type Stage struct {
	// Share of the requests that go to the candidate, 0 to 1.
	Share float64
	// For how long.
	For time.Duration
}

// Prospect is how likely a candidate with a certain harm is found.
type Prospect struct {
	// Factor is how many times as high the candidate's share of bad requests is as stable's.
	Factor float64
	// Odds that it is found before the stages are over, 0 to 1.
	Odds float64
	// Even is after how long the odds are even, and Share the candidate's share then; 0 when they never are.
	Even  time.Duration
	Share float64
}

// Foresight is what one ratio would find.
type Foresight struct {
	// Metric is its name.
	Metric string
	// Prospects of candidates with 1.5 times, twice, three, five and ten times as many bad requests.
	Prospects []Prospect
	// Detectable is the smallest factor that is found with odds of 80 %; +∞ when none is.
	Detectable float64
	// Lasts is how long it measures: through all stages, or until its count is reached.
	Lasts time.Duration
}

// Foresee tells what the ratios of a template would find under some traffic, when harm is there from the start. Metrics
// with conditions are left out. The error is that of a ratio whose settings cannot be used.
func Foresee(metrics []v1alpha1.Metric, traffic Traffic) ([]Foresight, error) {
	var all []Foresight
	metrics = slices.Clone(metrics)
	for i := range metrics {
		// Any source that counts has the same margins.
		plain, err := presets.Plain(metrics[i], v1alpha1.SourceApp)
		if err != nil {
			return nil, err
		}
		metrics[i] = plain
	}
	for i, metric := range metrics {
		if metric.Ratio == nil {
			continue
		}
		settings, err := ratio{&metric}.settings(oddsOf(v1alpha1.AnalysisRunSpec{Metrics: metrics}, i))
		if err != nil {
			return nil, err
		}
		all = append(all, foresee(metric, settings, traffic))
	}
	return all, nil
}

func foresee(metric v1alpha1.Metric, settings judge.Settings, traffic Traffic) Foresight {
	plan, shares := batchesOf(metric, traffic)
	every, before := interval(metric), metric.FirstAfter()-interval(metric)
	f := Foresight{
		Metric: metric.Name, Detectable: judge.Detectable(settings, plan, traffic.Bad),
		Lasts: before + time.Duration(len(plan))*every,
	}
	for _, factor := range []float64{1.5, 2, 3, 5, 10} {
		if factor*traffic.Bad > 1 {
			continue
		}
		p := Prospect{Factor: factor}
		for i, odds := range judge.Odds(settings, plan, traffic.Bad, factor*traffic.Bad) {
			p.Odds = odds
			if odds >= 0.5 && p.Even == 0 {
				p.Even, p.Share = before+time.Duration(i+1)*every, shares[i]
			}
		}
		f.Prospects = append(f.Prospects, p)
	}
	return f
}

// batchesOf cuts the stages into the batches of a metric, from its delay on and until its count. A batch in which the
// share changes belongs to the stage in which it begins.
func batchesOf(metric v1alpha1.Metric, traffic Traffic) (plan []judge.Load, shares []float64) {
	every := interval(metric)
	most := maxBatches
	if metric.Count != nil {
		most = min(most, int(wanted(metric)))
	}
	end := time.Duration(0)
	at := duration(metric.InitialDelay)
	for _, stage := range traffic.Stages {
		for end += stage.For; every > 0 && at+every <= end && len(plan) < most; at += every {
			requests := traffic.Rate * every.Seconds()
			plan = append(plan, judge.Load{Candidate: requests * stage.Share, Stable: requests * (1 - stage.Share)})
			shares = append(shares, stage.Share)
		}
	}
	return plan, shares
}
