package lifecycle

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sluice-dev/sluice/test/cluster/build"
	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/imagearchive"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/machine"
	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

// LoadImages imports image archives into the cluster's containerd.
func (m *Manager) LoadImages(ctx context.Context, archives ...string) error {
	for _, archive := range archives {
		cmd := exec.CommandContext(ctx, "ctr", "--address", m.cluster.Containerd(), "--namespace", "k8s.io",
			"images", "import", archive)
		cmd.Env = append(os.Environ(), "PATH="+machine.SearchPath)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("import %s: %w: %s", archive, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// loadPause makes and imports the image that every pod needs.
func (m *Manager) loadPause(ctx context.Context) error {
	image, err := imagearchive.Image(imagearchive.Options{Binary: filepath.Join(m.settings.BinDir, "pause")})
	if err != nil {
		return err
	}
	archive := m.cluster.State("pause.tar")
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer os.Remove(archive)
	defer file.Close()
	if err := imagearchive.WriteDocker(file, layout.PauseImage, image); err != nil {
		return err
	}
	return m.LoadImages(ctx, archive)
}

// applyDefinitions puts the Gateway API, Traefik's own kinds and the access rules
// into the cluster.
func (m *Manager) applyDefinitions(ctx context.Context) error {
	stop := m.report.While(func() string { return "apply the Gateway API's definitions" })
	defer stop()
	definitions := filepath.Join(m.settings.BinDir, build.GatewayAPIDir)
	kinds := filepath.Join(m.settings.BinDir, build.TraefikKindsDir)
	rbac := m.cluster.Config(component.RBACManifest)
	if err := m.kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f", definitions, "-f", kinds, "-f", rbac); err != nil {
		return err
	}
	if err := m.kubectl(ctx, "wait", "--for=condition=Established", "--timeout="+waitLimit.String(), "crd", "--all"); err != nil {
		return err
	}
	return m.kubectl(ctx, "apply", "--server-side", "--force-conflicts",
		"-f", m.cluster.Config(component.GatewayClassManifest))
}

// kubectl runs kubectl as the launcher, inside the cluster's network.
func (m *Manager) kubectl(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(m.settings.BinDir, "kubectl"), args...)
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+m.cluster.KubeconfigOf("launcher"),
		// It keeps a cache and preferences at home, which must not be the caller's.
		"HOME="+m.cluster.StateDir,
	)
	var out []byte
	err := sandbox.DoNetwork(m.cluster, func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
