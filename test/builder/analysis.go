package builder

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// MetricBuilder makes a metric.
type MetricBuilder struct {
	metric v1alpha1.Metric
}

// Metric starts one that asks Prometheus a query, and has succeeded when the result is 0.95 or more.
func Metric(name, query string) *MetricBuilder {
	return &MetricBuilder{metric: v1alpha1.Metric{
		Name:             name,
		SuccessCondition: "result >= 0.95",
		Provider:         v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{Query: query}},
	}}
}

// Failure sets the condition of failure; empty for none.
func (b *MetricBuilder) Failure(condition string) *MetricBuilder {
	b.metric.FailureCondition = condition
	return b
}

// Every sets the time between measurements.
func (b *MetricBuilder) Every(interval time.Duration) *MetricBuilder {
	b.metric.Interval = &metav1.Duration{Duration: interval}
	return b
}

// After sets the time before the first measurement.
func (b *MetricBuilder) After(delay time.Duration) *MetricBuilder {
	b.metric.InitialDelay = &metav1.Duration{Duration: delay}
	return b
}

// Count sets the number of measurements.
func (b *MetricBuilder) Count(n int32) *MetricBuilder {
	b.metric.Count = ptr.To(n)
	return b
}

// FailureLimit sets how many measurements may fail.
func (b *MetricBuilder) FailureLimit(n int32) *MetricBuilder {
	b.metric.FailureLimit = n
	return b
}

// Address sets the Prometheus server.
func (b *MetricBuilder) Address(url string) *MetricBuilder {
	b.metric.Provider.Prometheus.Address = url
	return b
}

// Obj returns the metric.
func (b *MetricBuilder) Obj() v1alpha1.Metric { return *b.metric.DeepCopy() }

// AnalysisTemplateBuilder makes an AnalysisTemplate.
type AnalysisTemplateBuilder struct {
	meta metav1.ObjectMeta
	spec v1alpha1.AnalysisTemplateSpec
}

// AnalysisTemplate starts one of the given metrics.
func AnalysisTemplate(name string, metrics ...*MetricBuilder) *AnalysisTemplateBuilder {
	b := &AnalysisTemplateBuilder{meta: metav1.ObjectMeta{Name: name}}
	for _, metric := range metrics {
		b.spec.Metrics = append(b.spec.Metrics, metric.Obj())
	}
	return b
}

// Namespace puts the template into a namespace.
func (b *AnalysisTemplateBuilder) Namespace(namespace string) *AnalysisTemplateBuilder {
	b.meta.Namespace = namespace
	return b
}

// Arg declares an argument that must be given.
func (b *AnalysisTemplateBuilder) Arg(name string) *AnalysisTemplateBuilder {
	b.spec.Args = append(b.spec.Args, v1alpha1.Argument{Name: name})
	return b
}

// Obj returns an AnalysisTemplate.
func (b *AnalysisTemplateBuilder) Obj() *v1alpha1.AnalysisTemplate {
	return &v1alpha1.AnalysisTemplate{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AnalysisTemplate"},
		ObjectMeta: *b.meta.DeepCopy(),
		Spec:       *b.spec.DeepCopy(),
	}
}

// AnalysisRunBuilder makes an AnalysisRun.
type AnalysisRunBuilder struct {
	run v1alpha1.AnalysisRun
}

// AnalysisRun starts one of the given metrics, as a person makes it by hand.
func AnalysisRun(name string, metrics ...*MetricBuilder) *AnalysisRunBuilder {
	b := &AnalysisRunBuilder{run: v1alpha1.AnalysisRun{
		TypeMeta: metav1.TypeMeta{
			APIVersion: v1alpha1.GroupVersion.String(),
			Kind:       v1alpha1.AnalysisRunKind,
		},
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}}
	for _, metric := range metrics {
		b.run.Spec.Metrics = append(b.run.Spec.Metrics, metric.Obj())
	}
	return b
}

// Namespace puts the run into a namespace.
func (b *AnalysisRunBuilder) Namespace(namespace string) *AnalysisRunBuilder {
	b.run.Namespace = namespace
	return b
}

// For says which release asked for the run, and at which of its gates.
func (b *AnalysisRunBuilder) For(rollout, revision, gate string) *AnalysisRunBuilder {
	b.run.Spec.Rollout, b.run.Spec.Revision, b.run.Spec.Gate = rollout, revision, gate
	b.run.Labels = map[string]string{v1alpha1.LabelRollout: rollout, v1alpha1.LabelRevision: revision}
	return b
}

// Arg gives an argument.
func (b *AnalysisRunBuilder) Arg(name, value string) *AnalysisRunBuilder {
	b.run.Spec.Args = append(b.run.Spec.Args, v1alpha1.Argument{Name: name, Value: ptr.To(value)})
	return b
}

// Obj returns the run.
func (b *AnalysisRunBuilder) Obj() *v1alpha1.AnalysisRun { return b.run.DeepCopy() }
