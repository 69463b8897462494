package component

import "github.com/sluice-dev/sluice/test/cluster/layout"

// forward leads from ports of the host into the cluster.
func forward(h Host) Component {
	return Component{
		Name:   "forward",
		Argv:   []string{h.Launcher, "forward", layout.APIServer, layout.Gateway, layout.Prometheus},
		Listen: []int{h.Ports.APIServer, h.Ports.Gateway, h.Ports.Prometheus},
		Probe:  "tcp://" + HostAddress(h.Ports.APIServer),
	}
}
