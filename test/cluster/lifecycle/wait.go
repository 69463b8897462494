package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/process"
)

const (
	// waitLimit is far more than anything takes, so that a machine busy with a
	// build does not fail a start. The API server takes 3 s by itself.
	waitLimit = 2 * time.Minute
	// askEvery is how often a question is repeated while waiting.
	askEvery = 100 * time.Millisecond
)

// waitAnswer waits until a component answers. One that ends meanwhile is not
// waited for.
func (m *Manager) waitAnswer(ctx context.Context, component component.Component) error {
	err := m.wait(ctx, "wait for "+component.Name, func(ctx context.Context) error {
		record, err := process.Load(m.cluster.Record(component.Name))
		if err != nil {
			return hopeless{err}
		}
		if !record.Alive() {
			return hopeless{errors.New("it ended")}
		}
		return m.probes.ask(ctx, component.Probe)
	})
	if err != nil {
		path := m.cluster.Log(component.Name)
		return fmt.Errorf("%s does not work: %w\nThe end of %s:\n%s", component.Name, err, path, tail(path))
	}
	return nil
}

// hopeless is an error that waiting does not mend.
type hopeless struct{ error }

// Unwrap gives the cause.
func (h hopeless) Unwrap() error { return h.error }

// wait repeats check until it succeeds, is hopeless, or has had its time.
func (m *Manager) wait(ctx context.Context, what string, check func(ctx context.Context) error) error {
	stop := m.report.While(func() string { return what })
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, waitLimit, fmt.Errorf("not within %s", waitLimit))
	defer cancel()
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		err := check(ctx)
		if err == nil || errors.As(err, new(hopeless)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

// tailBytes is about 15 lines of a component's log.
const tailBytes = 3000

// tail gives the last lines of a log.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(data) > tailBytes {
		data = data[len(data)-tailBytes:]
		_, after, _ := strings.Cut(string(data), "\n")
		data = []byte(after)
	}
	return strings.TrimRight(string(data), "\n")
}
