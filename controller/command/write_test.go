package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

func web() client.ObjectKey { return client.ObjectKey{Namespace: "shop", Name: "web"} }

// template has fields that no version knows, a number that a float cannot hold, and an order of its own.
const template = `{"metadata":{"labels":{"app":"web"},"unknownMeta":{"a":1}},"spec":{"futureField":{"exact":9007199254740993},` +
	`"initContainers":[{"name":"migrate","image":"shop/migrate:v1"}],` +
	`"containers":[{"name":"app","image":"shop/web:v1","novel":true},{"name":"proxy","image":"proxy:v7"}]}}`

func withTemplate(raw string) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) { r.Spec.Template = runtime.RawExtension{Raw: []byte(raw)} }
}

// server is an API server that holds objects; funcs stand in front of it.
func server(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.Rollout{}).WithObjects(objects...).Build()
	return interceptor.NewClient(c, funcs)
}

func get(t *testing.T, c client.Reader) *v1alpha1.Rollout {
	t.Helper()
	r := &v1alpha1.Rollout{}
	if err := c.Get(t.Context(), web(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// editBefore edits the Rollout once, between the first look and the first patch.
func editBefore(t *testing.T, edit func(*v1alpha1.Rollout)) interceptor.Funcs {
	t.Helper()
	edited := false
	return interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch,
		opts ...client.PatchOption,
	) error {
		if !edited {
			edited = true
			r := get(t, c)
			edit(r)
			if err := c.Update(ctx, r.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			now := get(t, c)
			now.Status = r.Status
			if err := c.Status().Update(ctx, now); err != nil {
				t.Fatal(err)
			}
		}
		return c.Patch(ctx, object, patch, opts...)
	}}
}

func TestSend(t *testing.T) {
	for name, tc := range map[string]struct {
		funcs       interceptor.Funcs
		id          string
		want        string
		wantRefusal string
		wantError   string
	}{
		"written": {id: "7", want: "abort/newest3333/7"},
		"written after an edit in between": {
			id: "7", want: "abort/newest3333/7",
			funcs: editBefore(t, func(r *v1alpha1.Rollout) { r.Spec.MinReadySeconds = 9 }),
		},
		"not written when the release has ended in between": {
			id: "7",
			funcs: editBefore(t, func(r *v1alpha1.Rollout) {
				r.Status = at(v1alpha1.StageIdle).Status
			}),
			wantRefusal: `rollout "web" is Healthy at revision stable2222: there is nothing to abort; to go back to an earlier ` +
				`revision use "kubectl sluice undo web"`,
		},
		"not written when another revision has taken its place": {
			id: "7",
			funcs: editBefore(t, func(r *v1alpha1.Rollout) {
				r.Status.State.Candidate = "other44444"
			}),
			wantRefusal: `rollout "web" is at step 1/2 with revision other44444: it was at revision newest3333 a moment ago, so ` +
				`nothing was sent; look again with "kubectl sluice get web"`,
		},
		"not written with an id that nobody could answer": {id: "a/b", wantError: "parts between slashes"},
	} {
		t.Run(name, func(t *testing.T) {
			c := server(t, tc.funcs, at(v1alpha1.StageStepping, withTemplate(template)))
			_, err := command.Send(t.Context(), c, web(), v1alpha1.ActionAbort, tc.id)
			if tc.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantError) {
					t.Errorf("error %v, want one with %q", err, tc.wantError)
				}
			} else if diff := cmp.Diff(tc.wantRefusal, refusalOf(t, err)); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if got := get(t, c).Annotations[v1alpha1.AnnotationCommand]; got != tc.want {
				t.Errorf("annotation %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSendLeavesTheRestAlone(t *testing.T) {
	before := at(v1alpha1.StageStepping, withTemplate(template))
	before.Annotations = map[string]string{"team": "shop"}
	c := server(t, interceptor.Funcs{}, before)
	if _, err := command.Send(t.Context(), c, web(), v1alpha1.ActionAbort, "7"); err != nil {
		t.Fatal(err)
	}
	after := get(t, c)
	want := map[string]string{"team": "shop", v1alpha1.AnnotationCommand: "abort/newest3333/7"}
	if diff := cmp.Diff(want, after.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(canonical(t, template), canonical(t, string(after.Spec.Template.Raw))); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
}

func TestSendToNothing(t *testing.T) {
	_, err := command.Send(t.Context(), server(t, interceptor.Funcs{}), web(), v1alpha1.ActionAbort, "7")
	if !apierrors.IsNotFound(err) {
		t.Errorf("got %v, want NotFound", err)
	}
}

func TestPauseAndResume(t *testing.T) {
	for name, tc := range map[string]struct {
		do          func(context.Context, command.Client, client.ObjectKey) (*v1alpha1.Rollout, error)
		rollout     *v1alpha1.Rollout
		want        bool
		wantRefusal string
	}{
		"pause":  {do: command.Pause, rollout: at(v1alpha1.StageStepping), want: true},
		"resume": {do: command.Resume, rollout: at(v1alpha1.StageStepping, paused), want: false},
		"pause twice during a release": {
			do: command.Pause, rollout: at(v1alpha1.StageStepping, paused), want: true,
			wantRefusal: `rollout "web" is at step 1/2 with revision newest3333, and paused: to let it go on use ` +
				`"kubectl sluice resume web"`,
		},
		"pause twice at rest": {
			do: command.Pause, rollout: at(v1alpha1.StageIdle, paused), want: true,
			wantRefusal: `rollout "web" is Healthy at revision stable2222, and paused: to let it go on use ` +
				`"kubectl sluice resume web"`,
		},
		"resume at rest": {
			do: command.Resume, rollout: at(v1alpha1.StageIdle),
			wantRefusal: `rollout "web" is Healthy at revision stable2222, and spec.paused is not set: there is nothing to ` +
				`resume; "kubectl sluice get web" shows what it does`,
		},
		"resume what waits at a step": {
			do: command.Resume, rollout: at(v1alpha1.StageStepping, waiting),
			wantRefusal: `rollout "web" is at step 1/2 with revision newest3333, and spec.paused is not set: it waits at a ` +
				`step; to let it go on use "kubectl sluice promote web"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			withTemplate(template)(tc.rollout)
			c := server(t, interceptor.Funcs{}, tc.rollout)
			_, err := tc.do(t.Context(), c, web())
			if diff := cmp.Diff(tc.wantRefusal, refusalOf(t, err)); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if got := get(t, c).Spec.Paused; got != tc.want {
				t.Errorf("paused %t, want %t", got, tc.want)
			}
		})
	}
}

func TestSetImages(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(template) }
	for name, tc := range map[string]struct {
		images      []command.Image
		funcs       interceptor.Funcs
		want        string
		wantChanges []command.ImageChange
		wantRefusal string
	}{
		"one container": {
			images:      []command.Image{{Container: "app", Image: "shop/web:v2"}},
			want:        replace("shop/web:v1", "shop/web:v2"),
			wantChanges: []command.ImageChange{{Container: "app", From: "shop/web:v1", To: "shop/web:v2"}},
		},
		"an init container and another": {
			images: []command.Image{{Container: "migrate", Image: "shop/migrate:v2"}, {Container: "proxy", Image: "proxy:v8"}},
			want:   replace("migrate:v1", "migrate:v2", "proxy:v7", "proxy:v8"),
			wantChanges: []command.ImageChange{
				{Container: "proxy", From: "proxy:v7", To: "proxy:v8"},
				{Container: "migrate", From: "shop/migrate:v1", To: "shop/migrate:v2"},
			},
		},
		"all containers": {
			images: []command.Image{{Container: command.AllContainers, Image: "all:v1"}},
			want:   replace("shop/migrate:v1", "all:v1", "shop/web:v1", "all:v1", "proxy:v7", "all:v1"),
			wantChanges: []command.ImageChange{
				{Container: "app", From: "shop/web:v1", To: "all:v1"},
				{Container: "proxy", From: "proxy:v7", To: "all:v1"},
				{Container: "migrate", From: "shop/migrate:v1", To: "all:v1"},
			},
		},
		"the image it has": {
			images:      []command.Image{{Container: "app", Image: "shop/web:v1"}},
			want:        template,
			wantChanges: []command.ImageChange{{Container: "app", From: "shop/web:v1", To: "shop/web:v1"}},
		},
		"a container that is not there": {
			images:      []command.Image{{Container: "ap", Image: "shop/web:v2"}},
			want:        template,
			wantRefusal: `rollout "web" has no container "ap": it has app, proxy, migrate`,
		},
		"containers that move in between": {
			images: []command.Image{{Container: "proxy", Image: "proxy:v8"}},
			funcs: editBefore(t, func(r *v1alpha1.Rollout) {
				r.Spec.Template.Raw = []byte(`{"spec":{"containers":[{"name":"proxy","image":"proxy:v7"},{"name":"app"}]}}`)
			}),
			want:        `{"spec":{"containers":[{"name":"proxy","image":"proxy:v8"},{"name":"app"}]}}`,
			wantChanges: []command.ImageChange{{Container: "proxy", From: "proxy:v7", To: "proxy:v8"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := server(t, asAPIServer(tc.funcs), at(v1alpha1.StageIdle, withTemplate(template)))
			changes, err := command.SetImages(t.Context(), c, web(), tc.images)
			if diff := cmp.Diff(tc.wantRefusal, refusalOf(t, err)); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantChanges, changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(canonical(t, tc.want), canonical(t, string(get(t, c).Spec.Template.Raw))); diff != "" {
				t.Errorf("template (-want +got):\n%s", diff)
			}
			if tc.funcs.Patch != nil {
				return
			}
			// Without a cluster the same comes out.
			r := at(v1alpha1.StageIdle, withTemplate(template))
			changes, err = command.WithImages(r, tc.images)
			if diff := cmp.Diff(tc.wantRefusal, refusalOf(t, err)); diff != "" {
				t.Errorf("refusal without a cluster (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantChanges, changes); diff != "" {
				t.Errorf("changes without a cluster (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(canonical(t, tc.want), canonical(t, string(r.Spec.Template.Raw))); diff != "" {
				t.Errorf("template without a cluster (-want +got):\n%s", diff)
			}
		})
	}
}

// asAPIServer answers a JSON patch whose test does not hold as an API server does, with 422 Invalid: the fake passes on
// the bare error of its patch library.
func asAPIServer(funcs interceptor.Funcs) interceptor.Funcs {
	inner := funcs.Patch
	funcs.Patch = func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch,
		opts ...client.PatchOption,
	) error {
		var err error
		if inner != nil {
			err = inner(ctx, c, object, patch, opts...)
		} else {
			err = c.Patch(ctx, object, patch, opts...)
		}
		if err != nil && strings.Contains(err.Error(), "testing value") {
			return apierrors.NewGenericServerResponse(422, "", v1alpha1.GroupVersion.WithResource("rollouts").GroupResource(),
				object.GetName(), err.Error(), 0, false)
		}
		return err
	}
	return funcs
}

// canonical makes JSON comparable; numbers keep every digit.
func canonical(t *testing.T, raw string) string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	out, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// replicaSet is a revision of the Rollout, as the API server stores it.
func replicaSet(hash string, number int, image string, change ...func(*appsv1.ReplicaSet)) *appsv1.ReplicaSet {
	labels := map[string]string{"app": "web", v1alpha1.LabelPodTemplateHash: hash}
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-" + hash, Labels: labels,
			Annotations: map[string]string{v1alpha1.AnnotationRevisionNumber: strconv.Itoa(number)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.RolloutKind, Name: "web", UID: "rollout-uid",
				Controller: ptr.To(true),
			}},
		},
		Spec: appsv1.ReplicaSetSpec{Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "app", Image: image}}, DNSPolicy: corev1.DNSClusterFirst,
			},
		}},
	}
	for _, f := range change {
		f(rs)
	}
	return rs
}

// written leaves the template as the user wrote it on the ReplicaSet.
func written(raw string) func(*appsv1.ReplicaSet) {
	return func(rs *appsv1.ReplicaSet) { rs.Annotations[v1alpha1.AnnotationTemplate] = raw }
}

func foreign(rs *appsv1.ReplicaSet) { rs.OwnerReferences[0].UID = "someone-else" }

func history(outcomes ...v1alpha1.ReleaseRecord) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) { r.Status.History = outcomes }
}

func ended(revision string, outcome v1alpha1.Outcome) v1alpha1.ReleaseRecord {
	return v1alpha1.ReleaseRecord{Revision: revision, Outcome: outcome}
}

func TestUndo(t *testing.T) {
	const v1, v2, v3 = "first11111", stable, candidate
	revisions := []client.Object{
		replicaSet(v2, 2, "shop/web:v2"),
		replicaSet(v1, 1, "shop/web:v1", written(template)),
		replicaSet(v3, 3, "shop/web:v3"),
		replicaSet("stranger99", 9, "other:v9", foreign),
	}
	const v2Template = `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"shop/web:v2",` +
		`"resources":{}}],"dnsPolicy":"ClusterFirst"}}`
	const current = `{"spec":{"containers":[{"name":"app","image":"shop/web:now"}],"gone":"after the undo"}}`
	for name, tc := range map[string]struct {
		rollout     *v1alpha1.Rollout
		number      int64
		revisions   []client.Object
		want        string
		wantNumber  int64
		wantRefusal string
	}{
		"back to stable during a release": {rollout: at(v1alpha1.StageStepping), want: v2Template, wantNumber: 2},
		"back to stable after an abort":   {rollout: at(v1alpha1.StageAborted), want: v2Template, wantNumber: 2},
		"to the one before, as it was written": {
			rollout: at(v1alpha1.StageIdle, history(ended(v2, v1alpha1.OutcomePromoted), ended(v3, v1alpha1.OutcomeAborted))),
			want:    template, wantNumber: 1,
		},
		"to the newest other one when all were good": {
			rollout: at(v1alpha1.StageIdle, func(r *v1alpha1.Rollout) { r.Status.UpdateRevision, r.Status.State.Stable = v3, v3 }),
			want:    v2Template, wantNumber: 2,
		},
		"to a number":               {rollout: at(v1alpha1.StageIdle), number: 1, want: template, wantNumber: 1},
		"to a number after an edit": {rollout: at(v1alpha1.StageIdle, unseenEdit), number: 2, want: v2Template, wantNumber: 2},
		"to one that was aborted, by number": {
			rollout: at(v1alpha1.StageStepping, history(ended(v1, v1alpha1.OutcomeAborted))),
			number:  1, want: template, wantNumber: 1,
		},
		"to the current one": {
			rollout: at(v1alpha1.StageIdle), number: 2, want: current,
			wantRefusal: `rollout "web" asks for revision 2 already: there is nothing to undo; "kubectl sluice get web" shows ` +
				`its revisions`,
		},
		"to a number that is not there": {
			rollout: at(v1alpha1.StageIdle), number: 9, want: current,
			wantRefusal: `rollout "web" has no revision 9 to go back to: it has 3 (shop/web:v3), 2 (shop/web:v2), ` +
				`1 (shop/web:v1)`,
		},
		"after an edit that nobody has seen": {
			rollout: at(v1alpha1.StageIdle, unseenEdit), want: current,
			wantRefusal: `the controller has not looked at the latest edit of rollout "web" yet, so it is not clear what to go ` +
				`back from: try again in a moment, or name a revision with --to-revision`,
		},
		"where every other one was aborted": {
			rollout: at(v1alpha1.StageIdle, history(ended(v1, v1alpha1.OutcomeAborted), ended(v3, v1alpha1.OutcomeSuperseded))),
			want:    current,
			wantRefusal: `rollout "web" has no earlier revision that was promoted: name one with --to-revision: there are ` +
				`3 (shop/web:v3), 2 (shop/web:v2), 1 (shop/web:v1)`,
		},
		"where there is no other one": {
			rollout: at(v1alpha1.StageIdle), revisions: revisions[:1], want: current,
			wantRefusal: `rollout "web" has no earlier revision that was promoted: to release another version use ` +
				`"kubectl sluice set image web <container>=<image>"`,
		},
		"where stable has lost its replica set": {
			rollout: at(v1alpha1.StageAborted), revisions: revisions[1:], want: current,
			wantRefusal: `the replica set of stable revision stable2222 of rollout "web" is gone: name another revision with ` +
				`--to-revision: there are 3 (shop/web:v3), 1 (shop/web:v1)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.revisions == nil {
				tc.revisions = revisions
			}
			withTemplate(current)(tc.rollout)
			c := server(t, interceptor.Funcs{}, append([]client.Object{tc.rollout}, tc.revisions...)...)
			revision, err := command.Undo(t.Context(), c, web(), tc.number)
			if diff := cmp.Diff(tc.wantRefusal, refusalOf(t, err)); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			if revision.Number != tc.wantNumber {
				t.Errorf("revision %d, want %d", revision.Number, tc.wantNumber)
			}
			if diff := cmp.Diff(canonical(t, tc.want), canonical(t, string(get(t, c).Spec.Template.Raw))); diff != "" {
				t.Errorf("template (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUndoDoesNotOverwriteAnEditInBetween(t *testing.T) {
	// The edit takes the release of v3 back to stable v2, so that the undo has to choose again: v1.
	edit := func(r *v1alpha1.Rollout) {
		idle := at(v1alpha1.StageIdle)
		r.Status = idle.Status
		r.Status.History = []v1alpha1.ReleaseRecord{ended(candidate, v1alpha1.OutcomeReturned)}
	}
	c := server(t, editBefore(t, edit), at(v1alpha1.StageStepping, withTemplate(template)),
		replicaSet("first11111", 1, "shop/web:v1"), replicaSet(stable, 2, "shop/web:v2"), replicaSet(candidate, 3, "shop/web:v3"))
	revision, err := command.Undo(t.Context(), c, web(), command.Previous)
	if err != nil {
		t.Fatal(err)
	}
	if revision.Number != 1 {
		t.Errorf("went back to revision %d, want 1", revision.Number)
	}
}

func TestRevisionsNeedTheRightToListThem(t *testing.T) {
	refused := errors.New("forbidden")
	c := server(t, interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		return refused
	}}, at(v1alpha1.StageIdle, withTemplate(template)))
	if _, err := command.Undo(t.Context(), c, web(), 1); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}
}
