package planner

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Somebody else may write what a release needs: a tool that puts back what is in version control, or a person. It is put
// back a number of times, and what was measured meanwhile is measured again. Then the release holds and names the writer.
// The way back to stable is never bounded: it writes its traffic each time.

const (
	// contestLimit is how many changes in a row are put back.
	contestLimit = 5
	// contestQuiet is how long after the last change a release that holds tries again.
	contestQuiet = 10 * time.Minute
	// contestMemory is the longest time between two changes of a row. It is beyond the intervals at which tools put back
	// what is in version control, of which 10 minutes is the most usual one: such a tool would else never come to the limit,
	// and a gate that takes longer would begin again for ever.
	contestMemory = 30 * time.Minute
	// contestEase is how soon after a change a release that holds takes traffic off the candidate that is beyond its step.
	contestEase = time.Minute
)

// Hand is who last wrote what is managed of a route.
type Hand struct {
	// Route names it for people, "HTTPRoute shop/web".
	Route string
	// Weight is the share of the standby Service in it, in tenths of a percent; WeightUnknown when it cannot be read.
	Weight int32
	// Laid are the indexes, among Spec.Overlays, of what it has laid over the weight, exactly; there may be several that come
	// to the same. It is empty when it has something else, and nil when nobody knows.
	Laid []int
	// By is the field manager that wrote it last, when that was not ours; empty when it was, or when nobody knows.
	By string
	// Altered says that By has changed something else of a route that is made of a template.
	Altered bool
}

// contest follows what other writers do to a release. It returns true when a change was counted: that is persisted before
// it is put back, since a crash after the write would leave measurements of another split that nobody knows of.
func (p *pass) contest() (counted bool) {
	if !p.releases() || p.Spec.Mode == Ratio {
		return false
	}
	p.recall()
	c := p.recallContest()
	change, by := p.foreign()
	switch {
	case change == "":
		c.Pending = false
	case !c.Pending:
		p.count(c, change, by)
		if c.Count <= contestLimit {
			p.why(v1alpha1.ReasonTrafficReverted, "%s: %s by %s; it is put back, and gates begin again", p.position(), change, by)
			p.event(true, v1alpha1.ReasonTrafficReverted, p.plan.Why.Message)
			p.wakeAt(p.Now)
			return true
		}
	}
	p.holdContested(c)
	return false
}

// releases says whether a release is on its way to the candidate.
func (p *pass) releases() bool {
	return p.state.Stage == v1alpha1.StageStepping || p.state.Stage == v1alpha1.StagePromoting
}

// recall takes what was asked for out of the memory. Where we were the last to write, it is what is there: the status of a
// pass that wrote may have been lost.
func (p *pass) recall() {
	asked := &v1alpha1.AskedTraffic{Of: p.managed()}
	if old := p.state.Asked; old != nil && old.Of == asked.Of {
		asked = old.DeepCopy()
	}
	others := slices.ContainsFunc(p.Route.Hands, func(h Hand) bool { return h.By != "" })
	if p.Spec.Mode == Routed && !others && p.Route.known() {
		asked.Weight, asked.Overlay = new(p.Route.Weight), p.overlayDigest(p.Route.Overlay)
	}
	if s := p.Active; s.By == "" && s.pinned() {
		asked.Active = s.Revision
	}
	if s := p.Standby; s.By == "" && s.pinned() {
		asked.Standby = s.Revision
	}
	p.state.Asked = asked
}

// recallContest is a copy of the contest in the memory, or a new one that is not in it yet.
func (p *pass) recallContest() *v1alpha1.Contest {
	if p.state.Contest == nil {
		return &v1alpha1.Contest{}
	}
	c := p.state.Contest.DeepCopy()
	for _, t := range []*metav1.MicroTime{&c.Since, &c.At} {
		if t.After(p.Now) { // the clock went back, or another one was ahead
			*t = p.now()
		}
	}
	p.state.Contest = c
	return c
}

// managed is a digest of the names of the Services and routes: another route was not written by us yet, and what it says is
// no change of ours.
func (p *pass) managed() string {
	names := []string{p.Active.Name, p.Standby.Name}
	for _, h := range p.Route.Hands {
		names = append(names, h.Route)
	}
	return digest(strings.Join(names, "\n"))
}

// overlayDigest tells overlays apart by what they say and not by their index, which an edit of the steps may change; empty
// for none.
func (p *pass) overlayDigest(index int32) string {
	overlay := p.Spec.Overlay(index)
	if overlay.None() {
		return ""
	}
	return digest(overlay.String())
}

func digest(text string) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text)) // a hash takes everything
	return fmt.Sprintf("%016x", sum.Sum64())
}

// foreign is what another writer has made of what was asked for, in words, and its field manager; empty when nothing.
func (p *pass) foreign() (change, by string) {
	asked := p.state.Asked
	for _, s := range []struct {
		Service
		asked string
	}{{p.Active, asked.Active}, {p.Standby, asked.Standby}} {
		if s.By != "" && s.asked != "" && s.Found && s.Revision != s.asked {
			return fmt.Sprintf("Service %s: the selector was changed from %s to %s", s.Name, s.asked, selected(s.Revision)), s.By
		}
	}
	if p.Spec.Mode != Routed || asked.Weight == nil {
		return "", ""
	}
	return p.reweighed(*asked)
}

