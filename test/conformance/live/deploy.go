package live

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/demo/workload"
	"github.com/sluice-dev/sluice/test/load/generator"
)

// Versions of the sample app behind the two Services.
const (
	activeVersion  = "v1"
	standbyVersion = "v2"
	labelVersion   = "version"
)

// What picks requests: a header, or a query parameter of the same name.
const canaryHeader, canaryValue = "x-canary", "yes"

// Names of the loads.
const (
	asKept     = "kept"
	asFresh    = "fresh"
	asH2C      = "h2c"
	asCalls    = "grpc"
	withHeader = "header"
	withQuery  = "query"
	asLong     = "long"
)

const (
	// longest is when a load ends by itself.
	longest = 30 * time.Minute
	// sample is how many requests of a load are waited for each time.
	sample = 200
)

// deploy makes both versions, their Services and the routes, and waits until the versions serve.
func (t *trial) deploy(ctx context.Context) error {
	settings := workload.Settings{Namespace: t.Namespace, AppImage: t.Image, Drain: t.Hold}
	parent := []gatewayv1.ParentReference{{
		Namespace: ptr.To(gatewayv1.Namespace(t.Gateway.Namespace)), Name: gatewayv1.ObjectName(t.Gateway.Name),
	}}
	route := settings.Route()
	route.Spec.ParentRefs = parent
	// What a route may say besides, of what every Gateway takes.
	route.Spec.Rules[0].Filters = []gatewayv1.HTTPRouteFilter{{
		Type:                  gatewayv1.HTTPRouteFilterRequestHeaderModifier,
		RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{Name: "x-edge", Value: "1"}}},
	}}
	t.routes = []client.Object{route}
	if t.has(features.SupportGRPCRoute) {
		calls := settings.Calls()
		calls.Spec.ParentRefs = parent
		t.routes = append(t.routes, calls)
	} else {
		t.leaves("calls of gRPC", fmt.Sprintf("GatewayClass %s does not report %s", t.class, features.SupportGRPCRoute))
	}
	var deployments []*appsv1.Deployment
	for name, version := range map[string]string{workload.Name: activeVersion, workload.Standby: standbyVersion} {
		deployment, service, err := backend(settings, name, version)
		if err != nil {
			return err
		}
		deployments = append(deployments, deployment)
		t.objects = append(t.objects, deployment, service)
	}
	t.objects = append(t.objects, t.routes...)
	for i, object := range t.objects {
		if err := t.Client.Create(ctx, object); err != nil {
			t.objects = t.objects[:i] // what is there is somebody else's
			return err
		}
	}
	return t.serve(ctx, deployments)
}

// has says whether a feature is reported, or nothing is: then a Gateway is taken at what everybody has.
func (t *trial) has(feature features.FeatureName) bool {
	return len(t.features) == 0 || slices.Contains(t.features, string(feature))
}

// leaves notes what no promise is tried with.
func (t *trial) leaves(what, why string) {
	t.leftOut = append(t.leftOut, Result{Promise: what, LeftOut: why})
}

// backend is a version with the Service that sends requests to it.
func backend(settings workload.Settings, name, version string) (*appsv1.Deployment, *corev1.Service, error) {
	service := settings.Service()
	service.Name, service.Spec.Selector = name, maps.Clone(service.Spec.Selector)
	service.Spec.Selector[labelVersion] = version
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: settings.Namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](2), Selector: &metav1.LabelSelector{MatchLabels: service.Spec.Selector},
		},
	}
	template := settings.Template(workload.Version{Name: version})
	if err := json.Unmarshal(template.Raw, &deployment.Spec.Template); err != nil {
		return nil, nil, err
	}
	deployment.Spec.Template.Labels[labelVersion] = version
	return deployment, service, nil
}

// serve waits until every pod of both versions is available.
func (t *trial) serve(ctx context.Context, deployments []*appsv1.Deployment) error {
	for _, d := range deployments {
		err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
			err := t.Client.Get(ctx, client.ObjectKeyFromObject(d), d)
			return d.Status.AvailableReplicas == *d.Spec.Replicas, err
		})
		if err != nil {
			return fmt.Errorf("deployment %s: %d of %d pods are available: %w", d.Name, d.Status.AvailableReplicas, *d.Spec.Replicas, err)
		}
	}
	return nil
}

// send begins the load, each way of asking for which the Gateway has an answer.
func (t *trial) send(ctx context.Context) error {
	settings := workload.Settings{Namespace: t.Namespace}
	base := generator.Config{
		Target: strings.TrimSuffix(t.Address, "/") + "/", Host: settings.Hostname(), Rate: t.Rate, Protocol: generator.ProtocolHTTP1,
		Timeout: 10 * time.Second, MaxInFlight: 1000, MaxDuration: longest,
	}
	fresh, http2, calls, header, query, long := base, base, base, base, base, base
	fresh.Fresh = 1
	http2.Protocol = generator.ProtocolH2C
	calls.Protocol, calls.Host = generator.ProtocolGRPC, settings.CallsHostname()
	header.Header = http.Header{http.CanonicalHeaderKey(canaryHeader): {canaryValue}}
	query.Target += "?" + canaryHeader + "=" + canaryValue
	long.Target += "hold?for=" + t.Hold.String()
	long.Rate, long.Timeout = 1, t.Hold+15*time.Second
	all := []struct {
		name   string
		config generator.Config
	}{
		{asKept, base}, {asFresh, fresh}, {asH2C, http2}, {asCalls, calls}, {withHeader, header}, {withQuery, query}, {asLong, long},
	}
	if err := t.answers(ctx, base); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	t.stop = func() { cancel(); running.Wait() }
	for _, one := range all {
		if err := t.speaks(ctx, one.name, one.config); err != nil {
			t.leaves("requests in "+one.name, err.Error())
			continue
		}
		l := &load{name: one.name, generator: generator.New(one.config, t.Clock), most: sample}
		if one.name == asLong {
			l.most = 0
		}
		t.loads = append(t.loads, l)
		running.Go(func() { l.generator.Run(ctx) })
	}
	return nil
}

// speaks says why a protocol that not every Gateway has is left out.
func (t *trial) speaks(ctx context.Context, name string, config generator.Config) error {
	if name == asCalls && !t.has(features.SupportGRPCRoute) {
		return fmt.Errorf("GatewayClass %s does not report %s", t.class, features.SupportGRPCRoute)
	}
	if name == asH2C {
		return t.once(ctx, config)
	}
	return nil
}

// answers waits until requests are answered by the active Service.
func (t *trial) answers(ctx context.Context, config generator.Config) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		last = t.once(ctx, config)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s as %s: %w: %w", config.Target, config.Host, err, last)
	}
	return nil
}

// once sends a few requests, and says how they failed.
func (t *trial) once(ctx context.Context, config generator.Config) error {
	config.Rate, config.MaxDuration = 20, poll
	g := generator.New(config, t.Clock)
	g.Run(ctx)
	for _, f := range g.Report(0).Failures {
		return fmt.Errorf("%d of %d requests failed: %s", f.Count, g.Report(0).Total.All.Requests, f.Message)
	}
	return nil
}

func kindOf(route client.Object) string {
	if _, ok := route.(*gatewayv1.GRPCRoute); ok {
		return v1alpha1.RouteKindGRPC
	}
	return v1alpha1.RouteKindHTTP
}
