package forecast

import (
	"slices"

	"github.com/sluice-dev/sluice/controller/planner"
)

// performBaseline carries out an action on the baseline of an experiment.
func (c *cluster) performBaseline(action planner.Action) {
	at := func(hash string) int {
		return slices.IndexFunc(c.Baselines, func(r planner.Revision) bool { return r.Hash == hash })
	}
	switch a := action.(type) {
	case planner.CreateBaseline:
		c.Baselines = append(c.Baselines, planner.Revision{Hash: a.Baseline, Desired: a.Replicas})
	case planner.ScaleBaseline:
		c.Baselines[at(a.Baseline)].Desired = a.Replicas
	case planner.DeleteBaseline:
		delete(c.pods, a.Baseline)
		c.Baselines = slices.Delete(c.Baselines, at(a.Baseline), at(a.Baseline)+1)
	case planner.OpenBaseline:
		c.Baseline.Found, c.Baseline.Revision = true, a.Baseline
	case planner.CloseBaseline:
		c.Baseline = planner.Service{Name: c.Baseline.Name}
	}
}

// serveBaseline makes endpoints of the ready pods of the baseline, and says whether any have come or gone.
func (c *cluster) serveBaseline() bool {
	before := c.Baseline.Endpoints
	c.Baseline.Endpoints = nil
	for _, r := range c.Baselines {
		if c.Baseline.Found && r.Ready > 0 && c.Baseline.Revision == r.Hash {
			c.Baseline.Endpoints = append(c.Baseline.Endpoints, planner.Endpoints{Revision: r.Hash, Ready: r.Ready})
		}
	}
	return !slices.Equal(before, c.Baseline.Endpoints)
}

// followBaseline lets other controllers do what they are asked for of baselines, and says whether one did.
func (c *cluster) followBaseline() bool {
	moved := false
	for i := range c.Baselines {
		moved = c.run(&c.Baselines[i]) || moved
	}
	return c.serveBaseline() || moved
}

// askedOfBaseline is the number of pods that baselines are asked to have.
func (w *writer) askedOfBaseline() int32 {
	var n int32
	for _, r := range w.Baselines {
		n += r.Desired
	}
	return n
}
