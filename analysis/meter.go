package analysis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Meter takes measurements: it puts arguments in place, asks the provider, and compares with the conditions.
type Meter struct {
	// Provider answers queries.
	Provider Provider
	// Conditions judge the answers.
	Conditions *Conditions
	// Pods gives the pods of a revision in the namespace of the run; nil where there is no cluster.
	Pods Pods
	// Secrets reads values in the namespace of the run; nil where there are none to read.
	Secrets Secrets
}

// Measure takes one measurement of the metric with this index in the spec, for the moment now. Whatever goes wrong
// becomes a measurement too, that says so.
func (m Meter) Measure(
	ctx context.Context, spec v1alpha1.AnalysisRunSpec, status v1alpha1.AnalysisRunStatus, index int, now time.Time,
) Measured {
	metric := spec.Metrics[index]
	next, ok := restAfter(spec.Shifts, from(metric, status, index))
	if !ok {
		next = rest{span: span{from: now}} // nothing to count until traffic rests
	}
	due := upcoming{rest: next, left: leftOf(spec, status, index)}
	seen := &disclosed{}
	m.Secrets = seen.by(m.Secrets)
	taken, err := m.measure(ctx, spec, metric, due, now)
	if err != nil {
		taken.Measurement = refused(below(fmt.Sprintf("spec.metrics[%d]", index), err))
	}
	taken.Measurement.Message = seen.hide(taken.Measurement.Message)
	taken.Metric, taken.Measurement.At = metric.Name, metav1.NewMicroTime(now)
	return taken
}

// measure takes a measurement with a figure, or says why there is none. A batch is the one that is due.
func (m Meter) measure(
	ctx context.Context, spec v1alpha1.AnalysisRunSpec, metric v1alpha1.Metric, due upcoming, now time.Time,
) (taken Measured, err error) {
	placed, err := secretsOf(spec.Args).place(metric)
	if err != nil {
		return taken, err
	}
	expanded, err := Expand(placed, valuesOf(spec.Args))
	if err != nil {
		return taken, err
	}
	if err := m.Conditions.Check(expanded); err != nil {
		return taken, err
	}
	kind := kindOf(&expanded)
	switch {
	case kind != nil:
		taken.Measurement, taken.Counted, err = m.count(ctx, kind, due, now)
	case expanded.Kubernetes != nil:
		taken.Measurement, taken.Pods, err = m.watch(ctx, spec.Revision)
	default:
		taken.Measurement, err = m.figure(ctx, expanded, now)
	}
	return taken, err
}

// figure asks for one number and compares it with the conditions.
func (m Meter) figure(ctx context.Context, metric v1alpha1.Metric, now time.Time) (v1alpha1.Measurement, error) {
	reading, err := m.Provider.Measure(ctx, Query{Source: metric.Provider, At: now, Secrets: m.Secrets})
	if err != nil {
		return v1alpha1.Measurement{}, err
	}
	if absent := nothing(reading); absent != nil {
		return v1alpha1.Measurement{}, absent
	}
	state, err := m.Conditions.Evaluate(metric, reading.Value)
	if err != nil {
		return v1alpha1.Measurement{}, err
	}
	return v1alpha1.Measurement{State: state, Value: formatValue(reading.Value)}, nil
}

// nothing says why an answer holds no number, or one that may be wrong because parts of the data were not read; nil when it
// holds one.
func nothing(reading Reading) error {
	var message string
	switch {
	case !reading.Found:
		message = "no data: the query found nothing; check that it selects series that exist"
	case math.IsNaN(reading.Value), math.IsInf(reading.Value, 0):
		message = fmt.Sprintf("no data: the query gave %v, as a quotient does when nothing was counted", reading.Value)
	case len(reading.Warnings) > 0:
		return &Fault{
			Reason: v1alpha1.ReasonPartial, Field: "provider", Message: "the answer may not be whole, and decides nothing; " + warnings(reading),
		}
	default:
		return nil
	}
	if warned := warnings(reading); warned != "" {
		message += "; " + warned
	}
	return &Fault{Reason: v1alpha1.ReasonNoData, Field: "provider", Message: message}
}

// refused is a measurement without a figure.
func refused(err error) v1alpha1.Measurement {
	reason := v1alpha1.ReasonProviderUnreachable
	var fault *Fault
	if errors.As(err, &fault) && fault.Reason != "" {
		reason = fault.Reason
	}
	state := v1alpha1.MeasurementError
	switch reason {
	case v1alpha1.ReasonNoData, v1alpha1.ReasonNoCanaryTraffic, v1alpha1.ReasonNoBaseline, v1alpha1.ReasonStale,
		v1alpha1.ReasonPartial:
		state = v1alpha1.MeasurementNoData
	}
	return v1alpha1.Measurement{State: state, Reason: reason, Message: clip(err.Error(), maxMessage)}
}

// warnings are what a server wants people to know about its answer, on one line.
func warnings(reading Reading) string {
	if len(reading.Warnings) == 0 {
		return ""
	}
	return clip("warning: "+strings.Join(reading.Warnings, "; "), maxMessage)
}

// valuesOf gives the values of the arguments of a run.
func valuesOf(args []v1alpha1.Argument) Values {
	values := Values{}
	for _, arg := range args {
		if arg.Value != nil {
			values[arg.Name] = *arg.Value
		}
	}
	return values
}
