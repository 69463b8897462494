package lifecycle

import (
	"context"

	"github.com/sluice-dev/sluice/test/cluster/process"
)

// ComponentStatus is how a component is doing.
type ComponentStatus struct {
	Name string
	PID  int
	// State is a word, or the reason why it does not answer.
	State string
}

// Status looks at every component.
func (m *Manager) Status(ctx context.Context) []ComponentStatus {
	var all []ComponentStatus
	for _, component := range m.stages.All() {
		s := ComponentStatus{Name: component.Name}
		record, err := process.Load(m.cluster.Record(component.Name))
		s.PID = record.PID
		switch {
		case err != nil:
			s.State = err.Error()
		case record.PID == 0:
			s.State = "never started"
		case !record.Alive():
			s.State = "ended"
		default:
			s.State = "answers"
			if err := m.probes.ask(ctx, component.Probe); err != nil {
				s.State = "does not answer: " + err.Error()
			}
		}
		all = append(all, s)
	}
	return all
}

// CheckComponent reports whether there is a component of that name.
func (m *Manager) CheckComponent(name string) error {
	_, err := m.stages.Named(name)
	return err
}
