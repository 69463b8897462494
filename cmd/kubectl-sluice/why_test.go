package main

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// measuring is a release that waits for an analysis, and the analysis.
func measuring() []client.Object {
	r := rollout("web", stepping, func(r *v1alpha1.Rollout) {
		r.Spec.Strategy.Canary.Steps[0] = builder.Step().Weight("20").Analysis("success-rate").Obj()
		r.Status.Phase, r.Status.Message = v1alpha1.PhaseProgressing, "step 1/2: analysis step-1 has no verdict yet"
		r.Status.State.GatesAt = metav1.NewMicroTime(now().Add(-time.Minute))
		r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForAnalysis}}
		r.Status.Analyses = []v1alpha1.AnalysisStatus{{Name: "run", Gate: "step-1", Phase: v1alpha1.AnalysisRunning}}
	})
	run := builder.AnalysisRun("run", builder.Metric("success-rate", "q").Every(30*time.Second).Count(5)).Namespace("shop").
		For("web", candidate, "step-1").Obj()
	run.Status.Phase = v1alpha1.AnalysisRunning
	run.Status.Metrics = []v1alpha1.MetricResult{{
		Name: "success-rate", Phase: v1alpha1.AnalysisRunning, Successful: 2, NextAt: metav1.NewMicroTime(now().Add(10 * time.Second)),
	}}
	return []client.Object{r, run}
}

func TestWhy(t *testing.T) {
	refused := func(err error) interceptor.Funcs {
		return interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return err }}
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "analysisruns"}, "", errors.New("no"))
	for name, tc := range map[string]struct {
		funcs    interceptor.Funcs
		width    int
		wantCode int
		wantErr  string
	}{
		"analysis":      {},
		"narrow":        {width: 60},
		"too-narrow":    {width: 10},
		"without-runs":  {funcs: refused(forbidden)},
		"without-words": {funcs: refused(errors.New("it rests")), wantCode: exitFailed, wantErr: "error: it rests\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, tc.funcs, measuring()...)
			c.screen.terminal, c.screen.size = true, func() (int, int) { return tc.width, 24 }
			code := c.run(t, "why", "web")
			if tc.wantErr != "" {
				c.expect(t, code, tc.wantCode, "", tc.wantErr)
				return
			}
			c.expectGolden(t, code, exitDone, "why-"+name)
		})
	}
}
