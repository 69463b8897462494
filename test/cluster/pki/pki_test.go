package pki_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/pki"
)

func now() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }

func parse(t *testing.T, pair pki.Pair) *x509.Certificate {
	t.Helper()
	if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
		t.Fatalf("certificate and key do not belong together: %v", err)
	}
	block, _ := pem.Decode(pair.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestIssue(t *testing.T) {
	ca, err := pki.NewAuthority("test", now())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range append(pki.Clients("node"), pki.Others("node")...) {
		t.Run(id.Name, func(t *testing.T) {
			pair, err := ca.Issue(id.Request)
			if err != nil {
				t.Fatal(err)
			}
			cert := parse(t, pair)
			if cert.Subject.CommonName != id.User || !slices.Equal(cert.Subject.Organization, id.Groups) {
				t.Errorf("it is for %s, want %s of %v", cert.Subject, id.User, id.Groups)
			}
			checkUse(t, ca, cert, append(id.DNSNames, id.IPs...))
		})
	}
}

// checkUse checks that a certificate is trusted for its side of a connection
// and its names, and for nothing else.
func checkUse(t *testing.T, ca *pki.Authority, cert *x509.Certificate, hosts []string) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(parse(t, ca.Pair))
	verify := func(host string, usage x509.ExtKeyUsage) error {
		_, err := cert.Verify(x509.VerifyOptions{
			Roots: roots, DNSName: host, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{usage},
		})
		return err
	}
	right, wrong := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
	if len(hosts) > 0 {
		right, wrong = wrong, right
	}
	if verify("", wrong) == nil {
		t.Error("it is good for the other side of a connection too")
	}
	for _, host := range append(hosts, "") { // The empty name is not checked.
		if err := verify(host, right); err != nil {
			t.Error(err)
		}
	}
}

func TestIssueRefusesAnAddressThatIsNone(t *testing.T) {
	ca, err := pki.NewAuthority("test", now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Issue(pki.Request{User: "u", IPs: []string{"10.0.0"}}); err == nil {
		t.Error("10.0.0 is accepted")
	}
}

// Pods reach the API server by its Service address and trust it by its name
// there.
func TestAPIServerIsTrustedUnderAllItsNames(t *testing.T) {
	i := slices.IndexFunc(pki.Others("n"), func(id pki.Identity) bool { return id.Name == "kube-apiserver" })
	request := pki.Others("n")[i].Request
	for _, want := range []string{"kubernetes.default.svc", "localhost", layout.NodeIP, layout.KubernetesServiceIP, "127.0.0.1"} {
		if !slices.Contains(append(request.DNSNames, request.IPs...), want) {
			t.Errorf("the certificate lacks %s", want)
		}
	}
}

func TestMake(t *testing.T) {
	dir := t.TempDir()
	c := layout.Cluster{Name: "test", StateDir: dir, RunDir: dir}
	for _, sub := range []string{"pki", "kubeconfigs"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := pki.Make(c, "https://127.0.0.1:1234", now()); err != nil {
		t.Fatal(err)
	}
	for path, server := range map[string]string{
		c.Kubeconfig():            "https://127.0.0.1:1234",
		c.KubeconfigOf("admin"):   "https://" + layout.APIServer,
		c.KubeconfigOf("kubelet"): "https://" + layout.APIServer,
	} {
		config, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(config, []byte("server: "+server+"\n")) {
			t.Errorf("%s does not lead to %s:\n%s", path, server, config)
		}
		pair := pki.Pair{Cert: field(t, config, "client-certificate-data"), Key: field(t, config, "client-key-data")}
		parse(t, pair)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is readable to others: %s", path, info.Mode())
		}
	}
}

// field takes an embedded file from a kubeconfig.
func field(t *testing.T, config []byte, name string) []byte {
	t.Helper()
	found := regexp.MustCompile(name + `: (\S+)`).FindSubmatch(config)
	if found == nil {
		t.Fatalf("no %s in:\n%s", name, config)
	}
	data, err := base64.StdEncoding.DecodeString(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
