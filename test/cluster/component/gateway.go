package component

import (
	"path/filepath"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

func traefik(c layout.Cluster, h Host) Component {
	return Component{
		Name: "traefik",
		Argv: []string{
			filepath.Join(h.BinDir, "traefik"),
			"--global.checknewversion=false",
			"--global.sendanonymoususage=false",
			"--entrypoints.web.address=" + layout.Gateway,
			"--entrypoints.internal.address=" + layout.TraefikMetrics,
			"--ping=true",
			"--ping.entrypoint=internal",
			"--metrics.prometheus=true",
			"--metrics.prometheus.entrypoint=internal",
			"--metrics.prometheus.addserviceslabels=true",
			"--metrics.prometheus.addrouterslabels=true",
			// Bounds in seconds. The default has only 0.1, 0.3, 1.2 and 5, too few to
			// see that a version became slower.
			"--metrics.prometheus.buckets=0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5",
			"--providers.kubernetesgateway=true",
			"--providers.kubernetesgateway.statusaddress.ip=" + layout.NodeIP,
			// Traefik's own kinds. Without the second flag it refuses a weighted service
			// as a whole while one of its Services has no endpoint.
			"--providers.kubernetescrd=true",
			"--providers.kubernetescrd.allowemptyservices=true",
			// How long Traefik gathers changes before it acts. The default, 2 s,
			// suits clusters where something changes all the time. Here it would be
			// most of what a test waits for after it moved a weight, and 2 s during
			// which requests go to pods that have left.
			"--providers.providersthrottleduration=200ms",
		},
		Env:   []string{"KUBECONFIG=" + c.KubeconfigOf("traefik")},
		Probe: "http://" + layout.TraefikMetrics + "/ping",
	}
}
