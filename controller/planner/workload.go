package planner

import (
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Workload is the Deployment that the template comes from, and its own pods.
type Workload struct {
	// Name of the Deployment.
	Name string
	// ScaleDown says what becomes of its pods.
	ScaleDown v1alpha1.WorkloadScaleDown
	// Replicas is the number of pods that it asks for, and Available how many of them are available.
	Replicas, Available int32
	// Before is how many it asked for before it was scaled down; nil when it was not.
	Before *int32
	// Unread says that it cannot be read: it may be there, and nothing but its name and Before is known.
	Unread bool
}

// ScaleWorkload sets the size of the Deployment that the template comes from.
type ScaleWorkload struct {
	// Replicas is its new size.
	Replicas int32
}

func (ScaleWorkload) action() {}

// String says what the action does.
func (a ScaleWorkload) String() string { return "scale the workload to " + pods(a.Replicas) }

// scaleWorkload takes the pods of the Deployment away, once ours do their work: one for each of the first revision that is
// available and, where there is a Service, a ready endpoint of it; and the rest when the revision has all traffic. The
// size that it had is persisted before.
func (p *pass) scaleWorkload() {
	w := p.Workload
	if w == nil {
		return
	}
	want := p.workloadNeeds()
	if want >= w.Replicas {
		return
	}
	if w.Before == nil {
		p.plan.WorkloadBefore = ptr.To(w.Replicas)
		p.wakeAt(p.Now)
		return
	}
	p.do(ScaleWorkload{Replicas: want})
}

// workloadNeeds is how many pods the Deployment must keep.
func (p *pass) workloadNeeds() int32 {
	keeps := p.Workload.Replicas
	switch {
	case p.Workload.ScaleDown == v1alpha1.WorkloadScaleDownNever, p.Workload.ScaleDown == "", len(p.Problems) > 0:
		return keeps
	case p.plan.Settled:
		return max(0, p.Spec.Replicas-p.working(p.state.Stable))
	case p.Workload.ScaleDown == v1alpha1.WorkloadScaleDownProgressively && p.state.Stage == v1alpha1.StageInitial:
		return max(0, p.Spec.Replicas-p.working(p.state.Candidate))
	}
	return keeps
}

// working is the number of pods of a revision that take requests.
func (p *pass) working(hash string) int32 {
	r := p.revision(hash)
	if p.Active.Name == "" {
		return r.steady()
	}
	return min(r.steady(), p.Active.ready(hash))
}

// bringsWorkloadBack gives the Deployment its pods again before a Rollout goes that has taken them: as many as the Rollout
// has now, for that is what the requests need. It returns true once they take requests.
func (p *pass) bringsWorkloadBack() bool {
	w := p.Workload
	if w == nil || w.Before == nil {
		return true
	}
	if w.Unread {
		p.why(v1alpha1.ReasonLeaving, "the rollout is being deleted: deployment %s, which is to get its pods back, cannot be read", w.Name)
		return false
	}
	need := p.Spec.Replicas
	if w.Replicas < need {
		p.do(ScaleWorkload{Replicas: need})
	}
	if w.Available < need {
		p.why(v1alpha1.ReasonLeaving, "the rollout is being deleted: %d of %s of deployment %s are available", w.Available,
			pods(need), w.Name)
		return false
	}
	return true
}

// workloadServes says whether the pods that a Deployment got back are behind the active Service.
func (p *pass) workloadServes() bool {
	if p.Workload == nil || p.Workload.Before == nil || !p.Active.Found {
		return true
	}
	return p.Active.Foreign >= min(p.Spec.Replicas, p.Workload.Available)
}
