package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// shop is a namespace with Rollouts, and another one with one more.
func shop() []client.Object {
	elsewhere := rollout("payments")
	elsewhere.Namespace = "bank"
	labelled := rollout("admin", aborted)
	labelled.Labels = map[string]string{"team": "admin"}
	return []client.Object{rollout("web", stepping), labelled, rollout("new", unseen), elsewhere}
}

func TestList(t *testing.T) {
	for name, tc := range map[string]struct {
		args     []string
		objects  []client.Object
		wantCode int
		wantErr  string
	}{
		"table":      {args: []string{"list"}, objects: shop()},
		"wide":       {args: []string{"list", "-o", "wide"}, objects: shop()},
		"everywhere": {args: []string{"ls", "-A"}, objects: shop()},
		"namespace":  {args: []string{"list", "-n", "bank"}, objects: shop()},
		"selector":   {args: []string{"list", "-l", "team=admin"}, objects: shop()},
		"name":       {args: []string{"list", "-A", "-o", "name"}, objects: shop()},
		"jsonpath":   {args: []string{"list", "-o", "jsonpath={.items[*].status.phase}"}, objects: shop()},
		"template":   {args: []string{"list", "--template", "{{range .items}}{{.metadata.name}} {{end}}"}, objects: shop()},
		"empty":      {args: []string{"list"}, wantErr: "No Rollouts in namespace \"shop\"; -A lists those of every namespace.\n"},
		"none":       {args: []string{"list", "-A"}, wantErr: "No Rollouts in any namespace.\n"},
		"unlabelled": {args: []string{"list", "-l", "team=none"}, objects: shop(), wantErr: "No Rollouts with these labels.\n"},
		"bad-output": {
			args: []string{"list", "-o", "xml"}, wantCode: exitUsage,
			wantErr: "error: -o xml: write one of wide, json, yaml, kyaml, name, go-template, go-template-file, template, " +
				"templatefile, jsonpath, jsonpath-as-json, jsonpath-file\nSee \"kubectl sluice list --help\".\n",
		},
		"bad-jsonpath": {
			args: []string{"list", "-o", "jsonpath={"}, wantCode: exitUsage,
			wantErr: "error: -o jsonpath={: error parsing jsonpath {, unclosed action\nSee \"kubectl sluice list --help\".\n",
		},
		"bad-selector": {
			args: []string{"list", "-l", "a=b=c"}, wantCode: exitUsage,
			wantErr: "error: --selector: found '=', expected: ',' or 'end of string'\nSee \"kubectl sluice list --help\".\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, tc.objects...)
			code := c.run(t, tc.args...)
			if tc.wantErr != "" {
				c.expect(t, code, tc.wantCode, "", tc.wantErr)
				return
			}
			c.expectGolden(t, code, exitDone, "list-"+name)
		})
	}
}

func TestAsStored(t *testing.T) {
	for line, want := range map[string]string{
		"list -o json":    "\"kind\": \"RolloutList\"",
		"list -o yaml":    "kind: RolloutList",
		"list -w -o yaml": "kind: Rollout\n",
		"get web -o json": "\"kind\": \"Rollout\"",
		"get web -o yaml": "kind: Rollout\n",
	} {
		t.Run(line, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := newTerminal(t, interceptor.Funcs{}, rollout("web"))
			wantCode := exitDone
			if strings.Contains(line, "-w") {
				c.out.after, wantCode = []func(){cancel}, exitInterrupted
			}
			if code := run(ctx, c.environment, strings.Fields(line)); code != wantCode {
				t.Fatalf("exit code %d: %s", code, c.err.String())
			}
			for _, want := range []string{want, "sluice.dev/v1alpha1", "shop/web:v2", stable} {
				if !strings.Contains(c.out.String(), want) {
					t.Errorf("no %q in\n%s", want, c.out.String())
				}
			}
		})
	}
}

func TestListWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newTerminal(t, interceptor.Funcs{}, rollout("web"), rollout("admin"))
	c.out.after = []func(){
		func() {}, // the first row
		c.update(t, stepping),
		func() {
			c.remove(t, "admin")()
			r := rollout("brand-new", unseen)
			if err := c.server.Create(ctx, r); err != nil {
				t.Error(err)
			}
		},
		cancel,
	}
	c.expectGolden(t, run(ctx, c.environment, []string{"list", "--watch"}), exitInterrupted, "list-watch")
}

// endedFirst hands out a watch that has ended as the first one of each kind, and afterwards those of the server.
func endedFirst() interceptor.Funcs {
	var ended sync.Map
	return interceptor.Funcs{Watch: func(ctx context.Context, c client.WithWatch, list client.ObjectList,
		opts ...client.ListOption,
	) (watch.Interface, error) {
		kind := fmt.Sprintf("%T", list)
		if _, again := ended.LoadOrStore(kind, true); again {
			return c.Watch(ctx, list, opts...)
		}
		w := watch.NewRaceFreeFake()
		w.Stop()
		return w, nil
	}}
}

func TestListWatchBeginsAnew(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newTerminal(t, endedFirst(), rollout("web"))
	c.clock = hurried{clocktesting.NewFakeClock(now())}
	c.out.after = []func(){c.update(t, stepping), cancel}
	c.expect(t, run(ctx, c.environment, []string{"list", "-w", "-o", "name"}), exitInterrupted,
		"rollout.sluice.dev/web\nrollout.sluice.dev/web\n", "")
}

// failingList is an API server that does not answer the nth list.
func failingList(n int) interceptor.Funcs {
	lists := 0
	return interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		lists++
		if lists == n {
			return errors.New("it rests")
		}
		return c.List(ctx, list, opts...)
	}}
}

func TestListWatchSurvives(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	funcs := endedFirst()
	funcs.List = failingList(2).List
	c := newTerminal(t, funcs, rollout("web"))
	c.clock = hurried{clocktesting.NewFakeClock(now())}
	c.err.after = []func(){c.update(t, stepping)}
	c.out.after = []func(){func() {}, cancel}
	c.expect(t, run(ctx, c.environment, []string{"list", "-w", "-o", "name"}), exitInterrupted,
		"rollout.sluice.dev/web\nrollout.sluice.dev/web\n", "Warning: it rests; trying again\n")
}

func TestListWatchDoesNotHideThatItCannotBegin(t *testing.T) {
	c := newTerminal(t, failingList(1), rollout("web"))
	c.expect(t, c.run(t, "list", "-w"), exitFailed, "", "error: it rests\n")
}

// release is a Rollout in the middle of a release, with all that belongs to it, and with a stranger's ReplicaSet.
func release() []client.Object {
	r := rollout("web", stepping)
	run := builder.AnalysisRun("web-"+candidate+"-1-step-1").Namespace("shop").For("web", candidate, "step-1").Obj()
	run.Labels = map[string]string{v1alpha1.LabelRollout: "web", v1alpha1.LabelRevision: candidate}
	run.CreationTimestamp = ago(time.Minute)
	run.Spec.Metrics = []v1alpha1.Metric{
		{Name: "success-rate", Interval: &metav1.Duration{Duration: 30 * time.Second}, Count: ptr.To[int32](5), SuccessCondition: "result >= 0.99"},
	}
	at := func(ago time.Duration) metav1.MicroTime { return metav1.NewMicroTime(now().Add(-ago)) }
	run.Status = v1alpha1.AnalysisRunStatus{
		Phase: v1alpha1.AnalysisRunning, StartedAt: at(time.Minute), Message: "success-rate: 2 of 5 measurements taken, last 0.999",
		Metrics: []v1alpha1.MetricResult{{
			Name: "success-rate", Phase: v1alpha1.AnalysisRunning, Successful: 2, NextAt: at(-20 * time.Second),
			Measurements: []v1alpha1.Measurement{
				{At: at(40 * time.Second), State: v1alpha1.MeasurementSuccessful, Value: "0.995"},
				{At: at(10 * time.Second), State: v1alpha1.MeasurementSuccessful, Value: "0.999"},
			},
		}},
	}
	stranger := rollout("other")
	stranger.Spec.Selector = r.Spec.Selector
	objects := []client.Object{r, run}
	objects = append(objects, replicaSet(r, stable, 2, "shop/web:v2", 2)...)
	objects = append(objects, replicaSet(r, candidate, 3, "shop/web:v3", 1)...)
	return append(objects, replicaSet(stranger, "stranger99", 1, "other:v1", 1)...)
}

