package component

import (
	"path/filepath"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

func etcd(c layout.Cluster, h Host) Component {
	const client, peer = "http://" + layout.Etcd, "http://" + layout.EtcdPeer
	return Component{
		Name: "etcd",
		Argv: []string{
			filepath.Join(h.BinDir, "etcd"),
			"--name=" + c.Name,
			"--data-dir=" + c.State("etcd"),
			"--listen-client-urls=" + client,
			"--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + c.Name + "=" + peer,
			// The data is thrown away with the cluster. It survives the death of the
			// process, as it is in the page cache, and need not survive that of the
			// machine.
			"--unsafe-no-fsync",
			"--log-level=warn",
		},
		Probe: client + "/health",
	}
}
