package component

import (
	"path/filepath"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

func containerd(c layout.Cluster, h Host) Component {
	return Component{
		Name:  "containerd",
		Argv:  []string{h.Containerd, "--config", c.Config("containerd.toml")},
		Probe: "unix://" + c.Containerd(),
	}
}

func kubelet(c layout.Cluster, h Host) Component {
	return Component{
		Name: "kubelet",
		Argv: []string{
			filepath.Join(h.BinDir, "kubelet"),
			"--config=" + c.Config("kubelet.yaml"),
			"--kubeconfig=" + c.KubeconfigOf("kubelet"),
			"--hostname-override=" + c.Name,
			"--node-ip=" + layout.NodeIP,
			"--root-dir=" + c.State("kubelet"),
		},
		Probe: "http://127.0.0.1:10248/healthz",
	}
}

func kubeProxy(c layout.Cluster, h Host) Component {
	return Component{
		Name: "kube-proxy",
		Argv: []string{
			filepath.Join(h.BinDir, "kube-proxy"),
			"--kubeconfig=" + c.KubeconfigOf("kube-proxy"),
			"--hostname-override=" + c.Name,
			"--proxy-mode=iptables",
			"--nodeport-addresses=primary",
			"--cluster-cidr=" + layout.PodCIDR,
			// A changed endpoint is programmed at once. The default waits a second,
			// in which requests go to a pod that has left.
			"--iptables-min-sync-period=0s",
			// The size of the table belongs to the machine and cannot be set here.
			"--conntrack-max-per-core=0",
			"--healthz-bind-address=" + layout.NodeIP + ":10256",
		},
		Probe: "http://" + layout.NodeIP + ":10256/healthz",
	}
}