func TestGet(t *testing.T) {
	for name, args := range map[string][]string{
		"tree":     {"get", "web"},
		"prefixed": {"get", "ro/web"},
		"wide":     {"get", "web", "-o", "wide"},
		"name":     {"get", "web", "-o", "name"},
		"jsonpath": {"get", "web", "-o", "jsonpath={.status.phase}"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, release()...)
			c.expectGolden(t, c.run(t, args...), exitDone, "get-"+name)
		})
	}
}

func TestGetWatchAppends(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newTerminal(t, interceptor.Funcs{}, release()...)
	clock := clocktesting.NewFakeClock(now())
	c.clock = hurried{clock}
	pod := func() {
		p := &corev1.Pod{}
		if err := c.server.Get(ctx, key("web-"+candidate+"-0"), p); err != nil {
			t.Error(err)
		}
		p.Status.ContainerStatuses[0].Ready = false
		p.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		if err := c.server.Status().Update(ctx, p); err != nil {
			t.Error(err)
		}
	}
	c.out.after = []func(){pod, c.update(t, aborted), cancel}
	c.expectGolden(t, run(ctx, c.environment, []string{"get", "web", "--watch"}), exitInterrupted, "get-watch")
}

func TestGetWatchRedraws(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newTerminal(t, interceptor.Funcs{}, rollout("web"))
	clock := clocktesting.NewFakeClock(now())
	c.clock = hurried{clock}
	c.screen.terminal, c.screen.size = true, func() (int, int) { return 60, 12 }
	c.out.after = []func(){func() { clock.Step(2 * time.Hour) }, c.update(t, stepping), cancel}
	c.expectGolden(t, run(ctx, c.environment, []string{"get", "web", "-w"}), exitInterrupted, "get-redraw")
}

func TestGetWatchSurvives(t *testing.T) {
	t.Run("watches that end", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newTerminal(t, endedFirst(), rollout("web"))
		c.clock = hurried{clocktesting.NewFakeClock(now())}
		c.out.after = []func(){c.update(t, stepping), cancel}
		if code := run(ctx, c.environment, []string{"get", "web", "-w"}); code != exitInterrupted {
			t.Errorf("exit code %d: %s", code, c.err.String())
		}
		if got := strings.Count(c.out.String(), "Name:"); got != 2 {
			t.Errorf("%d trees, want 2:\n%s", got, c.out.String())
		}
	})
	t.Run("an API server that does not answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newTerminal(t, failingList(1), rollout("web"))
		c.clock = hurried{clocktesting.NewFakeClock(now())}
		c.out.after = []func(){cancel}
		code := run(ctx, c.environment, []string{"get", "web", "-w"})
		c.expect(t, code, exitInterrupted, c.out.String(), "Warning: it rests; trying again\n")
	})
	t.Run("a warning below the tree", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		// The first tree takes three lists.
		c := newTerminal(t, failingList(4), rollout("web"))
		c.clock = hurried{clocktesting.NewFakeClock(now())}
		c.screen.terminal = true
		c.out.after = []func(){c.update(t, stepping), cancel}
		code := run(ctx, c.environment, []string{"get", "web", "-w"})
		c.expect(t, code, exitInterrupted, c.out.String(), "Warning: it rests; trying again\n")
		if up := "\x1b[10A"; strings.Contains(c.out.String(), up) {
			t.Errorf("the second tree was drawn over the warning:\n%q", c.out.String())
		}
	})
}

func TestGetWatchOfWhatGoesAway(t *testing.T) {
	c := newTerminal(t, interceptor.Funcs{}, rollout("web"))
	c.clock = hurried{clocktesting.NewFakeClock(now())}
	c.out.after = []func(){c.remove(t, "web")}
	code := c.run(t, "get", "web", "-w")
	c.expect(t, code, exitFailed, c.out.String(), "error: rollout \"web\" was deleted\n")
	if got := strings.Count(c.out.String(), "Name:"); got != 1 {
		t.Errorf("%d trees, want 1:\n%s", got, c.out.String())
	}
}

