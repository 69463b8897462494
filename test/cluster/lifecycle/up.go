package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-dev/sluice/test/cluster/build"
	"github.com/sluice-dev/sluice/test/cluster/cgroup"
	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/machine"
	"github.com/sluice-dev/sluice/test/cluster/pki"
	"github.com/sluice-dev/sluice/test/cluster/process"
	"github.com/sluice-dev/sluice/test/cluster/progress"
	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

// Options say how to bring a cluster up.
type Options struct {
	// Cluster is where its things go.
	Cluster layout.Cluster
	// BinDir is where built programs go.
	BinDir string
	// Source is the folder they are built from.
	Source string
	// Launcher is the launcher's own binary.
	Launcher string
	// Report tells how it is going.
	Report *progress.Reporter
}

// Up makes a cluster, or makes an existing one whole. On a healthy cluster it
// only looks.
func Up(ctx context.Context, o Options) (*Manager, error) {
	if err := machine.Check(); err != nil {
		return nil, err
	}
	unlock, err := lock(o.Cluster, o.Report)
	if err != nil {
		return nil, err
	}
	defer unlock()
	m, err := existing(o)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return fresh(ctx, o)
	}
	reason := m.Healthy(ctx)
	if reason == nil {
		o.Report.Say("cluster %s is up", o.Cluster.Name)
		return m, nil
	}
	o.Report.Say("cluster %s is not whole: %v", o.Cluster.Name, reason)
	return mend(ctx, o, m.settings)
}

// fresh makes a cluster where there is none.
func fresh(ctx context.Context, o Options) (*Manager, error) {
	host, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return create(ctx, o, host)
}

// mend repairs a cluster, or replaces it when that fails.
func mend(ctx context.Context, o Options, s Settings) (*Manager, error) {
	host, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	host.Ports = s.Ports
	s.Host = host
	if err := s.save(o.Cluster); err != nil {
		return nil, err
	}
	m := newManager(o.Cluster, s, o.Report)
	err = m.start(ctx)
	if err == nil {
		return m, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	o.Report.Say("cannot repair cluster %s, so take it down and start again: %v", o.Cluster.Name, err)
	if err := demolish(o.Cluster); err != nil {
		return nil, err
	}
	return create(ctx, o, host)
}

// existing finds a cluster that can be continued. What is left of one that
// cannot is taken down.
func existing(o Options) (*Manager, error) {
	s, exists, err := LoadSettings(o.Cluster)
	if err != nil {
		return nil, err
	}
	boot, err := process.BootID()
	if err != nil {
		return nil, err
	}
	switch {
	case !exists:
		// Nothing, or what an interrupted demolition left.
	case s.BootID != boot:
		o.Report.Say("the machine was restarted since cluster %s was made; start again", o.Cluster.Name)
	case !sandbox.Exists(o.Cluster):
		o.Report.Say("the namespaces of cluster %s are gone; start again", o.Cluster.Name)
	default:
		return newManager(o.Cluster, s, o.Report), nil
	}
	return nil, demolish(o.Cluster)
}

// prepare has everything on the machine that a cluster runs on.
func prepare(ctx context.Context, o Options) (component.Host, error) {
	tools, err := machine.Prepare(ctx, o.Report)
	if err != nil {
		return component.Host{}, err
	}
	builder := build.Builder{BinDir: o.BinDir, Report: o.Report}
	targets := append([]build.Target{build.Kubernetes(o.Source)}, build.Others(o.Source)...)
	if err := builder.Build(ctx, targets...); err != nil {
		return component.Host{}, err
	}
	if err := builder.GatewayAPI(ctx); err != nil {
		return component.Host{}, err
	}
	if err := builder.TraefikKinds(ctx, o.Source); err != nil {
		return component.Host{}, err
	}
	return component.Host{
		BinDir:     o.BinDir,
		Launcher:   o.Launcher,
		Containerd: tools.Containerd,
		CNIBinDir:  tools.CNIBinDir,
	}, nil
}

// create makes a new cluster.
func create(ctx context.Context, o Options, host component.Host) (*Manager, error) {
	c := o.Cluster
	s, err := newSettings(ctx, host)
	if err != nil {
		return nil, err
	}
	o.Report.Say("make cluster %s in %s", c.Name, c.StateDir)
	if err := makeFolders(c); err != nil {
		return nil, err
	}
	// First of all, so that whatever is made after it is found and taken down.
	if err := s.save(c); err != nil {
		return nil, err
	}
	if err := pki.Make(c, "https://"+hostAddress(s.Ports.APIServer), time.Now()); err != nil {
		return nil, err
	}
	if err := cgroup.Create(c.CgroupRoot()); err != nil {
		return nil, err
	}
	visible := []string{c.StateDir, c.RunDir, s.BinDir, filepath.Dir(s.Launcher)}
	if err := sandbox.Create(ctx, c, visible); err != nil {
		return nil, err
	}
	m := newManager(c, s, o.Report)
	return m, m.start(ctx)
}

// makeFolders makes the folders that files are put into. Certificates are in
// some of them, so nobody else may look.
func makeFolders(c layout.Cluster) error {
	for _, dir := range []string{
		c.RunDir, c.State("pki"), c.State("kubeconfigs"), c.State("config", "cni"),
		c.State("logs"), c.State("run"), c.State("audit"), c.State("pod-logs"),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// start starts every component that does not run, in order, and waits until the
// cluster is ready.
func (m *Manager) start(ctx context.Context) error {
	if err := m.writeConfigs(); err != nil {
		return err
	}
	s := m.stages
	for _, step := range []func(context.Context) error{
		m.startAll(s.Ground), m.waitAll(s.Ground),
		m.startAll(s.API), m.loadPause, m.waitAll(s.API),
		m.startAll(s.Node), m.applyDefinitions,
		m.startAll(s.Guests), m.waitAll(s.Node), m.waitAll(s.Guests),
		m.waitReady,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	m.report.Say("cluster %s is up", m.cluster.Name)
	return nil
}

func (m *Manager) writeConfigs() error {
	files, err := component.Configs(m.cluster, m.settings.Host)
	if err != nil {
		return err
	}
	var errs []error
	for path, data := range files {
		errs = append(errs, os.WriteFile(path, data, 0o644))
	}
	return errors.Join(errs...)
}

func (m *Manager) startAll(stage []component.Component) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, component := range stage {
			if err := m.ensure(ctx, component); err != nil {
				return err
			}
		}
		return nil
	}
}

func (m *Manager) waitAll(stage []component.Component) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, component := range stage {
			if err := m.waitAnswer(ctx, component); err != nil {
				return err
			}
			m.report.Say("%s answers", component.Name)
		}
		return nil
	}
}

// waitReady waits for what needs several components to work together.
func (m *Manager) waitReady(ctx context.Context) error {
	for _, r := range m.requirements() {
		if err := m.wait(ctx, "wait until "+r.what, r.check); err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		m.report.Say("%s", r.what)
	}
	return nil
}
