package sim

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// Baseline is the ReplicaSet of a fresh baseline, and the Service that reaches it. There is at most one.
type Baseline struct {
	// Hash of it; empty for none.
	Hash string
	// Desired pods, and those that are ready. All become ready at once: that pods may be slow the revisions show.
	Desired, Ready int32
	// Open is the hash that the Service selects; empty when there is no Service.
	Open string
	// Endpoints is the number of its ready endpoints.
	Endpoints int32
}

// observe adds what an observer would see of the baseline.
func (b Baseline) observe(s *planner.Snapshot) {
	if b.Hash != "" {
		s.Baselines = []planner.Revision{{
			Hash: b.Hash, Desired: b.Desired, Created: b.Ready, Ready: b.Ready, Available: b.Ready,
		}}
	}
	s.Baseline = planner.Service{Name: "web-baseline", Found: b.Open != "", Revision: b.Open}
	if b.Endpoints > 0 {
		s.Baseline.Endpoints = []planner.Endpoints{{Revision: b.Open, Ready: b.Endpoints}}
	}
}

func (w *World) applyToBaseline(a planner.Action) {
	b := &w.Baseline
	switch a := a.(type) {
	case planner.CreateBaseline:
		if b.Hash == "" {
			b.Hash, b.Desired = a.Baseline, a.Replicas
		}
	case planner.ScaleBaseline:
		b.Desired = a.Replicas
	case planner.DeleteBaseline:
		*b = Baseline{Open: b.Open}
	case planner.OpenBaseline:
		b.Open = a.Baseline
	case planner.CloseBaseline:
		b.Open, b.Endpoints = "", 0
	}
}

// baselineSteps are the steps of other controllers for a baseline.
func (w World) baselineSteps() []successor {
	b := w.Baseline
	var out []successor
	add := func(event string, change func(*Baseline)) {
		n := w
		change(&n.Baseline)
		out = append(out, successor{n, event})
	}
	if b.Ready != b.Desired {
		add(fmt.Sprintf("the baseline has %d ready pods", b.Desired), func(n *Baseline) { n.Ready = b.Desired })
	}
	want := int32(0)
	if b.Open != "" && b.Open == b.Hash {
		want = b.Ready
	}
	if b.Endpoints != want {
		add("the baseline's service follows its selector", func(n *Baseline) { n.Endpoints = want })
	}
	return out
}

// hostileToBaseline are deaths of its pods, and deletions by hand.
func (w World) hostileToBaseline() []successor {
	var out []successor
	if w.Budget.Deaths > 0 && w.Baseline.Ready > 0 {
		n := w
		n.Budget.Deaths--
		n.Baseline.Ready--
		out = append(out, successor{n, "a pod of the baseline dies"})
	}
	if w.Budget.Deletions == 0 {
		return out
	}
	if w.Baseline.Hash != "" {
		n := w
		n.Budget.Deletions--
		n.Baseline = Baseline{Open: w.Baseline.Open}
		out = append(out, successor{n, "the baseline is deleted"})
	}
	if w.Baseline.Open != "" {
		n := w
		n.Budget.Deletions--
		n.Baseline.Open, n.Baseline.Endpoints = "", 0
		out = append(out, successor{n, "the baseline's service is deleted"})
	}
	return out
}

// experiments says whether a release is at a step with an experiment.
func (w *World) experiments() bool {
	st := w.State
	return st.Stage == v1alpha1.StageStepping && !st.Full && !w.Leaving.Asked && w.Spec.Steps[w.Spec.StepAt(st.Step)].Baseline
}

// fresh: a baseline is one of the step under way, as large as the candidate is asked to be, and has gone from its Service
// before its pods go.
func fresh(before, _ *World, a planner.Action) string {
	b := before.Baseline
	switch a := a.(type) {
	case planner.CreateBaseline:
		if b.Hash != "" && b.Hash != a.Baseline {
			return "there is " + b.Hash
		}
		return before.unequal(a.Baseline, a.Replicas)
	case planner.OpenBaseline:
		if !before.experiments() {
			return "no step asks for it"
		}
	case planner.ScaleBaseline:
		if a.Replicas > 0 {
			return before.unequal(a.Baseline, a.Replicas)
		}
		return before.reached()
	case planner.DeleteBaseline:
		return before.endsBaseline()
	}
	return ""
}

// endsBaseline says what is wrong with a deletion of the baseline.
func (w *World) endsBaseline() string {
	b := w.Baseline
	switch {
	case w.Leaving.Asked && w.outwaited():
		return ""
	case b.Desired+b.Ready > 0:
		return fmt.Sprintf("%s is deleted with pods", b.Hash)
	}
	return w.reached()
}

// unequal says what is wrong with a size of a baseline, written again here on purpose.
func (w *World) unequal(hash string, size int32) string {
	st := w.State
	if !w.experiments() || hash != fmt.Sprintf("b%d-%s", st.Attempt, st.Stable) {
		return "no step asks for " + hash
	}
	if asked := w.Spec.Steps[w.Spec.StepAt(st.Step)].Replicas; size != asked {
		return fmt.Sprintf("%d pods beside a candidate of %d", size, asked)
	}
	return ""
}

// reached says that the pods of a baseline still have requests by its Service.
func (w *World) reached() string {
	if w.Baseline.Open != "" && w.Baseline.Open == w.Baseline.Hash {
		return "its service is there"
	}
	return ""
}

// apart: at a step with an experiment no write gives the candidate a share. All traffic is none: that is a promotion in full,
// which may follow in the same pass.
func apart(before, after *World, a planner.Action) string {
	if _, ok := a.(planner.SetWeight); ok && before.experiments() && after.Weight > before.Weight && after.Weight < planner.FullWeight {
		return fmt.Sprintf("weight %d in an experiment", after.Weight)
	}
	return ""
}

// tidy says whether there is a baseline only where a step asks for one.
func (w *World) tidy() bool { return w.cleared() == "" || w.experiments() }

// cleared says what is left of a baseline where there should be none.
func (w *World) cleared() string {
	if b := w.Baseline; b.Hash != "" || b.Open != "" {
		return fmt.Sprintf("the baseline %s is left, and the service of %s", b.Hash, b.Open)
	}
	return ""
}

// besides: an experiment is over only with its baseline in place.
func besides(w *World, plan planner.Plan) string {
	if !w.experiments() || !leaves(w, plan) || plan.State.Full || plan.Command != nil || w.Spec.Replicas == 0 || w.stableGone() {
		return ""
	}
	if n := w.Spec.Steps[w.Spec.StepAt(w.State.Step)].Replicas; w.Baseline.Endpoints < n {
		return fmt.Sprintf("it is over with %d of %d endpoints of the baseline", w.Baseline.Endpoints, n)
	}
	return ""
}

// stableGone says whether the ReplicaSet of stable was deleted.
func (w *World) stableGone() bool {
	i := Index(w.State.Stable)
	return i >= 0 && !w.Sets[i].Exists
}
