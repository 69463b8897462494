package env

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	loopback = "127.0.0.1"
	// adminToken opens an API server that lives for minutes, on loopback, in a test.
	adminToken = "admin-of-a-test"
)

// ControlPlane is an etcd and an API server on loopback, and nothing that acts on objects.
type ControlPlane struct {
	// Etcd keeps the objects.
	Etcd *Process
	// APIServer serves them.
	APIServer *Process
	// EtcdURL is where etcd answers, also to plain HTTP.
	EtcdURL string
	// Config connects as an administrator.
	Config *rest.Config

	folder string
}

// startControlPlane starts both, and brings the definitions of Sluice and of the Gateway API.
func startControlPlane(ctx context.Context) (*ControlPlane, error) {
	assets := os.Getenv(assetsVariable)
	if assets == "" {
		return nil, fmt.Errorf("%s is not set: run `make test`, or set it to the folder that "+
			"`go run -C test/cluster . assets` prints", assetsVariable)
	}
	folder, err := os.MkdirTemp("", "sluice-apiserver-*")
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{folder: folder}
	if err := c.configure(assets); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	for _, start := range []func(context.Context) error{c.Etcd.Start, c.APIServer.Start, c.installDefinitions} {
		if err := start(ctx); err != nil {
			return nil, errors.Join(err, c.stop())
		}
	}
	return c, nil
}

// configure chooses ports, keys and flags.
func (c *ControlPlane) configure(assets string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	client, peer, secure := address(ports[0]), address(ports[1]), address(ports[2])
	certificate, key, err := cert.GenerateSelfSignedCertKey(loopback, nil, nil)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"apiserver.crt": certificate,
		"apiserver.key": key,
		"tokens.csv":    []byte(adminToken + `,admin,admin,"system:masters"` + "\n"),
	}
	for name, data := range files {
		if err := os.WriteFile(c.file(name), data, 0o600); err != nil {
			return err
		}
	}
	c.EtcdURL = "http://" + client
	c.Config = &rest.Config{
		Host: "https://" + secure, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{CAData: certificate},
		QPS: -1,
	}
	c.Etcd = &Process{
		path: filepath.Join(assets, "etcd"), log: c.file("etcd.log"), healthy: c.etcdAnswers,
		args: []string{
			"--data-dir=" + c.file("etcd"), "--listen-client-urls=" + c.EtcdURL, "--advertise-client-urls=" + c.EtcdURL,
			"--listen-peer-urls=http://" + peer,
			"--unsafe-no-fsync", // what has been written survives the death of the process, not that of the machine
		},
	}
	c.APIServer = &Process{
		path: filepath.Join(assets, "kube-apiserver"), log: c.file("apiserver.log"), healthy: c.serverIsReady,
		args: []string{
			"--etcd-servers=" + c.EtcdURL, "--bind-address=" + loopback, "--secure-port=" + strconv.Itoa(ports[2]),
			"--tls-cert-file=" + c.file("apiserver.crt"), "--tls-private-key-file=" + c.file("apiserver.key"),
			"--token-auth-file=" + c.file("tokens.csv"), "--authorization-mode=RBAC",
			"--service-account-issuer=https://" + secure, "--service-account-key-file=" + c.file("apiserver.key"),
			"--service-account-signing-key-file=" + c.file("apiserver.key"),
			"--service-cluster-ip-range=10.0.0.0/20", "--cert-dir=" + c.folder,
			"--disable-admission-plugins=ServiceAccount", // nobody makes the account of a namespace
			"--endpoint-reconciler-type=none",            // nor is there a Service for the API server
		},
	}
	return c.writeKubeconfig()
}

func (c *ControlPlane) file(name string) string { return filepath.Join(c.folder, name) }

// kubeconfig is for programs: kubectl, and the controller itself.
func (c *ControlPlane) kubeconfig() string { return c.file("kubeconfig") }

func (c *ControlPlane) writeKubeconfig() error { return WriteKubeconfig(c.Config, c.kubeconfig()) }

// WriteKubeconfig writes a file that connects as a configuration does that has a token or impersonates somebody.
func WriteKubeconfig(config *rest.Config, path string) error {
	const name = "test"
	out := clientcmdapi.NewConfig()
	out.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	out.AuthInfos[name] = &clientcmdapi.AuthInfo{
		Token: config.BearerToken, Impersonate: config.Impersonate.UserName, ImpersonateGroups: config.Impersonate.Groups,
	}
	out.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	out.CurrentContext = name
	return clientcmd.WriteToFile(*out, path)
}

func (c *ControlPlane) etcdAnswers(ctx context.Context) error {
	return answers(ctx, http.DefaultClient, c.EtcdURL+"/health")
}

func (c *ControlPlane) serverIsReady(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.Config)
	if err != nil {
		return err
	}
	return answers(ctx, client, c.Config.Host+"/readyz")
}

func answers(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(req)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

func (c *ControlPlane) installDefinitions(ctx context.Context) error {
	own, err := moduleFolder(ctx, module)
	if err != nil {
		return err
	}
	gateway, err := moduleFolder(ctx, gatewayModule)
	if err != nil {
		return err
	}
	var others []*apiextensionsv1.CustomResourceDefinition
	for _, p := range publishedDefinitions() {
		definitions, err := p.read(ctx)
		if err != nil {
			return err
		}
		others = append(others, definitions...)
	}
	_, err = envtest.InstallCRDs(c.Config, envtest.CRDInstallOptions{
		ErrorIfPathMissing: true,
		CRDs:               others,
		Paths: []string{
			filepath.Join(own, "config", "crd"),
			filepath.Join(gateway, "config", "crd", "standard"),
		},
	})
	return err
}

// stop ends both and removes what they kept.
func (c *ControlPlane) stop() error {
	return errors.Join(c.APIServer.Kill(), c.Etcd.Kill(), os.RemoveAll(c.folder))
}

// freePorts are ports on loopback that nobody listens on now.
func freePorts(n int) ([]int, error) {
	var out []int
	for range n {
		listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, err
		}
		defer listener.Close() // all stay open until all are chosen
		taken, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("%s is no address of TCP", listener.Addr())
		}
		out = append(out, taken.Port)
	}
	return out, nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
