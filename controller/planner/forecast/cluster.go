package forecast

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner"
)

// cluster is a Snapshot that changes: a small cluster in which everything goes well.
type cluster struct {
	planner.Snapshot
	start Start
	// pods of each revision, the oldest first.
	pods map[string][]batch
	// ends says when running analyses pass, by gate.
	ends map[string]time.Time
	// helped is the state in which people have helped last, and resumed says that they took back spec.paused.
	helped  v1alpha1.RolloutState
	resumed bool
}

// batch is a number of pods that were created together.
type batch struct {
	count int32
	// ready and available are since when they are, or will be.
	ready, available time.Time
}

// newCluster begins with the pods that a snapshot counts. How long those that are not available have existed is not
// known: those that are ready are taken to be available now, which is the least.
func newCluster(start Start) *cluster {
	c := &cluster{Snapshot: start.Snapshot, start: start, pods: map[string][]batch{}, ends: map[string]time.Time{}}
	c.Problems = nil
	c.Revisions, c.Baselines = slices.Clone(c.Revisions), slices.Clone(c.Baselines)
	c.Analyses = slices.Clone(c.Analyses)
	for i := range c.Revisions {
		c.begin(&c.Revisions[i])
	}
	for i := range c.Baselines {
		c.begin(&c.Baselines[i])
	}
	for _, a := range c.Analyses {
		if !a.Phase.Ended() {
			c.ends[a.Gate] = c.Now.Add(start.Left[a.Gate])
		}
	}
	c.follow()
	return c
}

// begin takes over the pods that a snapshot counts.
func (c *cluster) begin(r *planner.Revision) {
	r.Hindered, r.Terminating, r.Outdated, r.OutdatedAvailable = "", 0, 0, 0
	if r.Ready > 0 {
		c.pods[r.Hash] = append(c.pods[r.Hash], batch{r.Ready, c.Now, c.Now})
	}
	if young := r.Created - r.Ready; young > 0 {
		c.pods[r.Hash] = append(c.pods[r.Hash], c.born(young))
	}
}

// born are pods that are created now.
func (c *cluster) born(count int32) batch {
	ready := c.Now.Add(c.start.PodStart)
	return batch{count, ready, ready.Add(c.start.MinReady)}
}

// carryOut performs the actions of a plan and persists its outcome.
func (c *cluster) carryOut(plan planner.Plan) {
	for _, action := range plan.Actions {
		c.perform(action)
	}
	if plan.State.Attempt != c.State.Attempt {
		c.Analyses, c.ends = nil, map[string]time.Time{}
	}
	c.State, c.LastReason, c.LastMessage = plan.State, plan.Why.Reason, plan.Why.Message
	if plan.Command != nil {
		c.LastCommandID = plan.Command.ID
	}
}

func (c *cluster) perform(action planner.Action) {
	switch a := action.(type) {
	case planner.CreateRevision:
		c.Revisions = append(c.Revisions, planner.Revision{Hash: a.Revision, Number: c.nextNumber(), Desired: a.Replicas})
	case planner.ScaleRevision:
		c.Revisions[c.index(a.Revision)].Desired = a.Replicas
	case planner.DeleteRevision:
		delete(c.pods, a.Revision)
		c.Revisions = slices.Delete(c.Revisions, c.index(a.Revision), c.index(a.Revision)+1)
	case planner.CreateStandby:
		c.Standby.Found, c.Standby.Revision = true, a.Revision
	case planner.PointService:
		c.service(a.Role).Revision = a.Revision
	case planner.SetWeight:
		c.Route = planner.Route{Weight: a.Tenths, Overlay: a.Overlay}
	case planner.RestartPods:
		// Pods that are replaced are neither a step nor part of a release, and newCluster counts none as outdated.
	default:
		c.measure(action)
	}
}

// measure performs what finds out about a revision.
func (c *cluster) measure(action planner.Action) {
	switch a := action.(type) {
	case planner.StartAnalysis:
		c.Analyses = append(c.Analyses, planner.Analysis{Name: a.Gate, Gate: a.Gate, Phase: v1alpha1.AnalysisRunning})
		c.ends[a.Gate] = c.Now.Add(c.start.Analyses[a.Gate])
	case planner.StopAnalysis:
		i := slices.IndexFunc(c.Analyses, func(b planner.Analysis) bool { return b.Name == a.Name })
		c.Analyses[i].Phase, c.Analyses[i].EndedAt = v1alpha1.AnalysisStopped, c.Now
	case planner.ProbeShare:
		c.Probe = &planner.Probe{Of: a.Of, Confirmed: true}
	default:
		c.performBaseline(action)
	}
}

