package pki

import "github.com/sluice-dev/sluice/test/cluster/layout"

// Identity is one holder of a certificate.
type Identity struct {
	// Name is the name of its files.
	Name string
	Request
}

// Clients are the identities that talk to the API server. Each gets a
// kubeconfig under its name.
func Clients(node string) []Identity {
	admins := []string{"system:masters"}
	return []Identity{
		{"admin", Request{User: "admin", Groups: admins}},
		// The launcher is told apart from people in the audit log.
		{"launcher", Request{User: "cluster-launcher", Groups: admins}},
		{"kube-controller-manager", Request{User: "system:kube-controller-manager"}},
		{"kube-scheduler", Request{User: "system:kube-scheduler"}},
		{"kubelet", Request{User: "system:node:" + node, Groups: []string{"system:nodes"}}},
		{"kube-proxy", Request{User: "system:kube-proxy"}},
		// These two are no part of Kubernetes; config/rbac.yaml grants them what
		// they need and no more.
		{"traefik", Request{User: "traefik"}},
		{"prometheus", Request{User: "prometheus"}},
	}
}

// Others are the identities without a kubeconfig: the two servers, and the API
// server where it is the client of the kubelet.
func Others(node string) []Identity {
	return []Identity{
		{"kube-apiserver", Request{
			User: "kube-apiserver",
			DNSNames: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local",
			},
			IPs: []string{layout.NodeIP, layout.KubernetesServiceIP, "127.0.0.1"},
		}},
		{"kubelet-server", Request{
			User: "system:node:" + node, Groups: []string{"system:nodes"},
			DNSNames: []string{node}, IPs: []string{layout.NodeIP},
		}},
		{"kube-apiserver-kubelet-client", Request{
			User: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"},
		}},
	}
}
