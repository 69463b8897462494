package command_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

// hurried is a clock on which every wait is over at once.
type hurried struct{ clock.Clock }

func (h hurried) After(time.Duration) <-chan time.Time { return fired() }

func (h hurried) NewTimer(time.Duration) clock.Timer { return over{} }

type over struct{ clock.Timer }

func (over) C() <-chan time.Time { return fired() }

func (over) Stop() bool { return false }

func fired() <-chan time.Time {
	c := make(chan time.Time, 1)
	c <- time.Time{}
	return c
}

// sentAbort is the command that the tests wait for.
func sentAbort() v1alpha1.Command {
	return v1alpha1.Command{Action: v1alpha1.ActionAbort, Revision: candidate, ID: "7"}
}

func commanded(annotation string) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) {
		r.Annotations = map[string]string{v1alpha1.AnnotationCommand: annotation}
	}
}

// afterFirstLook does something after the first read of the Rollout, when the watch is open.
func afterFirstLook(do func(context.Context, client.WithWatch)) interceptor.Funcs {
	looked := false
	return interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object,
		opts ...client.GetOption,
	) error {
		err := c.Get(ctx, key, object, opts...)
		if err == nil && !looked {
			looked = true
			do(ctx, c)
		}
		return err
	}}
}

func setStatus(t *testing.T, change func(*v1alpha1.Rollout)) func(context.Context, client.WithWatch) {
	t.Helper()
	return func(ctx context.Context, c client.WithWatch) {
		r := get(t, c)
		change(r)
		if err := c.Status().Update(ctx, r); err != nil {
			t.Error(err)
		}
	}
}

