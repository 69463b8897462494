package planner

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Mode is how traffic moves.
type Mode string

const (
	// Ratio: the share of a revision is its share of the pods behind one Service.
	Ratio Mode = "Ratio"
	// Switch: the active Service selects one revision or the other.
	Switch Mode = "Switch"
	// Routed: the weights of routes share traffic between the active and the standby Service.
	Routed Mode = "Routed"
)

// Spec is the spec of a Rollout in plain values: what Compile makes of it.
type Spec struct {
	// Replicas is the number of pods that serve when no release is under way.
	Replicas int32
	// Paused holds the release where it is.
	Paused bool
	// HistoryLimit is how many earlier revisions are kept.
	HistoryLimit int32
	// Deadline is how long a release may go without progress.
	Deadline time.Duration
	// Mode is how traffic moves.
	Mode Mode
	// Steps are taken in order. There is at least one.
	Steps []Step
	// Overlays are the different overlays of steps, with none as the first. Nil stands for none.
	Overlays []v1alpha1.Overlay
	// Surge is how many pods there may be above Replicas, in Ratio mode.
	Surge int32
	// Unavailable is how many of Replicas may be unavailable.
	Unavailable int32
	// Exclusive says that pods of two revisions never run at the same time.
	Exclusive bool
	// Proportional says that stable shrinks behind its share of traffic.
	Proportional bool
	// MinPods is the least number of pods of a revision that has traffic; never more than Replicas count.
	MinPods int32
	// ScaleDownDelay is how long the pods of the old stable stay after a promotion.
	ScaleDownDelay time.Duration
	// Window is how many of the revisions that were stable before go out without steps.
	Window int32
	// QuickReturn says that one whose pods all still run does so whatever Window says.
	QuickReturn bool
	// Policies are those of analyses, by gate, that differ from the default: Abort when failed, Hold otherwise.
	Policies map[string]Policy
	// Background is the index of the step from which the background analysis runs; NoBackground when there is none.
	Background int32
	// Settle is how long the data plane is given after the API has reported a change of traffic.
	Settle time.Duration
}

// NoBackground says that there is no background analysis.
const NoBackground int32 = -1

// WhatTheWeightNeeds, as the replicas of a step, asks for the pods that the weight of the step needs.
const WhatTheWeightNeeds int32 = -1

// AllReplicas, as the replicas of a step, asks for as many pods as the Rollout has replicas.
const AllReplicas int32 = -2

// StepAt is the index of the step that a release is at: the last one when the list became shorter than what it had
// reached. What it had reached stays in its state, so that it never goes back.
func (s Spec) StepAt(reached int32) int32 { return min(reached, int32(len(s.Steps))-1) }

// WeightsFrom is at how many weights in a row the candidate is from a step on; 0 without such a step.
func (s Spec) WeightsFrom(first int32) int {
	weights := 0
	for i := max(first, 0); int(i) < len(s.Steps); i++ {
		if weights == 0 || s.Steps[i].Weight != s.Steps[i-1].Weight {
			weights++
		}
	}
	return weights
}

// Step is a target share of traffic, the capacity it needs, and the gates before the next step.
type Step struct {
	// Weight of the candidate in tenths of a percent, 0 to 1000.
	Weight int32
	// Overlay is the index, among Spec.Overlays, of what is laid over the weight.
	Overlay int32
	// Replicas of the candidate: a number, WhatTheWeightNeeds or AllReplicas.
	Replicas int32
	// Probe is how many requests have to confirm the weight before the gates begin; 0 asks for none.
	Probe int32
	// Baseline says that a fresh baseline with as many pods runs beside the candidate.
	Baseline bool
	// Gates must all hold before the next step.
	Gates []Gate
}

// OverlayOf is what a step lays over its weight.
func (s Spec) OverlayOf(step Step) v1alpha1.Overlay { return s.Overlay(step.Overlay) }

// Overlay is the one with an index; none for one that the spec does not have.
func (s Spec) Overlay(index int32) v1alpha1.Overlay {
	if index < 0 || int(index) >= len(s.Overlays) {
		return v1alpha1.Overlay{}
	}
	return s.Overlays[index]
}

// GateKind is a kind of gate.
type GateKind string