func controllerDeployment() *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "sluice-system", Name: "sluice-controller", Labels: map[string]string{
			"app.kubernetes.io/name": "sluice", "app.kubernetes.io/component": "controller",
		}},
		Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Image: "ghcr.io/sluice-dev/sluice:v1.2.0"}},
		}}},
		Status: appsv1.DeploymentStatus{ReadyReplicas: 1},
	}
}

func TestVersion(t *testing.T) {
	forbidden := interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		return errors.New("deployments.apps is forbidden")
	}}
	for name, tc := range map[string]struct {
		args    []string
		funcs   interceptor.Funcs
		change  func(*environment)
		objects []client.Object
		want    []string
	}{
		"of an unknown build":   {args: []string{"--client"}, change: func(e *environment) { e.version = "" }, want: []string{"Client:  unknown (go"}},
		"of the client":         {args: []string{"--client"}, want: []string{"Client:  v1.2.3 (go"}},
		"of everything":         {objects: []client.Object{controllerDeployment()}, want: []string{"Client:      v1.2.3 (go", "API:         sluice.dev/v1alpha1", "Controller:  ghcr.io/sluice-dev/sluice:v1.2.0 (sluice-system/sluice-controller, 1 of 2 ready)"}},
		"without a controller":  {want: []string{"Controller:  none found"}},
		"of what is not shown":  {funcs: forbidden, want: []string{"Controller:  unknown: deployments.apps is forbidden"}},
		"as JSON":               {args: []string{"-o", "json"}, objects: []client.Object{controllerDeployment()}, want: []string{"{\n    \"client\": \"v1.2.3\",\n", "\"controllers\": [\n        \"ghcr.io"}},
		"as YAML":               {args: []string{"-o", "yaml"}, want: []string{"api: sluice.dev/v1alpha1\nclient: v1.2.3\n"}},
		"of the client as YAML": {args: []string{"-o", "yaml", "--client"}, want: []string{"client: v1.2.3\nplatform: go"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, tc.funcs, tc.objects...)
			if tc.change != nil {
				tc.change(c.environment)
			}
			if code := c.run(t, append([]string{"version"}, tc.args...)...); code != exitDone {
				t.Errorf("exit code %d: %s", code, c.err.String())
			}
			for _, want := range tc.want {
				if !strings.Contains(c.out.String(), want) {
					t.Errorf("no %q in\n%s", want, c.out.String())
				}
			}
		})
	}
}

// uninstalled is a cluster without our definitions.
type uninstalled struct{ client.WithWatch }

func (uninstalled) RESTMapper() meta.RESTMapper { return meta.NewDefaultRESTMapper(nil) }

func TestNotInstalled(t *testing.T) {
	noMatch := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "sluice.dev", Kind: "Rollout"}}
	funcs := interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return noMatch
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return noMatch },
		Watch: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
			return nil, noMatch
		},
	}
	for _, args := range [][]string{
		{"list"},
		{"list", "-w"},
		{"get", "web"},
		{"get", "web", "-w"},
		{"get", "web", "-o", "json"},
		{"status", "web"},
		{"promote", "web"},
		{"pause", "web"},
		{"undo", "web"},
		{"set", "image", "web", "app=v2"},
		{"version"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			c := newTerminal(t, funcs)
			server := c.server
			c.connect = func() (client.WithWatch, error) { return uninstalled{server}, nil }
			if code := c.run(t, args...); code != exitFailed {
				t.Errorf("exit code %d, want %d", code, exitFailed)
			}
			want := "error: the cluster does not know Rollouts (sluice.dev/v1alpha1): install Sluice with \"kubectl apply " +
				"--server-side -f install.yaml\"\n"
			if got := c.err.String(); got != want {
				t.Errorf("error output %q, want %q", got, want)
			}
		})
	}
}
