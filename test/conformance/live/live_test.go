package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/dataplane"
	"github.com/sluice-dev/sluice/test/demo/workload"
)

// gateway is a Gateway that does what an HTTPRoute says, and answers in place of the pods. It can be made to do all of it a
// little wrong.
type gateway struct {
	client client.Client
	route  atomic.Pointer[unstructured.Unstructured]
	bad    bool

	mu      sync.Mutex
	random  *rand.Rand
	counted map[string]int64 // requests by Service
}

// follow takes in what the route says.
func (g *gateway) follow(ctx context.Context) {
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(builder.RouteKind(v1alpha1.RouteKindHTTP))
	if g.client.Get(ctx, client.ObjectKey{Namespace: "edge", Name: workload.Name}, route) == nil {
		g.route.Store(route)
	}
}

// draw is whether something of a percentage is the case this time.
func (g *gateway) draw(percent int64) bool { return g.random.Int64N(100) < percent }

// serve says which Service answers a request, and counts it and its copies. It answers none to some.
func (g *gateway) serve(route *unstructured.Unstructured, r *http.Request) (service string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	answer := dataplane.Serve(route, requestOf(r))
	if g.bad {
		g.spoil(&answer)
	}
	total := int64(0)
	for _, weight := range answer.Weights {
		total += weight
	}
	if total == 0 || g.bad && g.draw(1) {
		return ""
	}
	service, at := workload.Name, g.random.Int64N(total)
	if at >= answer.Weights[workload.Name] {
		service = workload.Standby
	}
	g.counted[service]++
	for mirror, percent := range answer.Mirrors {
		if g.draw(percent) {
			g.counted[mirror]++
		}
	}
	return service
}

func requestOf(r *http.Request) dataplane.Request {
	out := dataplane.Request{Path: r.URL.Path, Headers: map[string]string{}, Query: map[string]string{}}
	for name, values := range r.Header {
		out.Headers[strings.ToLower(name)] = values[0]
	}
	for name, values := range r.URL.Query() {
		out.Query[name] = values[0]
	}
	return out
}

// spoil has all Services share alike, and the standby Service get some whatever its weight; and copies everything.
func (g *gateway) spoil(answer *dataplane.Answer) {
	for service := range answer.Weights {
		answer.Weights[service] = 50
	}
	answer.Weights[workload.Standby] = max(answer.Weights[workload.Standby], 1)
	for service := range answer.Mirrors {
		answer.Mirrors[service] = 100
	}
}

// ServeHTTP answers as the pods of the sample app do.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d, err := time.ParseDuration(r.URL.Query().Get("for")); err == nil {
		<-time.After(d)
	}
	route := g.route.Load()
	if route == nil {
		http.NotFound(w, r)
		return
	}
	service := g.serve(route, r)
	if service == "" {
		http.Error(w, "no backend", http.StatusServiceUnavailable)
		return
	}
	version := map[string]string{workload.Name: activeVersion, workload.Standby: standbyVersion}[service]
	w.Header().Set("X-Version", version)
}

// start puts a Gateway in front of a cluster that is made up.
func start(t *testing.T, bad bool) Options {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	parent := &gatewayv1.Gateway{Spec: gatewayv1.GatewaySpec{GatewayClassName: "made-up"}}
	parent.Namespace, parent.Name = "edge", "public"
	class := &gatewayv1.GatewayClass{}
	class.Name = "made-up"
	for _, name := range []gatewayv1.FeatureName{
		"HTTPRoute", "HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror",
	} {
		class.Status.SupportedFeatures = append(class.Status.SupportedFeatures, gatewayv1.SupportedFeature{Name: name})
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(testrestmapper.TestOnlyStaticRESTMapper(scheme)).WithObjects(parent, class).WithReturnManagedFields().
		WithStatusSubresource(&gatewayv1.HTTPRoute{}).Build()
	g := &gateway{client: c, bad: bad, random: rand.New(rand.NewPCG(1, 2)), counted: map[string]int64{}}
	plane := &dataplane.Plane{Client: c, Namespace: "edge", Now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	var acting sync.WaitGroup
	acting.Go(func() {
		for ctx.Err() == nil {
			if err := plane.Step(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			g.follow(ctx)
			<-time.After(20 * time.Millisecond)
		}
	})
	server := httptest.NewUnstartedServer(g)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(func() { cancel(); acting.Wait(); server.Close() })
	return Options{
		Client: c, Namespace: "edge", Gateway: types.NamespacedName{Namespace: "edge", Name: "public"}, Address: server.URL,
		Image: "app", Hold: 100 * time.Millisecond, Settle: 200 * time.Millisecond, Rate: 200, Clock: clock.RealClock{},
		Answered: func(_ context.Context, deployment client.ObjectKey) (int64, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.counted[deployment.Name], nil
		},
	}
}

func TestAFaithfulGatewayPasses(t *testing.T) {
	t.Parallel()
	options := start(t, false)
	results, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	var leftOut []string
	for _, r := range results {
		if len(r.Broken) > 0 {
			t.Error(r)
		}
		if r.LeftOut != "" {
			leftOut = append(leftOut, r.Promise+": "+r.LeftOut)
		}
	}
	want := []string{
		"so do requests with a query parameter: GatewayClass made-up does not report HTTPRouteQueryParamMatching",
		"calls of gRPC: GatewayClass made-up does not report GRPCRoute",
		"requests in grpc: GatewayClass made-up does not report GRPCRoute",
	}
	if diff := cmp.Diff(want, leftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

// Each promise notices a Gateway that does not keep it.
func TestABadGatewayIsFoundOut(t *testing.T) {
	t.Parallel()
	options := start(t, true)
	options.Client = meddler{options.Client}
	results, err := Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.LeftOut == "" && len(r.Broken) == 0 {
			t.Errorf("%s: was found to be kept: %s", r.Promise, strings.Join(r.Measured, "; "))
		}
	}
	if kept := slices.ContainsFunc(results, func(r Result) bool { return strings.Contains(r.Promise, "copied") && r.LeftOut != "" }); kept {
		t.Error("copies were left out")
	}
}

// meddler is a client of a cluster in which somebody adds a hostname whenever a route is patched.
type meddler struct{ client.Client }

func (m meddler) Patch(ctx context.Context, o client.Object, p client.Patch, options ...client.PatchOption) error {
	route, ok := o.(*unstructured.Unstructured)
	if ok {
		names, _, _ := unstructured.NestedStringSlice(route.Object, "spec", "hostnames")
		if err := unstructured.SetNestedStringSlice(route.Object, append(names, fmt.Sprintf("n%d.example", len(names))), "spec", "hostnames"); err != nil {
			return err
		}
	}
	return m.Client.Patch(ctx, o, p, options...)
}
