package component

import (
	"path/filepath"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

func prometheus(c layout.Cluster, h Host) Component {
	return Component{
		Name: "prometheus",
		Argv: []string{
			filepath.Join(h.BinDir, "prometheus"),
			"--config.file=" + c.Config("prometheus.yaml"),
			"--storage.tsdb.path=" + c.State("prometheus"),
			"--storage.tsdb.retention.time=1d",
			"--web.listen-address=" + layout.Prometheus,
		},
		Probe: "http://" + layout.Prometheus + "/-/ready",
	}
}