func TestAwait(t *testing.T) {
	answer := v1alpha1.CommandStatus{ID: "7", Action: v1alpha1.ActionAbort, Accepted: true, Message: "aborted"}
	answered := func(r *v1alpha1.Rollout) { r.Status.LastCommand = &answer }
	for name, tc := range map[string]struct {
		rollout     *v1alpha1.Rollout
		funcs       interceptor.Funcs
		clock       clock.Clock
		want        v1alpha1.CommandStatus
		wantRefusal string
		wantError   error
	}{
		"answered already": {
			rollout: at(v1alpha1.StageRetreating, commanded(sentAbort().String()), answered), want: answer,
		},
		"answered later": {
			rollout: at(v1alpha1.StageStepping, commanded(sentAbort().String())),
			funcs:   afterFirstLook(setStatus(t, answered)), want: answer,
		},
		"answered, and another one was sent since": {
			rollout: at(v1alpha1.StageRetreating, commanded("retry/newest3333/8"), answered), want: answer,
		},
		"another command was answered": {
			rollout: at(v1alpha1.StageStepping, commanded(sentAbort().String()), func(r *v1alpha1.Rollout) {
				r.Status.LastCommand = &v1alpha1.CommandStatus{ID: "6"}
			}),
			clock: hurried{}, wantError: command.ErrTimeout,
		},
		"nobody answers": {
			rollout: at(v1alpha1.StageStepping, commanded(sentAbort().String())),
			clock:   hurried{}, wantError: command.ErrTimeout,
		},
		"replaced": {
			rollout: at(v1alpha1.StageStepping, commanded("promote/newest3333/8")),
			wantRefusal: `no answer to the abort of revision newest3333 of rollout "web" was seen: someone replaced it by ` +
				`"promote/newest3333/8" before the controller read it; look again with "kubectl sluice get web"`,
		},
		"removed": {
			rollout: at(v1alpha1.StageStepping),
			wantRefusal: `no answer to the abort of revision newest3333 of rollout "web" was seen: someone removed the ` +
				`annotation sluice.dev/command before the controller read it; send it again`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.clock == nil {
				tc.clock = clocktesting.NewFakeClock(time.Unix(0, 0))
			}
			follower := command.Follower{Client: server(t, tc.funcs, tc.rollout), Clock: tc.clock}
			got, err := follower.Await(t.Context(), web(), sentAbort(), time.Second)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if tc.wantError != nil {
				if !errors.Is(err, tc.wantError) {
					t.Errorf("error %v, want %v", err, tc.wantError)
				}
			} else if diff := cmp.Diff(tc.wantRefusal, refusalOf(t, err)); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

// untilHealthy collects the messages that are seen up to the one of a healthy Rollout.
func untilHealthy(messages *[]string) command.Visit {
	return func(r *v1alpha1.Rollout) (bool, error) {
		*messages = append(*messages, r.Status.Message)
		return r.Status.Phase == v1alpha1.PhaseHealthy, nil
	}
}

func message(text string, phase v1alpha1.RolloutPhase) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) { r.Status.Message, r.Status.Phase = text, phase }
}

func TestFollowSeesEveryChangeOfItsOwnRollout(t *testing.T) {
	other := at(v1alpha1.StageIdle, message("other", v1alpha1.PhaseHealthy))
	other.Name = "other"
	funcs := afterFirstLook(func(ctx context.Context, c client.WithWatch) {
		o := other.DeepCopy()
		o.ResourceVersion = ""
		if err := c.Create(ctx, o); err != nil {
			t.Error(err)
		}
		setStatus(t, message("two", v1alpha1.PhaseProgressing))(ctx, c)
		setStatus(t, message("three", v1alpha1.PhaseHealthy))(ctx, c)
	})
	c := server(t, funcs, at(v1alpha1.StageStepping, message("one", v1alpha1.PhaseProgressing)))
	var got []string
	follower := command.Follower{Client: c, Clock: clocktesting.NewFakeClock(time.Unix(0, 0))}
	if err := follower.Follow(t.Context(), web(), 0, untilHealthy(&got)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// endsFirst hands out a watch that ends at once as the first one, and afterwards those of the client.
func endsFirst(event *watch.Event, between func(context.Context, client.WithWatch)) interceptor.Funcs {
	first := true
	return interceptor.Funcs{Watch: func(ctx context.Context, c client.WithWatch, list client.ObjectList,
		opts ...client.ListOption,
	) (watch.Interface, error) {
		if !first {
			between(ctx, c)
			return c.Watch(ctx, list, opts...)
		}
		first = false
		w := watch.NewRaceFreeFake()
		if event != nil {
			w.Action(event.Type, event.Object)
		}
		w.Stop()
		return w, nil
	}}
}

func TestFollowOutlivesItsWatch(t *testing.T) {
	expired := apierrors.NewResourceExpired("too old").Status()
	for name, event := range map[string]*watch.Event{
		"closed by the server": nil,
		"too old":              {Type: watch.Error, Object: &expired},
		"of something else":    {Type: watch.Bookmark, Object: &metav1.Status{}},
	} {
		t.Run(name, func(t *testing.T) {
			funcs := endsFirst(event, setStatus(t, message("two", v1alpha1.PhaseHealthy)))
			c := server(t, funcs, at(v1alpha1.StageStepping, message("one", v1alpha1.PhaseProgressing)))
			var got []string
			follower := command.Follower{Client: c, Clock: hurried{}}
			if err := follower.Follow(t.Context(), web(), 0, untilHealthy(&got)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"one", "two"}, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFollowEnds(t *testing.T) {
	remove := func(ctx context.Context, c client.WithWatch) {
		if err := c.Delete(ctx, get(t, c)); err != nil {
			t.Error(err)
		}
	}
	broken := errors.New("connection refused")
	for name, tc := range map[string]struct {
		funcs   interceptor.Funcs
		objects []client.Object
		want    func(error) bool
	}{
		"when there is no such rollout": {want: apierrors.IsNotFound},
		"when the rollout goes away":    {funcs: afterFirstLook(remove), objects: []client.Object{at(v1alpha1.StageIdle)}, want: apierrors.IsNotFound},
		"when there is no connection to begin with": {
			funcs: interceptor.Funcs{Watch: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
				return nil, broken
			}},
			want: func(err error) bool { return errors.Is(err, broken) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			follower := command.Follower{Client: server(t, tc.funcs, tc.objects...), Clock: hurried{}}
			err := follower.Follow(t.Context(), web(), 0, func(*v1alpha1.Rollout) (bool, error) { return false, nil })
			if !tc.want(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFollowIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := server(t, interceptor.Funcs{}, at(v1alpha1.StageIdle))
	follower := command.Follower{Client: c, Clock: clocktesting.NewFakeClock(time.Unix(0, 0))}
	err := follower.Follow(ctx, web(), time.Hour, func(*v1alpha1.Rollout) (bool, error) {
		cancel()
		return false, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
