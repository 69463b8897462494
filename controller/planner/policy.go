package planner

import (
	"fmt"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Policy is what becomes of a release by the verdict of an analysis, or when it cannot be measured.
type Policy struct {
	// OnFailed, OnInconclusive and OnError as in the API. The zero values are Abort, Hold and Hold.
	OnFailed, OnInconclusive, OnError Reaction
}

// Reaction is an action, which a Hold may change after a time.
type Reaction struct {
	// Do at once; empty for the default.
	Do v1alpha1.ReactionAction
	// For is how long a Hold lasts; 0 is until a person decides.
	For time.Duration
	// Then follows a Hold that has a time.
	Then v1alpha1.ReactionAction
}

// policyOf compiles what the spec says of an analysis.
func policyOf(a *v1alpha1.Analysis) Policy {
	if a == nil {
		return Policy{}
	}
	return Policy{OnFailed: reactionOf(a.OnFailed), OnInconclusive: reactionOf(a.OnInconclusive), OnError: reactionOf(a.OnError)}
}

func reactionOf(r *v1alpha1.Reaction) Reaction {
	switch {
	case r == nil:
		return Reaction{}
	case r.TimeLimit == nil:
		return Reaction{Do: r.Action}
	}
	return Reaction{Do: r.Action, For: r.TimeLimit.Duration, Then: r.Then}
}

// policies are those of all analyses of a spec that differ from the default, by gate; nil when none does.
func policies(spec *v1alpha1.RolloutSpec) map[string]Policy {
	gates := []string{GateBackground, GatePrePromotion, GatePostPromotion}
	if spec.Strategy.Canary != nil {
		for i := range spec.Strategy.Canary.Steps {
			gates = append(gates, StepGate(i))
		}
	}
	var out map[string]Policy
	for _, gate := range gates {
		if policy := policyOf(GateAnalysis(spec, gate)); policy != (Policy{}) {
			if out == nil {
				out = map[string]Policy{}
			}
			out[gate] = policy
		}
	}
	return out
}

// PolicyOf is that of the analysis of a gate.
func (s Spec) PolicyOf(gate string) Policy { return s.Policies[gate] }

// reaction is what applies to an analysis as it is, and since when; false while nothing is amiss, or once it has passed.
func (p *pass) reaction(a Analysis) (r Reaction, since time.Time, amiss bool) {
	policy := p.Spec.PolicyOf(a.Gate)
	switch a.Phase {
	case v1alpha1.AnalysisFailed:
		r, since = policy.OnFailed, a.EndedAt
		if r.Do == "" {
			r.Do = v1alpha1.ReactionAbort
		}
		return r, since, true
	case v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisStopped:
		r, since = policy.OnInconclusive, a.EndedAt
	case v1alpha1.AnalysisPassed:
		return Reaction{}, time.Time{}, false
	case v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
		r, since = policy.OnError, a.FaultyAt
		if a.FaultyAt.IsZero() {
			return Reaction{}, time.Time{}, false
		}
	}
	if r.Do == "" {
		r.Do = v1alpha1.ReactionHold
	}
	return r, since, true
}

// outcome is what becomes of the release by an analysis now. Times count from what is persisted in the AnalysisRun; where
// there is none, nothing ends by itself.
func (p *pass) outcome(a Analysis) v1alpha1.ReactionAction {
	r, since, amiss := p.reaction(a)
	switch {
	case a.Phase == v1alpha1.AnalysisPassed:
		return v1alpha1.ReactionContinue
	case !amiss:
		return v1alpha1.ReactionHold
	case r.Do != v1alpha1.ReactionHold:
		return r.Do
	case p.overruled(a):
		return v1alpha1.ReactionContinue
	case r.For == 0 || since.IsZero():
		return v1alpha1.ReactionHold
	case p.Now.Before(since.Add(r.For)):
		p.wakeAt(since.Add(r.For))
		return v1alpha1.ReactionHold
	}
	return r.Then
}

// overruled says whether a person has promoted since an analysis ended without passing.
func (p *pass) overruled(a Analysis) bool {
	return a.Phase.Ended() && !p.state.PromotedAt.IsZero() && !p.state.PromotedAt.Time.Before(a.EndedAt)
}

// until says when a hold ends by itself, and how; empty when it does not.
func (p *pass) until(a Analysis) string {
	r, since, amiss := p.reaction(a)
	if !amiss || r.Do != v1alpha1.ReactionHold || r.For == 0 || since.IsZero() {
		return ""
	}
	what := "the release goes on"
	if r.Then == v1alpha1.ReactionAbort {
		what = "it is aborted"
	}
	return fmt.Sprintf("; at %s %s", since.Add(r.For).UTC().Format(time.RFC3339), what)
}

// judged retreats when an analysis asks for that: at once when it has failed by default, or when a hold has lasted long enough.
func (p *pass) judged() bool {
	for _, a := range p.Analyses {
		r, _, _ := p.reaction(a)
		// That of a step which was skipped just then counts too; a hold is one of the present step, or beside the steps.
		present := a.Phase == v1alpha1.AnalysisFailed && r.Do == v1alpha1.ReactionAbort || p.wanted(a)
		if a.Round != p.state.Round || !present || p.outcome(a) != v1alpha1.ReactionAbort {
			continue
		}
		switch {
		case a.Phase == v1alpha1.AnalysisFailed:
			p.retreat(v1alpha1.ReasonAnalysisFailed, fmt.Sprintf("analysis %s failed at %s: %s", a.Gate, p.position(), a.Message))
		case a.Phase.Ended():
			p.retreat(v1alpha1.ReasonAnalysisInconclusive, fmt.Sprintf("analysis %s ended %s at %s%s", a.Gate, a.Phase, p.position(),
				because(a.Message)))
		default:
			p.retreat(v1alpha1.ReasonAnalysisNotMeasured, fmt.Sprintf("analysis %s could not be measured for %s at %s%s", a.Gate, r.For,
				p.position(), because(a.Message)))
		}
		return true
	}
	return false
}
