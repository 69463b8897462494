package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Fault strikes at one write of the controllers.
type Fault struct {
	// Name says what it does.
	Name string
	// At is the write, from 1.
	At int
	// Excuses are invariants that this fault may break, because nobody could keep them.
	Excuses []string
	// Differs says that the end may be another one than without the fault: it was an order, and not an accident.
	Differs bool

	hit func(w *World, p *Process, r request, commit func() error) error
}

// String is "crash after write 7".
func (f *Fault) String() string { return fmt.Sprintf("%s at write %d", f.Name, f.At) }

func (f *Fault) strike(p *Process, r request, commit func() error) error {
	w := p.world
	w.checker.tolerant = f.Excuses
	w.excused = w.now.Add(20 * time.Minute)
	return f.hit(w, p, r, commit)
}

// errLost is the error of a request that got no answer.
func errLost() error { return apierrors.NewTimeoutError("the connection broke", 0) }

// poison is a panic that a test asks for.
type poison struct{ error }

// crashes are what can become of one write.
func crashes() []Fault {
	return []Fault{
		{Name: "crash before", hit: func(_ *World, p *Process, _ request, _ func() error) error {
			p.dead = true
			return errDead
		}},
		{Name: "crash after", hit: func(_ *World, p *Process, _ request, commit func() error) error {
			_ = commit()
			p.dead = true
			return errDead
		}},
		{Name: "error before", hit: func(w *World, _ *Process, r request, _ func() error) error {
			return refusalOf(w.writes, r)
		}},
		{Name: "error after", hit: func(_ *World, _ *Process, _ request, commit func() error) error {
			return errors.Join(commit(), errLost())
		}},
	}
}

// refusalOf is one of the errors that pass by themselves, another one for each write.
func refusalOf(n int, r request) error {
	switch n % 4 {
	case 0:
		return apierrors.NewInternalError(errors.New("etcdserver: leader changed"))
	case 1:
		return apierrors.NewTooManyRequests("too many requests", 1)
	case 2:
		return conflict(r.kind, r.key.Name, "the object has been modified")
	}
	return errLost()
}

// staleReads freeze what the cache shows of a kind, from before the write.
func staleReads() []Fault {
	var out []Fault
	for _, k := range []kind{kindRollout(), kindReplicaSet(), kindService(), kindSlice(), kindRoute(), kindAnalysisRun()} {
		for _, passes := range []int{1, 2, 5} {
			out = append(out, Fault{
				Name: fmt.Sprintf("%s stale for %d passes", k.Kind, passes),
				hit: func(_ *World, p *Process, _ request, commit func() error) error {
					p.blind[k] = passes + 1 // the pass under way counts
					p.repeat = passes
					return commit()
				},
			})
		}
	}
	return out
}

// lostEvents are changes that wake nobody, or everybody twice, or in another order.
func lostEvents() []Fault {
	var out []Fault
	for _, k := range []kind{kindRollout(), kindReplicaSet(), kindService(), kindSlice(), kindRoute(), kindAnalysisRun()} {
		out = append(out, Fault{
			Name: "lost event of " + k.Kind,
			hit: func(_ *World, p *Process, _ request, commit func() error) error {
				p.deaf[k] = 1
				return commit()
			},
		})
	}
	return append(out,
		Fault{Name: "events repeated", hit: func(_ *World, p *Process, _ request, commit func() error) error {
			p.repeat = 10
			return commit()
		}},
		Fault{Name: "events one by one", hit: func(_ *World, p *Process, _ request, commit func() error) error {
			p.drip = forwards
			return commit()
		}},
		Fault{Name: "events one by one, against the order of kinds", hit: func(_ *World, p *Process, _ request, commit func() error) error {
			p.drip = backwards
			return commit()
		}},
		Fault{Name: "restart with an older cache", hit: func(w *World, p *Process, _ request, commit func() error) error {
			err := commit()
			p.dead = true
			older := w.boot()
			for _, k := range w.Server.kinds() {
				older.cache.rewind(k, w.Server.version-12)
			}
			older.wakeAll()
			return errors.Join(err, errDead)
		}},
	)
}

