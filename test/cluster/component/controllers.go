package component

import (
	"path/filepath"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/pki"
)

func kubeControllerManager(c layout.Cluster, h Host) Component {
	return Component{
		Name: "kube-controller-manager",
		Argv: []string{
			filepath.Join(h.BinDir, "kube-controller-manager"),
			"--kubeconfig=" + c.KubeconfigOf("kube-controller-manager"),
			// There is one of each: an election would only delay the start by the
			// lease of the one before.
			"--leader-elect=false",
			// Each controller asks as itself, so that the audit log tells them apart.
			"--use-service-account-credentials=true",
			"--service-account-private-key-file=" + c.PKI(pki.ServiceAccountKey),
			// What pods trust the API server by.
			"--root-ca-file=" + c.PKI(pki.CACert),
			// How often an autoscaler looks. The default, 15 s, would be most of what a
			// test of one waits for.
			"--horizontal-pod-autoscaler-sync-period=1s",
			"--bind-address=127.0.0.1",
		},
		Probe: "https://127.0.0.1:10257/healthz",
	}
}

func kubeScheduler(c layout.Cluster, h Host) Component {
	return Component{
		Name: "kube-scheduler",
		Argv: []string{
			filepath.Join(h.BinDir, "kube-scheduler"),
			"--kubeconfig=" + c.KubeconfigOf("kube-scheduler"),
			"--leader-elect=false",
			"--bind-address=127.0.0.1",
		},
		Probe: "https://127.0.0.1:10259/healthz",
	}
}