// reweighed is the same of routes: of their weights, and of what is laid over them.
func (p *pass) reweighed(asked v1alpha1.AskedTraffic) (change, by string) {
	hands := p.Route.Hands
	i := slices.IndexFunc(hands, func(h Hand) bool {
		return h.By != "" && (h.Altered || h.Weight != *asked.Weight || !p.lies(h, asked.Overlay))
	})
	if i < 0 {
		return "", ""
	}
	h := hands[i]
	switch {
	case h.Weight == *asked.Weight && p.lies(h, asked.Overlay):
		change = fmt.Sprintf("%s: what its template says beside the weight %s was changed", h.Route, percent(h.Weight))
	case h.Weight == *asked.Weight:
		change = fmt.Sprintf("%s: the matches and mirrors beside the weight %s were changed", h.Route, percent(h.Weight))
	case h.Weight == WeightUnknown:
		change = fmt.Sprintf("%s: the weight %s was changed", h.Route, percent(*asked.Weight))
	default:
		change = fmt.Sprintf("%s: the weight %s was changed to %s", h.Route, percent(*asked.Weight), percent(h.Weight))
	}
	return change, h.By
}

// lies says whether an overlay, by its digest, lies over the weight of a route, as far as anybody knows.
func (p *pass) lies(h Hand, overlay string) bool {
	return h.Laid == nil || slices.ContainsFunc(h.Laid, func(index int) bool { return p.overlayDigest(int32(index)) == overlay })
}

// selected is a revision in a selector, for people.
func selected(hash string) string {
	if hash == "" {
		return "every revision"
	}
	return hash
}

// count counts a change. The gates of the step begin again, as what they had measured may be of another split, also what
// had ended in the last moment.
func (p *pass) count(c *v1alpha1.Contest, change, by string) {
	if c.Count == 0 || !p.Now.Before(c.At.Add(contestMemory)) {
		c.Count, c.Since = 0, p.now()
	}
	c.Count, c.At, c.By, c.Change, c.Pending = c.Count+1, p.now(), by, change, true
	p.state.Contest = c
	p.state.ShiftedAt, p.state.ProgressAt = metav1.MicroTime{}, metav1.MicroTime{}
	if p.state.Stage == v1alpha1.StageStepping {
		p.state.GatesAt = metav1.MicroTime{}
		p.state.Round++
	}
}

// holdContested makes a problem of a change that is not put back any more, until some time after it.
func (p *pass) holdContested(c *v1alpha1.Contest) {
	if !c.Pending || c.Count <= contestLimit {
		return
	}
	if p.due(c.At, contestQuiet) {
		c.Count = 0
		return
	}
	p.contested = true
	p.state.ProgressAt = metav1.MicroTime{}
	p.Problems = append([]Problem{{Reason: v1alpha1.ReasonTrafficContested, Message: fmt.Sprintf(
		"%s, %d times in %s, by %s: tell it to leave that alone while a release runs, as docs/gitops.md says, or abort the release; "+
			"it is put back again at %s", c.Change, c.Count, short(c.At.Sub(c.Since.Time)), c.By,
		c.At.Add(contestQuiet).UTC().Format(time.RFC3339))}}, p.Problems...)
}

// short is a time in whole seconds, "2m" and not "2m0s".
func short(d time.Duration) string {
	out := d.Round(time.Second).String()
	if strings.HasSuffix(out, "m0s") {
		return strings.TrimSuffix(out, "0s")
	}
	return out
}

// ease takes traffic off the candidate while the release holds: at once when nothing of it is ready, and from time to time
// what goes beyond its step. More than that is for who writes it now.
func (p *pass) ease(step Step) {
	if !p.contested || p.deserted() || p.state.Stage != v1alpha1.StageStepping || !p.due(p.state.Contest.At, contestEase) {
		return
	}
	switch {
	case p.Active.Revision != p.state.Stable && (p.Spec.Mode == Routed || step.Weight == 0):
		p.settleOn(p.state.Stable, demand{urgent: true})
	case p.Spec.Mode == Routed && p.Route.Weight > step.Weight:
		p.lower(step)
	}
}

// remember keeps what the plan asks of Services and routes. A plan that was refused has asked for nothing, and with the end
// of a release ends its contest.
func (p *pass) remember() {
	if !p.releases() {
		p.state.Asked, p.state.Contest = nil, nil
		return
	}
	if p.state.Asked == nil || p.refused != nil {
		return
	}
	asked := p.state.Asked.DeepCopy()
	for _, action := range p.plan.Actions {
		switch a := action.(type) {
		case SetWeight:
			asked.Weight, asked.Overlay = new(a.Tenths), p.overlayDigest(a.Overlay)
		case CreateStandby:
			asked.Standby = a.Revision
		case PointService:
			if a.Role == Active {
				asked.Active = a.Revision
			} else {
				asked.Standby = a.Revision
			}
		default:
			continue
		}
		if c := p.state.Contest; c != nil {
			c.Pending = false
		}
	}
	p.state.Asked = asked
}

// again says whether an analysis measures what a later one measures again.
func again(all []Analysis, a Analysis) bool {
	return slices.ContainsFunc(all, func(b Analysis) bool { return b.Gate == a.Gate && b.Round > a.Round })
}
