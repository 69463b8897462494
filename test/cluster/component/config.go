package component

import (
	"bytes"
	"embed"
	"fmt"
	"strconv"
	"text/template"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/pki"
)

//go:embed config
var templates embed.FS

// HostAddress is a port of the host as an address.
func HostAddress(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// Manifest files: what is applied to the cluster once its API server answers.
const (
	// RBACManifest grants Traefik and Prometheus what they need.
	RBACManifest = "rbac.yaml"
	// GatewayClassManifest is the GatewayClass that Traefik serves. It needs the
	// Gateway API's resource definitions.
	GatewayClassManifest = "gatewayclass.yaml"
)

// Configs renders every configuration file, by its path.
func Configs(c layout.Cluster, h Host) (map[string][]byte, error) {
	type paths struct{ CA, KubeletCert, KubeletKey string }
	data := map[string]any{
		"Cluster":        c,
		"CNIBinDir":      h.CNIBinDir,
		"NodeIP":         layout.NodeIP,
		"PodCIDR":        layout.PodCIDR,
		"PauseImage":     layout.PauseImage,
		"GatewayClass":   layout.GatewayClass,
		"TraefikMetrics": layout.TraefikMetrics,
		"PKI": paths{
			CA:          c.PKI(pki.CACert),
			KubeletCert: c.PKI("kubelet-server.crt"),
			KubeletKey:  c.PKI("kubelet-server.key"),
		},
	}
	files := map[string]string{
		"audit-policy.yaml":  c.Config("audit-policy.yaml"),
		"cni.conflist":       c.Config("cni/10-cluster.conflist"),
		"containerd.toml":    c.Config("containerd.toml"),
		"kubelet.yaml":       c.Config("kubelet.yaml"),
		"prometheus.yaml":    c.Config("prometheus.yaml"),
		RBACManifest:         c.Config(RBACManifest),
		GatewayClassManifest: c.Config(GatewayClassManifest),
	}
	rendered := map[string][]byte{}
	for name, path := range files {
		t, err := template.ParseFS(templates, "config/"+name)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if err := t.Option("missingkey=error").Execute(&out, data); err != nil {
			return nil, fmt.Errorf("render %s: %w", name, err)
		}
		rendered[path] = out.Bytes()
	}
	return rendered, nil
}
