package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
)

// trying is an analysis that runs in this process.
type trying struct {
	*environment
	trial
	meter analysis.Meter
	run   v1alpha1.AnalysisRun
	view  pictureView
	// said is the message that was last printed.
	said string
}

// try measures until there is a verdict, an interrupt, or a metric that cannot be measured as it is written.
func (e *environment) try(ctx context.Context, x trial, spec v1alpha1.AnalysisRunSpec, meter analysis.Meter) error {
	t := trying{environment: e, trial: x, meter: meter, view: pictureView{environment: e}}
	t.run.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.AnalysisRunKind}
	t.run.Namespace, t.run.Spec = x.request.Namespace, spec
	t.view.last = t.drawn
	err := t.measure(ctx)
	if err != nil {
		t.run.Spec.Terminate = true
		t.run.Status = analysis.Next(t.run.Spec, t.run.Status, t.clock.Now()).Status
	}
	return errors.Join(err, t.conclude(err))
}

// measure takes one pass after another.
func (t *trying) measure(ctx context.Context) error {
	end := t.end()
	for {
		t.run.Spec.Terminate = !t.clock.Now().Before(end)
		status, err := t.meter.Pass(ctx, t.run.Spec, t.run.Status, t.clock.Now)
		if err != nil {
			return err
		}
		t.run.Status = status
		if err := t.progress(); err != nil || status.Phase.Ended() {
			return err
		}
		if err := misfit(status); err != nil {
			return err
		}
		wake := analysis.Next(t.run.Spec, status, t.clock.Now()).WakeAt
		if end.Before(wake) {
			wake = end
		}
		if err := t.rest(ctx, wake); err != nil {
			return err
		}
	}
}

// end is when to give up: a measurement after the time of --for, as the last one within it may be late. Without --for it
// is in a century.
func (t *trying) end() time.Time {
	now := t.clock.Now()
	if t.lasts == 0 {
		return now.AddDate(100, 0, 0)
	}
	longest := time.Second
	for _, m := range t.run.Spec.Metrics {
		if m.Interval != nil {
			longest = max(longest, m.Interval.Duration)
		}
	}
	return now.Add(t.lasts + longest)
}

// rest waits until a time, and lets the ages of the picture go on.
func (t *trying) rest(ctx context.Context, until time.Time) error {
	for {
		left := until.Sub(t.clock.Now())
		if left <= 0 {
			return ctx.Err()
		}
		if t.screen.terminal {
			left = min(left, redrawInterval)
		}
		if err := t.sleep(ctx, left); err != nil {
			return err
		}
		if err := t.redraw(); err != nil {
			return err
		}
	}
}

// drawn is the analysis as it is.
func (t *trying) drawn(now time.Time, width int) string {
	return render.Run(&t.run, now, render.View{Palette: t.screen.palette, Width: width, ASCII: t.ascii})
}

// progress shows how far the analysis is: by a picture in one place of a terminal, and by a line for each change elsewhere.
// Where the result is data, the lines go to the error output.
func (t *trying) progress() error {
	if t.screen.terminal && t.format == "" {
		return t.redraw()
	}
	if message := t.run.Status.Message; message != t.said {
		t.said = message
		_, err := fmt.Fprintf(t.lines(), "%s %s: %s\n", t.clock.Now().UTC().Format(time.RFC3339), t.run.Status.Phase, message)
		return err
	}
	return nil
}

func (t *trying) lines() io.Writer {
	if t.format != "" {
		return t.ErrOut
	}
	return t.Out
}

func (t *trying) redraw() error {
	if t.format != "" {
		return nil
	}
	return t.view.redraw()
}

// conclude shows what an analysis came to, and gives the exit code of its verdict, unless it went wrong.
func (t *trying) conclude(wrong error) error {
	var err error
	switch {
	case t.format != "":
		err = t.format.write(t.Out, &t.run)
	case t.screen.terminal:
		width, _ := t.screen.size()
		_, err = fmt.Fprint(t.Out, t.view.frame.Next(t.drawn(t.clock.Now(), width), width, 0))
	default:
		_, err = fmt.Fprint(t.Out, "\n"+t.drawn(t.clock.Now(), 0))
	}
	if err != nil || wrong != nil {
		return err
	}
	switch t.run.Status.Phase {
	case v1alpha1.AnalysisPassed:
		return nil
	case v1alpha1.AnalysisFailed:
		return &exitError{exitFailed}
	case v1alpha1.AnalysisInconclusive, v1alpha1.AnalysisStopped, v1alpha1.AnalysisPending, v1alpha1.AnalysisRunning:
	}
	return &exitError{exitTimeout}
}
