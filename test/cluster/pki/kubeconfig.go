package pki

import (
	"encoding/base64"
	"fmt"
)

// Kubeconfig renders a kubeconfig with everything embedded, so that the one
// file can be copied elsewhere.
func Kubeconfig(cluster, server string, ca []byte, client Pair) []byte {
	const format = `apiVersion: v1
kind: Config
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[1]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
contexts:
- name: %[1]s
  context: {cluster: %[1]s, user: %[1]s}
current-context: %[1]s
`
	text := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, format, cluster, server, text(ca), text(client.Cert), text(client.Key))
}
