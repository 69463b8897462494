// Package env gives tests a real API server: etcd and kube-apiserver, with the CRDs of Sluice and of the Gateway API, and
// nothing that acts on objects. One server serves all tests of a test binary; each test gets a namespace of its own. A test
// that kills its server starts one that is its own.
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

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	assetsVariable = "KUBEBUILDER_ASSETS"
	module         = "github.com/sluice-dev/sluice"
	gatewayModule  = "sigs.k8s.io/gateway-api"
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
	// ControlPlane is what serves. Only a test that started one of its own may kill it.
	ControlPlane *ControlPlane

	server *server
}

// server is an API server and what tests reach it with.
type server struct {
	plane  *ControlPlane
	client client.Client
	scheme *runtime.Scheme
}

// sharedServer is the one API server of a test binary, which the first test starts that asks for it.
type sharedServer struct {
	once   sync.Once
	err    error
	inMain bool
	server *server
}

//nolint:gochecknoglobals // TestMain and the tests of a binary share nothing but the package.
var shared sharedServer

// Main runs the tests of a binary, and then stops the API server if one of them started it. It returns the exit code.
// What clients and controllers log is thrown away: a test says what it saw.
func Main(m *testing.M) int {
	ctrllog.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	shared.inMain = true
	code := m.Run()
	if shared.server == nil {
		return code
	}
	if err := shared.server.plane.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
		return max(code, 1)
	}
	return code
}

// Start gives a test the API server, which the first test starts, and a namespace of its own.
func Start(t testing.TB) *Env {
	t.Helper()
	if !shared.inMain {
		t.Fatal("nothing would stop the API server: add `func TestMain(m *testing.M) { os.Exit(env.Main(m)) }`")
	}
	shared.once.Do(func() { shared.server, shared.err = startServer(context.WithoutCancel(t.Context())) })
	if shared.err != nil {
		t.Fatalf("start the API server: %v", shared.err)
	}
	return shared.server.namespace(t)
}

// StartOwn gives a test an API server of its own, with an etcd of its own: both may be killed. They end with the test.
func StartOwn(t testing.TB) *Env {
	t.Helper()
	own, err := startServer(t.Context())
	if err != nil {
		t.Fatalf("start an API server: %v", err)
	}
	t.Cleanup(func() {
		if err := own.plane.stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	return own.namespace(t)
}

// Another is a second namespace in the same API server.
func (e *Env) Another(t testing.TB) *Env {
	t.Helper()
	return e.server.namespace(t)
}

// namespace makes a namespace.
func (s *server) namespace(t testing.TB) *Env {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := s.client.Create(t.Context(), namespace); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	return &Env{
		Config:       rest.CopyConfig(s.plane.Config),
		Client:       s.client,
		Scheme:       s.scheme,
		Namespace:    namespace.Name,
		ControlPlane: s.plane,
		server:       s,
	}
}

// Kubectl runs kubectl in the namespace of the test, with the given standard input, and returns what it printed on
// standard output. The error holds what it printed on standard error.
func (e *Env) Kubectl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	binary := filepath.Join(os.Getenv(assetsVariable), "kubectl")
	command := exec.CommandContext(t.Context(), binary,
		append([]string{"--kubeconfig", e.ControlPlane.kubeconfig(), "--namespace", e.Namespace}, args...)...)
	command.Stdin = strings.NewReader(stdin)
	command.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

func startServer(ctx context.Context) (*server, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	plane, err := startControlPlane(ctx)
	if err != nil {
		return nil, err
	}
	c, err := client.New(plane.Config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, errors.Join(err, plane.stop())
	}
	return &server{plane: plane, client: c, scheme: scheme}, nil
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, gatewayv1.Install, gatewayv1beta1.Install, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// moduleFolder is where the source of a module of this build lies. Tests run in the folder of their package, so that
// the go command finds the main module.
func moduleFolder(ctx context.Context, path string) (string, error) {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", path)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	folder, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find the source of %s: %w: %s", path, err, stderr.String())
	}
	return strings.TrimSpace(string(folder)), nil
}