// leaders are two controllers at once.
func leaders() []Fault {
	stopped := func(passes int) Fault {
		return Fault{
			Name: fmt.Sprintf("stopped while another leads for %d passes, and continued", passes),
			hit: func(w *World, p *Process, _ request, commit func() error) error {
				w.whileStopped(passes)
				err := commit()
				p.expires = 3 // a process that has lost its lease ends soon
				return err
			},
		}
	}
	return []Fault{
		stopped(1), stopped(3), stopped(12),
		{Name: "two leaders from then on", hit: func(w *World, _ *Process, _ request, commit func() error) error {
			w.boot()
			return commit()
		}},
		{Name: "a second leader whose caches have stopped", hit: func(w *World, _ *Process, _ request, commit func() error) error {
			second := w.boot()
			for _, k := range w.Server.kinds() {
				second.blind[k] = -1
			}
			second.expires = 5
			return commit()
		}},
	}
}

// whileStopped lets another controller lead while a process stands still in the middle of a write.
func (w *World) whileStopped(passes int) {
	all := w.processes
	before, subject, last := w.checker.before, w.checker.subject, w.lastWrite
	w.processes = []*Process{}
	other := w.boot()
	for other.passes < passes {
		if w.turn() {
			continue
		}
		at, found := w.due()
		if !found || at.Sub(w.now) > 30*time.Second {
			break
		}
		w.advance(at)
	}
	w.processes = append(slices.Clone(all), other)
	w.checker.before, w.checker.subject, w.lastWrite = before, subject, last
	if w.checker.subject != nil {
		w.checker.before = w.truthOf(w.checker.subject)
	}
}

// jumps are clocks that differ: a controller takes over whose clock is ahead of, or behind, that of the one before. Within
// a process no clock jumps, as the product counts from its start. Times in the status are then from another clock, and a
// pause or a deadline may be cut short or drawn out. Nothing worse may happen.
func jumps() []Fault {
	var out []Fault
	for _, d := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		for _, passes := range []int{0, 6} {
			name := fmt.Sprintf("another leader, whose clock is %s ahead", d)
			if passes > 0 {
				name = fmt.Sprintf("for %d passes %s", passes, name)
			}
			out = append(out, Fault{
				Name: name, Differs: true, Excuses: []string{"PAUSE", "REACT", "ISOLATE", "QUIET"},
				hit: func(w *World, p *Process, _ request, commit func() error) error {
					err := commit()
					p.dead = true
					w.bootAt(d).expires = passes
					return errors.Join(err, errDead)
				},
			})
		}
	}
	return out
}

// orders are what people and fate do in the middle of everything else. They change the end, and so only safety, rest and
// the way back are compared.
func orders(key types.NamespacedName) []Fault {
	order := func(name string, do func(*World, *v1alpha1.Rollout)) Fault {
		return Fault{Name: name, Differs: true, hit: func(w *World, _ *Process, _ request, commit func() error) error {
			err := commit()
			if rollout := lookup[*v1alpha1.Rollout](w.Server, kindRollout(), key); rollout != nil {
				do(w, rollout)
			}
			return err
		}}
	}
	return []Fault{
		order("another template", func(w *World, _ *v1alpha1.Rollout) { w.Release(key, "registry.example/web:other") }),
		order("the template of stable", func(w *World, r *v1alpha1.Rollout) {
			if image := w.env.imageOf(key.Namespace, r.Status.State.Stable); image != "" {
				w.Release(key, image)
			}
		}),
		order("one replica more", func(w *World, r *v1alpha1.Rollout) { w.Scale(key, *r.Spec.Replicas+1) }),
		order("one replica less", func(w *World, r *v1alpha1.Rollout) { w.Scale(key, max(1, *r.Spec.Replicas-1)) }),
		order("abort", func(w *World, r *v1alpha1.Rollout) { w.Command(key, v1alpha1.ActionAbort, r.Status.State.Candidate) }),
		order("promote-full", func(w *World, r *v1alpha1.Rollout) {
			w.Command(key, v1alpha1.ActionPromoteFull, r.Status.State.Candidate)
		}),
		order("pause", func(w *World, _ *v1alpha1.Rollout) { w.Pause(key, true) }),
		order("a pod of stable is lost", func(w *World, r *v1alpha1.Rollout) {
			w.Kill(key.Namespace, w.env.imageOf(key.Namespace, r.Status.State.Stable), 1)
		}),
		order("a pod of the candidate is lost", func(w *World, r *v1alpha1.Rollout) {
			w.Kill(key.Namespace, w.env.imageOf(key.Namespace, r.Status.State.Candidate), 1)
		}),
		order("all pods of the candidate are lost", func(w *World, r *v1alpha1.Rollout) {
			w.Kill(key.Namespace, w.env.imageOf(key.Namespace, r.Status.State.Candidate), 1000)
		}),
	}
}