const (
	// PauseGate holds until its duration has passed, or a person promotes.
	PauseGate GateKind = "pause"
	// PersonGate holds until a person promotes.
	PersonGate GateKind = "person"
	// AnalysisGate holds until its analysis has passed.
	AnalysisGate GateKind = "analysis"
)

// Gate must hold before the next step.
type Gate struct {
	// Kind of the gate.
	Kind GateKind
	// Duration of a PauseGate.
	Duration time.Duration
	// Name of an AnalysisGate, as AnalysisRun.spec.gate has it.
	Name string
}

// Names of the gates that are analyses; those of canary steps come from StepGate.
const (
	// GateBackground is the analysis beside the steps.
	GateBackground = "background"
	// GatePrePromotion is the analysis before a blue/green switch.
	GatePrePromotion = "pre-promotion"
	// GatePostPromotion is the analysis after a blue/green switch.
	GatePostPromotion = "post-promotion"
)

// StepGate is the name of the analysis of a canary step. The index counts from 0, and the name, for people, from 1.
func StepGate(index int) string { return fmt.Sprintf("step-%d", index+1) }

// GateAnalysis returns what the spec says about the analysis of a gate; nil when there is none.
func GateAnalysis(spec *v1alpha1.RolloutSpec, gate string) *v1alpha1.Analysis {
	switch {
	case spec.Strategy.BlueGreen != nil && gate == GatePrePromotion:
		return spec.Strategy.BlueGreen.PrePromotionAnalysis
	case spec.Strategy.BlueGreen != nil && gate == GatePostPromotion:
		return spec.Strategy.BlueGreen.PostPromotionAnalysis
	case spec.Strategy.Canary == nil:
		return nil
	case gate == GateBackground:
		if background := spec.Strategy.Canary.Analysis; background != nil {
			return &background.Analysis
		}
		return nil
	}
	step := stepOfGate(spec, gate)
	switch {
	case step == nil:
		return nil
	case step.Experiment != nil:
		return step.Experiment.Analysis
	}
	return step.Analysis
}

// stepOfGate is the step of a canary whose analysis has a gate; nil when there is none.
func stepOfGate(spec *v1alpha1.RolloutSpec, gate string) *v1alpha1.CanaryStep {
	if spec.Strategy.Canary == nil {
		return nil
	}
	for i := range spec.Strategy.Canary.Steps {
		if StepGate(i) == gate {
			return &spec.Strategy.Canary.Steps[i]
		}
	}
	return nil
}

// HasBaseline says whether the analysis of a gate is that of an experiment.
func HasBaseline(spec *v1alpha1.RolloutSpec, gate string) bool {
	step := stepOfGate(spec, gate)
	return step != nil && step.Experiment != nil
}

// Compile turns a spec into plain values and its strategy into one list of steps. The spec must be valid: what the
// schema and v1alpha1.ValidateRollout refuse may give an error or a step list that makes no sense.
func Compile(spec *v1alpha1.RolloutSpec, settle time.Duration) (Spec, error) {
	out := Spec{
		Replicas:       spec.ReplicasOrDefault(),
		Paused:         spec.Paused,
		HistoryLimit:   spec.HistoryLimit(),
		Deadline:       spec.ProgressDeadline(),
		Mode:           Ratio,
		Background:     NoBackground,
		ScaleDownDelay: spec.ScaleDownDelay(),
		Settle:         settle,
	}
	if spec.UsesRoutes() {
		out.Mode = Routed
		out.Settle = ptr.Deref(spec.Traffic.SettleTime, metav1.Duration{Duration: settle}).Duration
	}
	out.Policies = policies(spec)
	if spec.RollbackWindow != nil {
		out.Window = spec.RollbackWindow.Revisions
	}
	surge, unavailable, err := spec.SurgeAndUnavailable(out.Replicas)
	if err != nil {
		return Spec{}, err
	}
	out.Surge, out.Unavailable = surge, min(unavailable, out.Replicas)
	out, err = compileStrategy(out, spec)
	if err == nil && out.Mode == Routed && spec.Traffic.Probe != nil {
		before := int32(0)
		for i := range out.Steps {
			out.Steps[i].Probe = spec.Traffic.Probe.RequestsFor(before, out.Steps[i].Weight)
			before = out.Steps[i].Weight
		}
	}
	return out, err
}

