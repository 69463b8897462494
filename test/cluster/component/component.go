// Package component says how each part of a cluster is run: its arguments, its
// configuration and how to see that it works.
//
// One file per component, all pure: everything depends on the layout and on
// Host, and nothing is read or started here.
package component

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

// Host is what a component has to know about the machine.
type Host struct {
	// BinDir holds the binaries that are built.
	BinDir string
	// Launcher is the launcher's own binary, which is also the forwarder.
	Launcher string
	// Containerd is containerd's binary.
	Containerd string
	// CNIBinDir holds the CNI plug-ins.
	CNIBinDir string
	// Ports are where the forwarder listens on the host.
	Ports Ports
}

// Ports are ports of the host's 127.0.0.1 that lead into the cluster.
type Ports struct {
	APIServer  int `json:"apiServer"`
	Gateway    int `json:"gateway"`
	Prometheus int `json:"prometheus"`
}

// Component is one process of the cluster.
type Component struct {
	// Name is what people call it.
	Name string
	// Argv is its path and arguments.
	Argv []string
	// Env are variables it needs beside PATH and HOME.
	Env []string
	// Listen are ports of the host's 127.0.0.1. The sockets are opened on the
	// host and handed to the process as descriptors 3 and up.
	Listen []int
	// Probe is a URL that answers 200 once the component works. The schemes unix
	// and tcp mean that it is enough to connect; tcp connects on the host.
	Probe string
}

// Stages are the components by when they can start.
type Stages struct {
	// Ground needs nothing else.
	Ground []Component
	// API needs etcd.
	API []Component
	// Node needs the API server, and the kubelet containerd too.
	Node []Component
	// Guests are no part of Kubernetes. They need their access rules in the API
	// server, and Traefik the Gateway API's resource definitions.
	Guests []Component
}

// NewStages describes the components of a cluster.
func NewStages(c layout.Cluster, h Host) Stages {
	return Stages{
		Ground: []Component{etcd(c, h), containerd(c, h), forward(h)},
		API:    []Component{kubeAPIServer(c, h)},
		Node:   []Component{kubeControllerManager(c, h), kubeScheduler(c, h), kubelet(c, h), kubeProxy(c, h)},
		Guests: []Component{traefik(c, h), prometheus(c, h)},
	}
}

// All lists every component in the order in which they start.
func (s Stages) All() []Component {
	return slices.Concat(s.Ground, s.API, s.Node, s.Guests)
}

// Named finds a component.
func (s Stages) Named(name string) (Component, error) {
	var names []string
	for _, component := range s.All() {
		if component.Name == name {
			return component, nil
		}
		names = append(names, component.Name)
	}
	return Component{}, fmt.Errorf("no component is called %q; there are %s", name, strings.Join(names, ", "))
}
