package rollout

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/controller/revision"
)

// What is cached is what is decided from. There is no cache of Pods, of which a cluster has most, nor of Secrets.

// cachedKinds are the kinds that the controller both writes and has in its cache, as the cache has them. Kinds of routes come
// to them when they are watched.
func cachedKinds() map[schema.GroupVersionKind]func() client.Object {
	return map[schema.GroupVersionKind]func() client.Object{
		v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind):     func() client.Object { return &v1alpha1.Rollout{} },
		v1alpha1.GroupVersion.WithKind(v1alpha1.AnalysisRunKind): func() client.Object { return &v1alpha1.AnalysisRun{} },
		appsv1.SchemeGroupVersion.WithKind("ReplicaSet"):         func() client.Object { return &appsv1.ReplicaSet{} },
		corev1.SchemeGroupVersion.WithKind("Service"):            func() client.Object { return &corev1.Service{} },
		deployment(): func() client.Object { return newDeployment() },
		corev1.SchemeGroupVersion.WithKind(v1alpha1.KindConfigMap): func() client.Object { return newMetadata(v1alpha1.KindConfigMap) },
	}
}

// CachedObjects says how much of the objects that there are many of stays in memory: what is looked at. Never write one
// of them back whole; every write is a patch of what it changes.
func CachedObjects() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&appsv1.ReplicaSet{}:         {Transform: shrinkReplicaSet},
		&discoveryv1.EndpointSlice{}: {Transform: shrinkEndpointSlice},
		newDeployment():              {Transform: shrinkDeployment},
		&corev1.ConfigMap{}:          {Transform: shrinkMetadata},
	}
}

// shrinkReplicaSet keeps of the pod template the names and images of the containers, for the history of releases. Of a
// ReplicaSet that belongs to something else than a Rollout nothing is left but whose it is. One that belongs to nobody may
// be adopted.
func shrinkReplicaSet(in any) (any, error) {
	rs, ok := in.(*appsv1.ReplicaSet)
	if !ok {
		return in, nil
	}
	rs.ManagedFields = nil
	if owner := metav1.GetControllerOf(rs); owner != nil && owner.Kind != v1alpha1.RolloutKind {
		rs.Spec, rs.Status, rs.Annotations, rs.Labels = appsv1.ReplicaSetSpec{}, appsv1.ReplicaSetStatus{}, nil, nil
		return rs, nil
	}
	containers := make([]corev1.Container, 0, len(rs.Spec.Template.Spec.Containers))
	for _, c := range rs.Spec.Template.Spec.Containers {
		containers = append(containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	rs.Spec.Template = corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: containers}}
	return rs, nil
}

// shrinkEndpointSlice keeps which pods there are and whether they are ready: no addresses, nodes and zones.
func shrinkEndpointSlice(in any) (any, error) {
	slice, ok := in.(*discoveryv1.EndpointSlice)
	if !ok {
		return in, nil
	}
	slice.ManagedFields, slice.Annotations, slice.Ports = nil, nil, nil
	for i, e := range slice.Endpoints {
		small := discoveryv1.Endpoint{Conditions: e.Conditions}
		if e.TargetRef != nil {
			small.TargetRef = &corev1.ObjectReference{Kind: e.TargetRef.Kind, Name: e.TargetRef.Name}
		}
		slice.Endpoints[i] = small
	}
	return slice, nil
}

// newMetadata is the metadata of a ConfigMap or a Secret, all that is ever read of one but to take its hash or a copy.
func newMetadata(kind string) *metav1.PartialObjectMetadata {
	out := &metav1.PartialObjectMetadata{}
	out.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return out
}

