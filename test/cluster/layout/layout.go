// Package layout says where everything of a test cluster is: its addresses, its
// folders and its files.
//
// It is the only place that knows a path or an address. Addresses are the same
// in every cluster, because each has a network namespace of its own; paths
// carry the cluster's name, because clusters share one file system.
package layout

import (
	"fmt"
	"path/filepath"
	"regexp"
)

// Addresses inside a cluster's network namespace.
const (
	// NodeIP is the only node's address. The API server, Traefik and Prometheus
	// listen on it, and pods reach it.
	NodeIP = "10.77.0.1"
	// NodeCIDR is the node's address with its network.
	NodeCIDR = NodeIP + "/24"
	// PodCIDR is where pod addresses come from.
	PodCIDR = "10.244.0.0/16"
	// ServiceCIDR is where cluster addresses of Services come from.
	ServiceCIDR = "10.96.0.0/16"
	// KubernetesServiceIP is the first address of ServiceCIDR: the API server as
	// pods see it.
	KubernetesServiceIP = "10.96.0.1"

	// APIServer is where the API server listens.
	APIServer = NodeIP + ":6443"
	// Gateway is where Traefik serves Gateway listeners on port 8000.
	Gateway = NodeIP + ":8000"
	// TraefikMetrics is Traefik's internal entry point: /metrics and /ping.
	TraefikMetrics = NodeIP + ":8082"
	// Prometheus is where Prometheus listens.
	Prometheus = NodeIP + ":9090"
	// Etcd is where etcd listens. Only the API server talks to it.
	Etcd = "127.0.0.1:2379"
	// EtcdPeer is where etcd would listen for peers. It insists on having one.
	EtcdPeer = "127.0.0.1:2380"
)

// GatewayClass is the name of the GatewayClass that Traefik serves.
const GatewayClass = "traefik"

// PauseImage is the image that holds a pod's namespaces. It is built here and
// never pulled.
const PauseImage = "sluice.local/cluster-pause:1"

// DefaultName is the cluster a command means when it names none.
const DefaultName = "sluice"

// maxName keeps the longest socket path, /run/sluice-cluster/NAME/containerd.sock.ttrpc,
// far below the kernel's 107 bytes.
const maxName = 32

// Cluster is the paths of one named cluster.
type Cluster struct {
	// Name is the cluster's name and its node's.
	Name string
	// StateDir holds everything that lives on disk.
	StateDir string
	// RunDir holds sockets and namespaces.
	RunDir string
}

// New gives the layout of the cluster called name.
func New(name string) (Cluster, error) {
	valid := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	if !valid.MatchString(name) || len(name) > maxName {
		return Cluster{}, fmt.Errorf("cluster name %q: use at most %d lower-case letters, digits and inner hyphens, such as %q",
			name, maxName, DefaultName)
	}
	return Cluster{
		Name:     name,
		StateDir: filepath.Join("/var/lib/sluice-cluster", name),
		RunDir:   filepath.Join("/run/sluice-cluster", name),
	}, nil
}

// State joins a path below the cluster's state folder.
func (c Cluster) State(elem ...string) string {
	return filepath.Join(append([]string{c.StateDir}, elem...)...)
}

// PKI is the path of a certificate or key.
func (c Cluster) PKI(file string) string { return c.State("pki", file) }

// Config is the path of a rendered configuration file.
func (c Cluster) Config(file string) string { return c.State("config", file) }

// Log is the path of a component's log.
func (c Cluster) Log(component string) string { return c.State("logs", component+".log") }

// Record is the path of the file that remembers a component's process.
func (c Cluster) Record(component string) string { return c.State("run", component+".json") }

// Settings is the path of what was decided when the cluster was made.
func (c Cluster) Settings() string { return c.State("cluster.json") }

// Kubeconfig is the administrator's kubeconfig for use on the host.
func (c Cluster) Kubeconfig() string { return c.State("kubeconfig") }

// KubeconfigOf is the kubeconfig of one identity for use inside the namespace.
func (c Cluster) KubeconfigOf(identity string) string {
	return c.State("kubeconfigs", identity)
}

// AuditLog is the API server's audit log.
func (c Cluster) AuditLog() string { return c.State("audit", "audit.log") }

// Containerd is containerd's socket.
func (c Cluster) Containerd() string { return filepath.Join(c.RunDir, "containerd.sock") }

// Namespaces is the folder that keeps the cluster's namespaces alive.
func (c Cluster) Namespaces() string { return filepath.Join(c.RunDir, "ns") }

// NetworkNamespace is the file that stands for the network namespace.
func (c Cluster) NetworkNamespace() string { return filepath.Join(c.Namespaces(), "net") }

// MountNamespace is the file that stands for the mount namespace.
func (c Cluster) MountNamespace() string { return filepath.Join(c.Namespaces(), "mnt") }

// CgroupRoot is the control group, relative to each hierarchy, that all pods
// live under.
func (c Cluster) CgroupRoot() string { return filepath.Join("/sluice-cluster", c.Name) }
