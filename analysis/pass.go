package analysis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// MaxParallel is how many metrics of a run are measured at once.
const MaxParallel = 8

// Pass takes all measurements that are due, and gives the status after them. The error says that ctx was done, or that the
// process has a fault: then nothing was measured, since that a query was broken off says nothing about its provider.
func (m Meter) Pass(
	ctx context.Context, spec v1alpha1.AnalysisRunSpec, status v1alpha1.AnalysisRunStatus, now func() time.Time,
) (v1alpha1.AnalysisRunStatus, error) {
	at := now()
	step := Next(spec, status, at)
	if len(step.Due) == 0 {
		return step.Status, nil
	}
	measured, failed := make([]Measured, len(step.Due)), make([]error, len(step.Due))
	var group sync.WaitGroup
	room := make(chan struct{}, MaxParallel)
	for i, index := range step.Due {
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			defer recovered(&failed[i])
			measured[i] = m.Measure(ctx, spec, step.Status, index, at)
		})
	}
	group.Wait()
	if err := errors.Join(errors.Join(failed...), ctx.Err()); err != nil {
		return status, err
	}
	return Record(spec, step.Status, measured, now()), nil
}

// recovered turns a panic into an error: in a goroutine of its own it would end the process, and with it the measuring of
// all other runs.
func recovered(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("panic while measuring: %v", cause)
	}
}