// shrinkMetadata drops what may be as long as a content: kubectl apply keeps one in an annotation.
func shrinkMetadata(in any) (any, error) {
	if object, ok := in.(metav1.Object); ok {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	return in, nil
}

// Names of the indexes of the cache.
const (
	// indexService finds the Rollouts that name a Service, and the EndpointSlices of one.
	indexService = "sluice.service"
	// indexBaseline finds the Rollouts whose baseline a Service would reach.
	indexBaseline = "sluice.baseline"
	// indexRoute finds the Rollouts that name a route, as "kind/namespace/name".
	indexRoute = "sluice.route"
	// indexTemplate finds the Rollouts that name an analysis template, as "kind/name".
	indexTemplate = "sluice.template"
	// indexWorkload finds the Rollouts that name a Deployment.
	indexWorkload = "sluice.workload"
	// indexRevision finds the Services that select a revision.
	indexRevision = "sluice.revision"
	// indexConfiguration finds the Rollouts that track a ConfigMap or Secret, as "kind/name".
	indexConfiguration = "sluice.configuration"
	// indexController finds what a Rollout controls, by its UID, and ReplicaSets that nobody controls, as nobody.
	indexController = "sluice.controller"
	// nobody is the value of indexController of what nothing controls: no UID is so short.
	nobody = "nobody"
)

// Index is one index of the cache.
type Index struct {
	// Object of the kind that is indexed.
	Object client.Object
	// Name of the index, for client.MatchingFields.
	Name string
	// Values of one object.
	Values client.IndexerFunc
}

// Indexes are all indexes that the controller looks things up by.
func Indexes() []Index {
	return []Index{
		{Object: &v1alpha1.Rollout{}, Name: indexService, Values: servicesOf},
		{Object: &v1alpha1.Rollout{}, Name: indexBaseline, Values: baselineServiceOf},
		{Object: &v1alpha1.Rollout{}, Name: indexRoute, Values: routesOf},
		{Object: &v1alpha1.Rollout{}, Name: indexTemplate, Values: templatesOf},
		{Object: &v1alpha1.Rollout{}, Name: indexWorkload, Values: workloadOf},
		{Object: &v1alpha1.Rollout{}, Name: indexConfiguration, Values: configurationOf},
		{Object: &discoveryv1.EndpointSlice{}, Name: indexService, Values: serviceOfSlice},
		{Object: &corev1.Service{}, Name: indexRevision, Values: revisionOfService},
		{Object: &appsv1.ReplicaSet{}, Name: indexController, Values: controllerOrNobody},
		{Object: &v1alpha1.AnalysisRun{}, Name: indexController, Values: controllerOf},
	}
}

// addIndexes adds all indexes to a cache.
func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range Indexes() {
		if err := indexer.IndexField(ctx, index.Object, index.Name, index.Values); err != nil {
			return fmt.Errorf("index %s of %T: %w", index.Name, index.Object, err)
		}
	}
	return nil
}

func servicesOf(obj client.Object) []string {
	rollout, ok := obj.(*v1alpha1.Rollout)
	if !ok || rollout.Spec.Services == nil {
		return nil
	}
	return []string{rollout.Spec.Services.Active, rollout.Spec.Services.StandbyName()}
}

func baselineServiceOf(obj client.Object) []string {
	rollout, ok := obj.(*v1alpha1.Rollout)
	if !ok || rollout.Spec.Services == nil {
		return nil
	}
	return []string{revision.BaselineServiceName(rollout.Name)}
}

func templatesOf(obj client.Object) []string {
	rollout, ok := obj.(*v1alpha1.Rollout)
	if !ok {
		return nil
	}
	var out []string
	for _, gate := range gates(&rollout.Spec) {
		for _, ref := range gate.analysis.Templates {
			out = append(out, ref.KindOrDefault()+"/"+ref.Name)
		}
	}
	return out
}

func workloadOf(obj client.Object) []string {
	rollout, ok := obj.(*v1alpha1.Rollout)
	if !ok || rollout.Spec.WorkloadRef == nil {
		return nil
	}
	return []string{rollout.Spec.WorkloadRef.Name}
}

func configurationOf(obj client.Object) []string {
	rollout, ok := obj.(*v1alpha1.Rollout)
	if !ok {
		return nil
	}
	var out []string
	for _, ref := range configuration.References(rollout.Spec.Configuration) {
		if ref.Tracked() {
			out = append(out, ref.Key())
		}
	}
	return out
}

func serviceOfSlice(obj client.Object) []string {
	if name := obj.GetLabels()[discoveryv1.LabelServiceName]; name != "" {
		return []string{name}
	}
	return nil
}

func revisionOfService(obj client.Object) []string {
	service, ok := obj.(*corev1.Service)
	if !ok || service.Spec.Selector[v1alpha1.LabelPodTemplateHash] == "" {
		return nil
	}
	return []string{service.Spec.Selector[v1alpha1.LabelPodTemplateHash]}
}

func controllerOrNobody(obj client.Object) []string {
	if metav1.GetControllerOf(obj) == nil {
		return []string{nobody}
	}
	return controllerOf(obj)
}

func controllerOf(obj client.Object) []string {
	if owner := metav1.GetControllerOf(obj); owner != nil && owner.Kind == v1alpha1.RolloutKind {
		return []string{string(owner.UID)}
	}
	return nil
}
