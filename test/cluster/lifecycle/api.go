package lifecycle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/pki"
	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

// apiClient reads from the API server as the launcher. Reading three objects
// does not need Kubernetes' client library, and kubectl takes a third of a
// second to start.
type apiClient struct {
	cluster layout.Cluster
}

// get reads an object.
func (a apiClient) get(ctx context.Context, path string, into any) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+layout.APIServer+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

func (a apiClient) client() (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(a.cluster.PKI("launcher.crt"), a.cluster.PKI("launcher.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(a.cluster.PKI(pki.CACert))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{
		Timeout: probeLimit,
		Transport: &http.Transport{
			DialContext:     sandbox.Dialer(a.cluster),
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}},
		},
	}, nil
}

// condition is one entry of an object's status.conditions.
type condition struct {
	Type    string
	Status  string
	Message string
}

// isTrue looks a condition up.
func isTrue(conditions []condition, kind string) error {
	for _, c := range conditions {
		if c.Type != kind {
			continue
		}
		if c.Status == "True" {
			return nil
		}
		return fmt.Errorf("%s is %s: %s", kind, c.Status, c.Message)
	}
	return fmt.Errorf("%s is not reported yet", kind)
}
