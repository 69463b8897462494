package builder

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// StepBuilder makes a step of a canary.
type StepBuilder struct {
	step v1alpha1.CanaryStep
}

// Step starts one that says nothing yet, which the API server refuses.
func Step() *StepBuilder { return &StepBuilder{} }

// Weight sets the percentage of traffic: "20" becomes a number, "12.5" stays a string.
func (b *StepBuilder) Weight(percent string) *StepBuilder {
	b.step.Weight = ptr.To(intstr.Parse(percent))
	return b
}

// Replicas sets the number of candidate pods.
func (b *StepBuilder) Replicas(n int32) *StepBuilder {
	b.step.Replicas = ptr.To(n)
	return b
}

// Experiment runs so many pods of the candidate beside as many of a fresh baseline. A pause and an analysis that come after it
// are those of the experiment.
func (b *StepBuilder) Experiment(n int32) *StepBuilder {
	b.step.Experiment = &v1alpha1.Experiment{Replicas: &n}
	return b
}

// Pause holds for a duration.
func (b *StepBuilder) Pause(d time.Duration) *StepBuilder {
	if b.step.Experiment != nil {
		b.step.Experiment.Duration = &metav1.Duration{Duration: d}
		return b
	}
	b.step.Pause = &v1alpha1.Pause{Duration: &metav1.Duration{Duration: d}}
	return b
}

// Hold waits until a person promotes.
func (b *StepBuilder) Hold() *StepBuilder {
	b.step.Pause = &v1alpha1.Pause{}
	return b
}

// Analysis measures with AnalysisTemplates of the namespace.
func (b *StepBuilder) Analysis(templates ...string) *StepBuilder {
	if b.step.Experiment != nil {
		b.step.Experiment.Analysis = Analysis(templates...)
		return b
	}
	b.step.Analysis = Analysis(templates...)
	return b
}

// Obj returns the step.
func (b *StepBuilder) Obj() v1alpha1.CanaryStep { return *b.step.DeepCopy() }

// Analysis names AnalysisTemplates of the namespace.
func Analysis(templates ...string) *v1alpha1.Analysis {
	analysis := &v1alpha1.Analysis{}
	for _, name := range templates {
		analysis.Templates = append(analysis.Templates, v1alpha1.AnalysisTemplateReference{
			Kind: v1alpha1.DefaultTemplateKind, Name: name,
		})
	}
	return analysis
}

// Header sends requests with a header to the candidate, whatever the weight; with an empty name those that were sent go by
// weight again.
func (b *StepBuilder) Header(name, value string) *StepBuilder {
	b.step.Match = []v1alpha1.RequestMatch{}
	if name != "" {
		b.step.Match = append(b.step.Match, v1alpha1.RequestMatch{
			Headers: []v1alpha1.ValueMatch{{Type: v1alpha1.MatchExact, Name: name, Value: value}},
		})
	}
	return b
}

// Mirror sends the candidate copies of so many percent of the requests.
func (b *StepBuilder) Mirror(percent int32) *StepBuilder {
	b.step.Mirror = &v1alpha1.Mirror{Percent: &percent}
	return b
}
