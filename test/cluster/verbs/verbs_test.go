package verbs

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/lifecycle"
)

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range newRoot().Commands() {
		if cmd.Hidden {
			continue
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s is summed up as %q, want a phrase", cmd.Name(), cmd.Short)
		}
		help := &bytes.Buffer{}
		cmd.SetOut(help)
		if err := cmd.Help(); err != nil || !strings.Contains(help.String(), "cluster "+cmd.Name()) {
			t.Errorf("help of %s: %v\n%s", cmd.Name(), err, help)
		}
	}
}

// A shell takes the lines as they are, so no value may need quoting.
func TestEnvIsForAShell(t *testing.T) {
	c, err := layout.New("test")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := lifecycle.Settings{Host: component.Host{
		BinDir: "/bin-dir", Ports: component.Ports{APIServer: 1, Gateway: 2, Prometheus: 3},
	}}
	if err := printEnv(&out, c, s); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); !ok || value == "" || strings.ContainsAny(line, " '\"$") {
			t.Errorf("%q = %q", name, value)
		}
	}
	for _, want := range []string{
		"KUBECONFIG=/var/lib/sluice-cluster/test/kubeconfig\n", "GATEWAY=http://127.0.0.1:2\n",
		"GATEWAY_INSIDE=http://10.77.0.1:8000\n", "PROMETHEUS=http://127.0.0.1:3\n",
		"PROMETHEUS_INSIDE=http://10.77.0.1:9090\n", "AUDIT_LOG=/var/lib/sluice-cluster/test/audit/audit.log\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
}

func TestCommandsWithoutAClusterSayHowToStartOne(t *testing.T) {
	for _, args := range [][]string{
		{"env"}, {"status"}, {"exec", "true"}, {"load", "x.tar"}, {"stop", "etcd"}, {"logs", "etcd"},
	} {
		root := newRoot()
		root.SetArgs(append(args, "--name", "never-started"))
		err := execute(t, root)
		if err == nil || !strings.Contains(err.Error(), "cluster up --name never-started") {
			t.Errorf("%v: error %v", args, err)
		}
	}
}

func TestImageSaysWhatItLacks(t *testing.T) {
	root := newRoot()
	root.SetArgs([]string{"image", "--binary", "x"})
	if err := execute(t, root); err == nil || !strings.Contains(err.Error(), `"name", "out"`) {
		t.Errorf("error %v, want one that names both flags", err)
	}
}

func execute(t *testing.T, root *cobra.Command) error {
	t.Helper()
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	return root.ExecuteContext(t.Context())
}
