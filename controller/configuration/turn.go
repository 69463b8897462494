package configuration

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A content that many Rollouts read would release all of them at once, and a bad one would break all of them at once. So
// only a few are released because of it at the same time; the others follow in order of name. Who goes is decided by each
// Rollout for itself from the same list, and a Rollout that is waiting keeps its place also in an old view of it: those
// before it count as if they had begun. So no two views let more than the limit go, and nothing has to be locked.

// Sharer is a Rollout that uses an object, as far as its turn is concerned.
type Sharer struct {
	// Name of the Rollout.
	Name string
	// Releasing says that it is being released because of the object, and does not wait for a person, who may take days.
	Releasing bool
	// Waiting says that its stable revision has another content, and that only its turn keeps it from being released.
	Waiting bool
}

// SharerOf looks at a Rollout that uses an object whose content now has a hash.
func SharerOf(rollout *v1alpha1.Rollout, o Object, hash string) Sharer {
	state := rollout.Status.State
	out := Sharer{Name: rollout.Name}
	switch state.Stage {
	case v1alpha1.StageStepping, v1alpha1.StagePromoting, v1alpha1.StageRetreating:
		out.Releasing = slices.Contains(state.Configuration, o.String()) && !awaitsPerson(rollout)
		return out
	case v1alpha1.StageInitial:
		return out
	case v1alpha1.StageIdle, v1alpha1.StageAborted:
	}
	seen := statusOf(rollout, o)
	out.Waiting = seen.StableHash != "" && seen.StableHash != hash && follows(rollout, o) && !stays(rollout, seen.Hash == hash)
	return out
}

// awaitsPerson says whether a release goes on only when a person says so.
func awaitsPerson(rollout *v1alpha1.Rollout) bool {
	ready := meta.FindStatusCondition(rollout.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return false
	}
	switch ready.Reason {
	case v1alpha1.ReasonAwaitingPromotion, v1alpha1.ReasonAnalysisInconclusive, v1alpha1.ReasonPaused:
		return true
	}
	return false
}

// stays says whether a Rollout at rest will not be released, whether or not it is its turn: until a person does something, or
// because it was released with the content that there is, and aborted.
func stays(rollout *v1alpha1.Rollout, seen bool) bool {
	state := rollout.Status.State
	if rollout.Spec.Paused || rollout.DeletionTimestamp != nil {
		return true
	}
	if state.Stage == v1alpha1.StageAborted {
		return seen && rollout.Status.UpdateRevision == state.Candidate
	}
	return meta.IsStatusConditionTrue(rollout.Status.Conditions, v1alpha1.ConditionStalled)
}

// follows says whether a change of an object is a release of the Rollout.
func follows(rollout *v1alpha1.Rollout, o Object) bool {
	return slices.ContainsFunc(References(rollout.Spec.Configuration), func(r Reference) bool {
		return r.Object == o && r.Copied() && r.Version == ""
	})
}

// statusOf is what the status of a Rollout says of an object.
func statusOf(rollout *v1alpha1.Rollout, o Object) v1alpha1.ConfigurationStatus {
	for _, c := range rollout.Status.Configuration {
		if c.Kind == o.Kind && c.Name == o.Name {
			return c
		}
	}
	return v1alpha1.ConfigurationStatus{}
}

// Wait says why a Rollout may not be released yet because of an object that others use as well; empty when it may. At
// most limit of them are released at the same time.
func Wait(self string, o Object, sharers []Sharer, limit int) string {
	releasing, waiting, before := 0, 0, 0
	for _, s := range sharers {
		switch {
		case s.Name == self:
			waiting++
		case s.Releasing:
			releasing++
		case s.Waiting:
			waiting++
			if strings.Compare(s.Name, self) < 0 {
				before++
			}
		}
	}
	if releasing+before < limit {
		return ""
	}
	return fmt.Sprintf("%s feeds %d Rollouts, of which %d are being released because of it and at most %d may be; this one is number "+
		"%d of %d in the order of names", o, len(sharers), releasing, limit, before+1, waiting)
}
