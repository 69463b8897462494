package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
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
	// Same says of an order that it comes to the same in the end, once a person has let everything go on.
	Same bool

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

// watchedKinds are those that the controller has in its cache.
func watchedKinds() []kind {
	return []kind{
		kindRollout(), kindReplicaSet(), kindService(), kindSlice(), kindRoute(), kindAnalysisRun(), kindDeployment(), kindConfigMap(),
	}
}

// staleReads freeze what the cache shows of one of the kinds, from before the write.
func staleReads(kinds []kind) []Fault {
	var out []Fault
	for _, k := range kinds {
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
func lostEvents(kinds []kind) []Fault {
	var out []Fault
	for _, k := range kinds {
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

// refusals are writes to which the API server says no, once or for a minute. Nobody is to blame who waits, and no request
// is lost by it: no invariant is excused.
func refusals() []Fault {
	once := func(name string, no func(request) error) Fault {
		return Fault{Name: "refused once, " + name, hit: func(_ *World, _ *Process, r request, _ func() error) error { return no(r) }}
	}
	minute := func(name string, no func(request) error) Fault {
		return Fault{Name: "all writes of the kind refused for a minute, " + name, Differs: true, Same: true, hit: func(w *World, _ *Process, r request, _ func() error) error {
			w.refusing = &refusing{kind: r.kind, until: w.now.Add(time.Minute), no: no}
			return no(r)
		}}
	}
	return []Fault{
		once("not permitted", notPermitted), once("invalid", invalid), once("a webhook is away", webhookAway), once("a quota is used up", overQuota),
		minute("not permitted", notPermitted), minute("a webhook is away", webhookAway),
	}
}

// refusing is a kind of which the API server takes no write for some time.
type refusing struct {
	kind  kind
	until time.Time
	no    func(request) error
}

// refuses is the refusal of a write; nil when it is let through.
func (w *World) refuses(r request) error {
	if f := w.refusing; f != nil && f.kind == r.kind && w.now.Before(f.until) {
		return f.no(r)
	}
	return nil
}

// The refusals in the words of an API server.

func notPermitted(r request) error {
	return apierrors.NewForbidden(resource(r.kind), r.key.Name, fmt.Errorf( //nolint:staticcheck // the API server begins with a capital
		"User %q cannot patch resource %q in API group %q in the namespace %q",
		"system:serviceaccount:sluice-system:sluice-controller", resource(r.kind).Resource, r.kind.Group, r.key.Namespace))
}

func invalid(r request) error {
	return apierrors.NewInvalid(r.kind.GroupKind(), r.key.Name, field.ErrorList{field.Invalid(field.NewPath("spec"), "…", "a policy of the namespace refuses it")})
}

func webhookAway(request) error {
	return apierrors.NewInternalError(errors.New(`failed calling webhook "policy.example": connection refused`))
}

func overQuota(r request) error {
	return apierrors.NewForbidden(resource(r.kind), r.key.Name, errors.New("exceeded quota: small, requested: 1, used: 9, limited: 9"))
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
					w.checker.cause() // a deadline may be over by the other clock, and the way back lead past what was before
					w.bootAt(d).expires = passes
					return errors.Join(err, errDead)
				},
			})
		}
	}
	return out
}