func (c *cluster) service(role planner.Role) *planner.Service {
	if role == planner.Standby {
		return &c.Standby
	}
	return &c.Active
}

func (c *cluster) nextNumber() int64 {
	var last int64
	for _, r := range c.Revisions {
		last = max(last, r.Number)
	}
	return last + 1
}

// index is the place of a revision that the planner has seen.
func (c *cluster) index(hash string) int {
	return slices.IndexFunc(c.Revisions, func(r planner.Revision) bool { return r.Hash == hash })
}

// follow lets every other controller do what it is asked for now, and says whether one did.
func (c *cluster) follow() bool {
	moved := c.followBaseline()
	for i := range c.Revisions {
		moved = c.run(&c.Revisions[i]) || moved
	}
	moved = c.serve(&c.Active) || moved
	moved = c.serve(&c.Standby) || moved
	moved = !c.Route.Accepted || moved
	c.Route.Accepted = true
	for i, a := range c.Analyses {
		if !a.Phase.Ended() && a.Gate != planner.GateBackground && !c.Now.Before(c.ends[a.Gate]) {
			c.Analyses[i].Phase, c.Analyses[i].EndedAt = v1alpha1.AnalysisPassed, c.Now
			moved = true
		}
	}
	return moved
}

// run is the ReplicaSet controller and the kubelets: pods are created and ended, and get older.
func (c *cluster) run(r *planner.Revision) bool {
	before := *r
	pods := c.resize(c.pods[r.Hash], r.Desired)
	for len(pods) > 1 && !c.Now.Before(pods[1].available) {
		pods[1].count += pods[0].count
		pods = pods[1:]
	}
	c.pods[r.Hash] = pods
	r.Created, r.Ready, r.Available = r.Desired, 0, 0
	for _, b := range pods {
		if !c.Now.Before(b.ready) {
			r.Ready += b.count
		}
		if !c.Now.Before(b.available) {
			r.Available += b.count
		}
	}
	return *r != before
}

// resize creates pods, or ends the youngest.
func (c *cluster) resize(pods []batch, desired int32) []batch {
	var created int32
	for _, b := range pods {
		created += b.count
	}
	if created < desired {
		return append(pods, c.born(desired-created))
	}
	for created > desired {
		last := &pods[len(pods)-1]
		gone := min(last.count, created-desired)
		last.count -= gone
		created -= gone
		if last.count == 0 {
			pods = pods[:len(pods)-1]
		}
	}
	return pods
}

// serve makes the endpoints of a Service those that its selector selects.
func (c *cluster) serve(s *planner.Service) bool {
	before := s.Endpoints
	s.Endpoints, s.Foreign = nil, 0
	for _, r := range c.Revisions {
		if s.Found && r.Ready > 0 && (s.Revision == "" || s.Revision == r.Hash) {
			s.Endpoints = append(s.Endpoints, planner.Endpoints{Revision: r.Hash, Ready: r.Ready})
		}
	}
	return !slices.Equal(before, s.Endpoints)
}

// help lets people do at once what the release waits for: promote, or take back spec.paused. Where that has not helped
// it is not tried again.
func (c *cluster) help(plan planner.Plan) bool {
	if !plan.Waiting {
		return false
	}
	switch plan.Why.Reason {
	case v1alpha1.ReasonAwaitingPromotion, v1alpha1.ReasonAnalysisInconclusive:
		if reflect.DeepEqual(c.helped, c.State) {
			return false
		}
		c.helped = c.State
		c.Command = v1alpha1.Command{
			Action: v1alpha1.ActionPromote, Revision: c.State.Candidate,
			ID: fmt.Sprintf("%s-%d-%d", c.Now.Format(time.RFC3339Nano), c.State.Attempt, c.State.Step),
		}
		return true
	case v1alpha1.ReasonPaused:
		c.Spec.Paused, c.resumed = false, true
		return true
	}
	return false
}

// wait moves the clock to the next moment at which something happens by itself, and says whether there is one.
func (c *cluster) wait(wakeAt time.Time) bool {
	var next time.Time
	at := func(t time.Time) {
		if t.After(c.Now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	at(wakeAt)
	for _, pods := range c.pods {
		for _, b := range pods {
			at(b.ready)
			at(b.available)
		}
	}
	for _, a := range c.Analyses {
		if !a.Phase.Ended() && a.Gate != planner.GateBackground {
			at(c.ends[a.Gate])
		}
	}
	if next.IsZero() {
		return false
	}
	c.Now = next
	c.follow()
	return true
}
