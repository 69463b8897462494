package pki

import (
	"fmt"
	"os"
	"time"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

// Files are the names of certificates and keys in the cluster's PKI folder.
const (
	// CACert is the authority's certificate. Its key is not kept: nothing is
	// issued after the cluster was made.
	CACert = "ca.crt"
	// ServiceAccountKey signs and checks service account tokens.
	ServiceAccountKey = "service-account.key"
)

// Make issues everything the cluster needs and writes it: certificates, keys
// and kubeconfigs. server is the address of the API server on the host.
func Make(c layout.Cluster, server string, now time.Time) error {
	ca, err := NewAuthority("sluice-cluster-"+c.Name, now)
	if err != nil {
		return fmt.Errorf("make certificate authority: %w", err)
	}
	signing, err := NewSigningKey()
	if err != nil {
		return fmt.Errorf("make service account key: %w", err)
	}
	files := map[string][]byte{
		c.PKI(CACert):            ca.Cert,
		c.PKI(ServiceAccountKey): signing,
	}
	clients := Clients(c.Name)
	pairs := map[string]Pair{}
	for _, id := range append(Others(c.Name), clients...) {
		pair, err := ca.Issue(id.Request)
		if err != nil {
			return fmt.Errorf("issue certificate of %s: %w", id.Name, err)
		}
		pairs[id.Name] = pair
		files[c.PKI(id.Name+".crt")] = pair.Cert
		files[c.PKI(id.Name+".key")] = pair.Key
	}
	for _, id := range clients {
		files[c.KubeconfigOf(id.Name)] = Kubeconfig(c.Name, "https://"+layout.APIServer, ca.Cert, pairs[id.Name])
	}
	files[c.Kubeconfig()] = Kubeconfig(c.Name, server, ca.Cert, pairs["admin"])
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
