// Package lifecycle brings clusters up, keeps them whole and takes them down.
//
// What exists is always found out from the machine: recorded processes that
// still run, namespaces that are still there, components that answer. So every
// operation can be repeated, and picks up where an earlier one was killed.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/machine"
	"github.com/sluice-dev/sluice/test/cluster/process"
	"github.com/sluice-dev/sluice/test/cluster/progress"
	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

// Manager works on one cluster that exists.
type Manager struct {
	cluster  layout.Cluster
	settings Settings
	stages   component.Stages
	report   *progress.Reporter
	api      apiClient
	probes   prober
}

// Open prepares to work on a cluster that was brought up earlier.
func Open(c layout.Cluster, report *progress.Reporter) (*Manager, error) {
	s, exists, err := LoadSettings(c)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, fmt.Errorf("there is no cluster %q; start it with: cluster up --name %s", c.Name, c.Name)
	}
	return newManager(c, s, report), nil
}

func newManager(c layout.Cluster, s Settings, report *progress.Reporter) *Manager {
	return &Manager{
		cluster:  c,
		settings: s,
		stages:   component.NewStages(c, s.Host),
		report:   report,
		api:      apiClient{cluster: c},
		probes:   newProber(c),
	}
}

// Settings are what was decided when the cluster was made.
func (m *Manager) Settings() Settings { return m.settings }

// Start starts a component, unless it runs, and waits until it answers.
func (m *Manager) Start(ctx context.Context, name string) error {
	return m.withComponent(name, func(component component.Component) error {
		if err := m.ensure(ctx, component); err != nil {
			return err
		}
		return m.waitAnswer(ctx, component)
	})
}

// stopGrace is how long a component has to end by itself. The API server lets
// running requests finish first and takes the longest.
const stopGrace = 20 * time.Second

// Stop asks a component to end and waits until it has.
func (m *Manager) Stop(name string) error { return m.end(name, stopGrace) }

// Kill ends a component without warning, as a crash would.
func (m *Manager) Kill(name string) error { return m.end(name, 0) }

func (m *Manager) end(name string, grace time.Duration) error {
	return m.withComponent(name, func(component component.Component) error {
		record, err := process.Load(m.cluster.Record(component.Name))
		if err != nil {
			return err
		}
		if err := record.End(grace); err != nil {
			return fmt.Errorf("end %s (process %d): %w", component.Name, record.PID, err)
		}
		return nil
	})
}

// withComponent does something to a component while nobody else changes the
// cluster.
func (m *Manager) withComponent(name string, do func(component.Component) error) error {
	component, err := m.stages.Named(name)
	if err != nil {
		return err
	}
	unlock, err := lock(m.cluster, m.report)
	if err != nil {
		return err
	}
	defer unlock()
	return do(component)
}

// ensure starts a component unless it runs.
func (m *Manager) ensure(ctx context.Context, component component.Component) error {
	record, err := process.Load(m.cluster.Record(component.Name))
	if err != nil {
		return err
	}
	if record.Alive() {
		return nil
	}
	if record.PID != 0 {
		m.report.Say("%s has ended; start it again", component.Name)
	}
	listeners, err := listen(ctx, component)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	spec := process.Spec{
		Argv: component.Argv,
		Env: append([]string{
			"PATH=" + m.settings.BinDir + string(filepath.ListSeparator) + machine.SearchPath,
			"HOME=" + m.cluster.StateDir,
		}, component.Env...),
		Dir:   m.cluster.StateDir,
		Log:   m.cluster.Log(component.Name),
		Files: listeners,
	}
	return sandbox.Do(m.cluster, func() error {
		record, err := process.Start(spec)
		if err != nil {
			return fmt.Errorf("%s: %w", component.Name, err)
		}
		return record.Save(m.cluster.Record(component.Name))
	})
}

// listen opens the sockets that a component inherits. They belong to the host's
// network, whoever accepts on them.
func listen(ctx context.Context, component component.Component) (files []*os.File, err error) {
	for _, port := range component.Listen {
		var config net.ListenConfig
		l, err := config.Listen(ctx, "tcp", hostAddress(port))
		if errors.Is(err, unix.EADDRINUSE) {
			err = fmt.Errorf("%w; end what listens there, or take the cluster down and start it again on other ports", err)
		}
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("%s: %w", component.Name, err)
		}
		file, err := l.(*net.TCPListener).File()
		l.Close()
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func hostAddress(port int) string { return component.HostAddress(port) }

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}
