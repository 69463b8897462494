// Package env gives tests a real API server: etcd and kube-apiserver, with the CRDs of Sluice and of the Gateway API, and
// nothing that acts on objects. One server serves all tests of a test binary; each test gets a namespace of its own.
//
//	func TestMain(m *testing.M) { os.Exit(env.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		e := env.Start(t)
//		...e.Client.Create(t.Context(), object in e.Namespace)...
//	}
//
// The binaries come from the folder in KUBEBUILDER_ASSETS, which `make test` sets.
package env

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	assetsVariable = "KUBEBUILDER_ASSETS"
	module         = "github.com/sluice-dev/sluice"
	gatewayModule  = "sigs.k8s.io/gateway-api"
	// startTimeout is generous: on two busy cores the API server has taken 20 seconds.
	startTimeout = 2 * time.Minute
)

// Env is a connection to the API server, and a namespace in it.
type Env struct {
	// Config connects as an administrator.
	Config *rest.Config
	// Client reads and writes without a cache, as an administrator.
	Client client.Client
	// Scheme knows the types of Kubernetes, of the Gateway API and of Sluice.
	Scheme *runtime.Scheme
	// Namespace belongs to this test alone. It is not removed: nothing in an API server without controllers would
	// empty it.
	Namespace string

	server *server
}

// server is the one API server of a test binary.
type server struct {
	once       sync.Once
	err        error
	inMain     bool
	testEnv    *envtest.Environment
	config     *rest.Config
	client     client.Client
	scheme     *runtime.Scheme
	kubeconfig string
}

//nolint:gochecknoglobals // TestMain and the tests of a binary share nothing but the package.
var shared server

// Main runs the tests of a binary, and then stops the API server if one of them started it. It returns the exit code.
func Main(m *testing.M) int {
	shared.inMain = true
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
		return max(code, 1)
	}
	return code
}

// Start gives a test the API server, which the first test starts, and a namespace of its own.
func Start(t *testing.T) *Env {
	t.Helper()
	if !shared.inMain {
		t.Fatal("nothing would stop the API server: add `func TestMain(m *testing.M) { os.Exit(env.Main(m)) }`")
	}
	shared.once.Do(func() { shared.err = shared.start() })
	if shared.err != nil {
		t.Fatalf("start the API server: %v", shared.err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := shared.client.Create(t.Context(), namespace); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	return &Env{
		Config:    rest.CopyConfig(shared.config),
		Client:    shared.client,
		Scheme:    shared.scheme,
		Namespace: namespace.Name,
		server:    &shared,
	}
}

// Kubectl runs kubectl in the namespace of the test, with the given standard input, and returns what it printed on
// standard output. The error holds what it printed on standard error.
func (e *Env) Kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	binary := filepath.Join(os.Getenv(assetsVariable), "kubectl")
	command := exec.CommandContext(t.Context(), binary,
		append([]string{"--kubeconfig", e.server.kubeconfig, "--namespace", e.Namespace}, args...)...)
	command.Stdin = strings.NewReader(stdin)
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

func (s *server) start() error {
	if os.Getenv(assetsVariable) == "" {
		return fmt.Errorf("%s is not set: run `make test`, or set it to the folder that "+
			"`go run -C test/cluster . assets` prints", assetsVariable)
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	own, err := moduleFolder(module)
	if err != nil {
		return err
	}
	gateway, err := moduleFolder(gatewayModule)
	if err != nil {
		return err
	}
	s.scheme = scheme
	s.testEnv = &envtest.Environment{
		Scheme:                   scheme,
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		CRDDirectoryPaths: []string{
			filepath.Join(own, "config", "crd"),
			filepath.Join(gateway, "config", "crd", "standard"),
		},
	}
	if s.config, err = s.testEnv.Start(); err != nil {
		return errors.Join(err, s.testEnv.Stop())
	}
	if s.client, err = client.New(s.config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return s.writeKubeconfig()
}

func (s *server) writeKubeconfig() error {
	file, err := os.CreateTemp("", "kubeconfig-*")
	if err != nil {
		return err
	}
	s.kubeconfig = file.Name()
	_, err = file.Write(s.testEnv.KubeConfig)
	return errors.Join(err, file.Close())
}

func (s *server) stop() error {
	var errs []error
	if s.kubeconfig != "" {
		errs = append(errs, os.Remove(s.kubeconfig))
	}
	if s.testEnv != nil {
		errs = append(errs, s.testEnv.Stop())
	}
	return errors.Join(errs...)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// moduleFolder is where the source of a module of this build lies. Tests run in the folder of their package, so that
// the go command finds the main module.
func moduleFolder(path string) (string, error) {
	command := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", path)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	folder, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find the source of %s: %w: %s", path, err, stderr.String())
	}
	return strings.TrimSpace(string(folder)), nil
}