// compileStrategy makes one list of steps of whichever strategy a spec has.
func compileStrategy(out Spec, spec *v1alpha1.RolloutSpec) (Spec, error) {
	switch strategy := spec.Strategy; {
	case strategy.Canary != nil:
		var ofStep []int32
		if out.Mode == Routed {
			out.Overlays, ofStep = spec.Overlays()
		}
		return compileCanary(out, strategy.Canary, ofStep)
	case strategy.BlueGreen != nil:
		return compileBlueGreen(out, strategy.BlueGreen), nil
	case strategy.RollingUpdate != nil:
		out.Steps = []Step{{Weight: FullWeight, Replicas: WhatTheWeightNeeds}}
		return out, nil
	case strategy.Recreate != nil:
		out.Steps = []Step{{Weight: FullWeight, Replicas: WhatTheWeightNeeds}}
		out.Exclusive = true
		out.Unavailable = out.Replicas
		return out, nil
	}
	return Spec{}, fmt.Errorf("spec.strategy: set one of canary, blueGreen, rollingUpdate or recreate")
}

// compileCanary compiles steps. A step that sets a weight without replicas asks for the pods that the weight needs;
// whatever else it leaves out stays as it was.
func compileCanary(out Spec, canary *v1alpha1.CanaryStrategy, overlays []int32) (Spec, error) {
	current := Step{Replicas: WhatTheWeightNeeds}
	for i, step := range canary.Steps {
		if step.Weight != nil {
			weight, err := v1alpha1.ParseWeight(*step.Weight)
			if err != nil {
				return Spec{}, fmt.Errorf("spec.strategy.canary.steps[%d].weight: %w", i, err)
			}
			current.Weight, current.Replicas = weight, WhatTheWeightNeeds
		}
		if step.Replicas != nil {
			current.Replicas = *step.Replicas
		}
		if i < len(overlays) {
			current.Overlay = overlays[i]
		}
		current.Gates = stepGates(i, step)
		compiled := current
		if step.Experiment != nil {
			compiled = compileExperiment(current, i, step.Experiment)
		}
		out.Steps = append(out.Steps, compiled)
	}
	if canary.Analysis != nil {
		out.Background = canary.Analysis.StartingStep
	}
	if out.Mode == Routed {
		out.Proportional = canary.StableCapacity == v1alpha1.StableCapacityProportional
		out.MinPods = ptr.Deref(canary.MinPodsPerReplicaSet, 0)
	}
	return out, nil
}

func stepGates(index int, step v1alpha1.CanaryStep) []Gate {
	var gates []Gate
	if step.Pause != nil {
		gates = append(gates, pauseGate(step.Pause.Duration))
	}
	if step.Analysis != nil {
		gates = append(gates, Gate{Kind: AnalysisGate, Name: StepGate(index)})
	}
	return gates
}

func pauseGate(duration *metav1.Duration) Gate {
	if duration == nil {
		return Gate{Kind: PersonGate}
	}
	return Gate{Kind: PauseGate, Duration: duration.Duration}
}

// compileBlueGreen compiles to two steps: the candidate beside stable without traffic, then all traffic on it.
func compileBlueGreen(out Spec, blueGreen *v1alpha1.BlueGreenStrategy) Spec {
	if out.Mode == Ratio {
		out.Mode = Switch
	}
	preview := Step{Weight: 0, Replicas: AllReplicas}
	if blueGreen.PreviewReplicas != nil {
		preview.Replicas = *blueGreen.PreviewReplicas
	}
	switch {
	case blueGreen.AutoPromote != nil && !*blueGreen.AutoPromote:
		preview.Gates = append(preview.Gates, Gate{Kind: PersonGate})
	case blueGreen.AutoPromoteAfter != nil:
		preview.Gates = append(preview.Gates, pauseGate(blueGreen.AutoPromoteAfter))
	}
	if blueGreen.PrePromotionAnalysis != nil {
		preview.Gates = append(preview.Gates, Gate{Kind: AnalysisGate, Name: GatePrePromotion})
	}
	all := Step{Weight: FullWeight, Replicas: AllReplicas}
	if blueGreen.PostPromotionAnalysis != nil {
		all.Gates = append(all.Gates, Gate{Kind: AnalysisGate, Name: GatePostPromotion})
	}
	out.Steps, out.QuickReturn = []Step{preview, all}, true
	return out
}
