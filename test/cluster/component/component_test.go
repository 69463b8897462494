package component_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/layout"
)

func cluster(t *testing.T, name string) layout.Cluster {
	t.Helper()
	c, err := layout.New(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func host() component.Host {
	return component.Host{
		BinDir: "/bin-dir", Launcher: "/launcher", Containerd: "/usr/bin/containerd", CNIBinDir: "/cni-dir",
		Ports: component.Ports{APIServer: 1001, Gateway: 1002, Prometheus: 1003},
	}
}

func TestComponentsCanBeStartedAndAsked(t *testing.T) {
	var names []string
	for _, c := range component.NewStages(cluster(t, "test"), host()).All() {
		if slices.Contains(names, c.Name) {
			t.Errorf("two components are called %s", c.Name)
		}
		names = append(names, c.Name)
		if !strings.HasPrefix(c.Argv[0], "/") {
			t.Errorf("%s is started by the relative path %s", c.Name, c.Argv[0])
		}
		probe, err := url.Parse(c.Probe)
		if err != nil || !slices.Contains([]string{"http", "https", "unix", "tcp"}, probe.Scheme) {
			t.Errorf("%s has the probe %q, %v", c.Name, c.Probe, err)
		}
	}
}

// The forwarder is handed sockets in the order of its addresses.
func TestForwardListensOnceForEachTarget(t *testing.T) {
	forward, err := component.NewStages(cluster(t, "test"), host()).Named("forward")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/launcher", "forward", layout.APIServer, layout.Gateway, layout.Prometheus}
	if !slices.Equal(forward.Argv, want) || !slices.Equal(forward.Listen, []int{1001, 1002, 1003}) {
		t.Errorf("%v listens on %v", forward.Argv, forward.Listen)
	}
}

func TestNamedListsTheNamesThereAre(t *testing.T) {
	_, err := component.NewStages(cluster(t, "test"), host()).Named("apiserver")
	if err == nil || !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("error %v, want one that names kube-apiserver", err)
	}
}

func TestConfigsAreRendered(t *testing.T) {
	c := cluster(t, "test")
	configs, err := component.Configs(c, host())
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range configs {
		if strings.Contains(string(data), "{{") || strings.Contains(string(data), "no value") {
			t.Errorf("%s is not fully rendered:\n%s", path, data)
		}
	}
	for file, want := range map[string]string{
		"containerd.toml":              `address = "` + c.Containerd() + `"`,
		"kubelet.yaml":                 "cgroupRoot: " + c.CgroupRoot() + "\n",
		"prometheus.yaml":              "kubeconfig_file: " + c.KubeconfigOf("prometheus") + "\n",
		"cni/10-cluster.conflist":      `"subnet": "10.244.0.0/16"`,
		"audit-policy.yaml":            "level: Metadata\n",
		component.RBACManifest:         "kind: ClusterRole\n",
		component.GatewayClassManifest: "metadata: {name: traefik}\n",
	} {
		if got := string(configs[c.Config(file)]); !strings.Contains(got, want) {
			t.Errorf("%s lacks %q:\n%s", file, want, got)
		}
	}
	if !json.Valid(configs[c.Config("cni/10-cluster.conflist")]) {
		t.Error("the CNI configuration is not JSON")
	}
}

// Nothing that a cluster reads or writes may be another's.
func TestEveryPathCarriesTheClustersName(t *testing.T) {
	c := cluster(t, "one")
	configs, err := component.Configs(c, host())
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for path, data := range configs {
		texts[path] = string(data)
	}
	for _, process := range component.NewStages(c, host()).All() {
		texts[process.Name] = strings.Join(append(process.Argv, process.Env...), "\n")
	}
	for name, text := range texts {
		for line := range strings.Lines(text) {
			if strings.Contains(line, "sluice-cluster/") && !strings.Contains(line, "sluice-cluster/one") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}
