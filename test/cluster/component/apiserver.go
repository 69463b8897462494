package component

import (
	"path/filepath"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/pki"
)

func kubeAPIServer(c layout.Cluster, h Host) Component {
	ca, signing := c.PKI(pki.CACert), c.PKI(pki.ServiceAccountKey)
	return Component{
		Name: "kube-apiserver",
		Argv: []string{
			filepath.Join(h.BinDir, "kube-apiserver"),
			"--etcd-servers=http://" + layout.Etcd,
			"--secure-port=6443",
			"--advertise-address=" + layout.NodeIP,
			"--service-cluster-ip-range=" + layout.ServiceCIDR,
			"--tls-cert-file=" + c.PKI("kube-apiserver.crt"),
			"--tls-private-key-file=" + c.PKI("kube-apiserver.key"),
			"--client-ca-file=" + ca,
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged=true",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + signing,
			"--service-account-signing-key-file=" + signing,
			// How it reaches the kubelet, for logs and exec.
			"--kubelet-client-certificate=" + c.PKI("kube-apiserver-kubelet-client.crt"),
			"--kubelet-client-key=" + c.PKI("kube-apiserver-kubelet-client.key"),
			"--kubelet-certificate-authority=" + ca,
			"--kubelet-preferred-address-types=InternalIP",
			// Told to end, it ends its watches within this time. Without, it waits a
			// minute for them to end by themselves, which none does.
			"--shutdown-watch-termination-grace-period=1s",
			"--audit-policy-file=" + c.Config("audit-policy.yaml"),
			"--audit-log-path=" + c.AuditLog(),
			// In MB. The default, 100, would rotate the log away under a test that
			// counts lines.
			"--audit-log-maxsize=4096",
		},
		Probe: "https://" + layout.APIServer + "/readyz",
	}
}
