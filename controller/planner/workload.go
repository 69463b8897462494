package planner

import (
	"fmt"
	"slices"
	"strings"

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

// rememberWorkload keeps the size that the Deployment had, until it has it again and is to keep it.
func (p *pass) rememberWorkload() {
	w := p.Workload
	if w == nil || w.Before == nil || p.plan.WorkloadBefore != nil {
		return
	}
	restored := w.keepsPods() && !w.Unread && w.Replicas >= *w.Before && w.Available >= *w.Before
	if p.Leaving != nil || !restored {
		p.plan.WorkloadBefore = w.Before
	}
}

// keepsPods says whether the pods of the Deployment are none of our business.
func (w *Workload) keepsPods() bool {
	return w.ScaleDown == v1alpha1.WorkloadScaleDownNever || w.ScaleDown == ""
}

// workloadNeeds is how many pods the Deployment must keep.
func (p *pass) workloadNeeds() int32 {
	keeps := p.Workload.Replicas
	switch {
	case p.Workload.keepsPods(), len(p.Problems) > 0:
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

// owesWorkload says whether the Deployment was scaled down, so that it gets its pods back before the Rollout goes.
func (p *pass) owesWorkload() bool { return p.Workload != nil && p.Workload.Before != nil }

// workloadIsBack says whether the Deployment has the pods that it was owed: as many as the Rollout has now, for that is what
// the requests need.
func (p *pass) workloadIsBack() bool {
	return !p.owesWorkload() || !p.Workload.Unread && p.Workload.Available >= p.Spec.Replicas
}

// workloadServes says whether they are behind the active Service, too, once that selects every pod.
func (p *pass) workloadServes() bool {
	return !p.owesWorkload() || !p.Active.Found || p.Active.Foreign >= p.Spec.Replicas
}

// servesAlone says whether pods of ours are the only ones that serve: they would go with the Rollout, and those of the
// Deployment are not there to take their place. That is not done for the sake of time.
func (p *pass) servesAlone() bool {
	if p.workloadIsBack() && p.workloadServes() {
		return false
	}
	return slices.ContainsFunc(p.Revisions, func(r Revision) bool { return r.Ready > 0 })
}

// returnWorkload gives the Deployment its size back.
func (p *pass) returnWorkload() {
	if p.owesWorkload() && !p.Workload.Unread && p.Workload.Replicas < p.Spec.Replicas {
		p.do(ScaleWorkload{Replicas: p.Spec.Replicas})
	}
}

// awaitWorkload says what the Deployment lacks, and after some time that the pods of the Rollout stay because of it.
func (p *pass) awaitWorkload(late bool) {
	w := p.Workload
	lacks := fmt.Sprintf("%d of %s of deployment %s are available", w.Available, pods(p.Spec.Replicas), w.Name)
	if w.Unread {
		lacks = fmt.Sprintf("deployment %s, which is to get its pods back, cannot be read", w.Name)
	}
	lacks += p.warnOfTemplate()
	if late {
		lacks += "; until then the rollout and its pods stay"
	}
	p.plan.Stalled, p.broken = late, late
	p.plan.Why = Why{Reason: v1alpha1.ReasonLeaving, Message: "the rollout is being deleted: " + lacks}
}

// warnOfTemplate says that the Deployment has another template than stable's, if so, and tells of it in an event, once: its
// pods get all traffic, without a step.
func (p *pass) warnOfTemplate() string {
	if p.Workload.Unread || p.state.Stable == "" || p.Target == p.state.Stable {
		return ""
	}
	has := fmt.Sprintf("has the template of %s, and %s is stable", p.Target, p.state.Stable)
	if !strings.Contains(p.LastMessage, has) {
		p.event(true, v1alpha1.ReasonLeaving, fmt.Sprintf("deployment %s %s: its pods get all traffic once they are available; to keep %s, "+
			"put its template back into the deployment", p.Workload.Name, has, p.state.Stable))
	}
	return "; it " + has
}
