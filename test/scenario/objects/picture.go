package objects

import (
	"context"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
	"github.com/sluice-dev/sluice/test/scenario"
)

// seen is everything in the namespace that a picture is made of. Single objects are nil when they do not exist.
type seen struct {
	rollout *v1alpha1.Rollout
	// deployment is that of a Rollout with a workloadRef.
	deployment *appsv1.Deployment
	route      *gatewayv1.HTTPRoute
	sets       []appsv1.ReplicaSet
	pods       []corev1.Pod
	services   []corev1.Service
	endpoints  []discoveryv1.EndpointSlice
	runs       []v1alpha1.AnalysisRun
	templates  []v1alpha1.AnalysisTemplate
	// configMaps are those of a Rollout that tracks one, or that had it.
	configMaps []corev1.ConfigMap
}

// Picture reads what can be seen. It takes several requests: where others write at the same time, two pictures that are
// equal show what there was.
func (w *World) Picture(ctx context.Context) (scenario.Picture, error) {
	s, err := w.see(ctx)
	if err != nil {
		return scenario.Picture{}, err
	}
	for _, rs := range s.sets {
		if hash := rs.Labels[v1alpha1.LabelPodTemplateHash]; hash != "" {
			w.versions[hash] = w.make.Version(&rs.Spec.Template)
		}
		if rs.Labels[v1alpha1.LabelBaselineOf] != "" {
			w.versions[rs.Labels[v1alpha1.LabelPodTemplateHash]] = baseline
		}
	}
	p := scenario.Picture{Fresh: true, Pods: map[string][]string{}, Ready: map[string]int{}, Analyses: map[string]string{}}
	for i := range s.pods {
		of := w.versions[s.pods[i].Labels[v1alpha1.LabelPodTemplateHash]]
		p.Pods[of] = append(p.Pods[of], s.pods[i].Name)
		if isReady(&s.pods[i]) {
			p.Ready[of]++
		}
	}
	p.Roles = w.roles(s.pods)
	if s.rollout != nil {
		w.readStatus(s, &p)
		p.Analyses, p.Apart = s.analyses(), s.apart()
	}
	s.readConfiguration(&p)
	if s.deployment != nil {
		p.Deployed = ptr.Deref(s.deployment.Spec.Replicas, 1)
	}
	s.traffic(&p)
	p.Untouched = s.route != nil && shapeOf(s.route.Spec.Rules) == shapeOf(w.make.Route().Spec.Rules)
	p.Objects = s.objects(w.make.Version)
	return p, nil
}

// see reads the namespace.
func (w *World) see(ctx context.Context) (s seen, err error) {
	var (
		rollouts  v1alpha1.RolloutList
		routes    gatewayv1.HTTPRouteList
		sets      appsv1.ReplicaSetList
		services  corev1.ServiceList
		endpoints discoveryv1.EndpointSliceList
		runs      v1alpha1.AnalysisRunList
		templates v1alpha1.AnalysisTemplateList
	)
	for _, list := range []client.ObjectList{&rollouts, &routes, &sets, &services, &endpoints, &runs, &templates} {
		if err := w.client.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
			return seen{}, err
		}
	}
	s = seen{
		sets: sets.Items, services: services.Items, endpoints: endpoints.Items, runs: runs.Items, templates: templates.Items,
		rollout: first(rollouts.Items, func(r *v1alpha1.Rollout) bool { return r.Name == scenario.Name }),
		route:   first(routes.Items, func(r *gatewayv1.HTTPRoute) bool { return r.Name == scenario.Name }),
	}
	if s.rollout == nil || s.rollout.Spec.WorkloadRef != nil {
		deployments := &appsv1.DeploymentList{}
		if err := w.client.List(ctx, deployments, client.InNamespace(w.namespace)); err != nil {
			return seen{}, err
		}
		s.deployment = first(deployments.Items, func(d *appsv1.Deployment) bool { return d.Name == scenario.Name })
	}
	if s.pods, err = w.pods(ctx); err != nil {
		return s, err
	}
	return s, w.seeConfiguration(ctx, &s)
}

// seeConfiguration reads the ConfigMaps when there is a pod that reads one.
func (w *World) seeConfiguration(ctx context.Context, s *seen) error {
	if !slices.ContainsFunc(s.pods, func(pod corev1.Pod) bool { return len(pod.Spec.Containers[0].EnvFrom) > 0 }) {
		return nil
	}
	var list corev1.ConfigMapList
	err := w.client.List(ctx, &list, client.InNamespace(w.namespace))
	s.configMaps = list.Items
	return err
}

// first returns the first item that is meant; nil when none is.
func first[T any](items []T, meant func(*T) bool) *T {
	for i := range items {
		if meant(&items[i]) {
			return &items[i]
		}
	}
	return nil
}

func (w *World) readStatus(s seen, p *scenario.Picture) {
	r, status := s.rollout, s.rollout.Status
	asked, err := v1alpha1.ParseCommand(r.Annotations[v1alpha1.AnnotationCommand])
	answered := err != nil || status.LastCommand != nil && status.LastCommand.ID == asked.ID
	p.Fresh = status.ObservedGeneration == r.Generation && answered && s.followed()
	if template := s.template(); template != nil && p.Fresh {
		w.versions[status.UpdateRevision] = w.make.Version(template)
	}
	p.Phase, p.Message, p.Step = string(status.Phase), status.Message, status.Step
	p.Stable, p.Candidate, p.Attempt = w.versions[status.StableRevision], w.versions[status.State.Candidate], status.State.Attempt
	p.Replicas, p.Updated, p.Available = status.Replicas, status.UpdatedReplicas, status.AvailableReplicas
	p.Weight, _ = strconv.ParseFloat(status.Weight, 64) // empty at rest, which is none
	readConditions(status.Conditions, p)
	for _, h := range status.History {
		p.History = append(p.History, scenario.Ended{Outcome: string(h.Outcome), Version: w.versions[h.Revision], Reason: h.Reason})
	}
	if status.LastCommand != nil {
		p.Command = scenario.Answer{Accepted: status.LastCommand.Accepted, Message: status.LastCommand.Message}
	}
}

func readConditions(conditions []metav1.Condition, p *scenario.Picture) {
	p.Conditions = map[string]string{}
	for _, c := range conditions {
		p.Conditions[c.Type] = string(c.Status)
		if c.Type == v1alpha1.ConditionReady {
			p.Reason = c.Reason
		}
	}
}

// followed says whether the status speaks of the template that the Deployment has, if there is one.
func (s seen) followed() bool {
	if s.deployment == nil {
		return true
	}
	seen := s.rollout.Status.Workload
	return seen != nil && seen.ObservedGeneration == s.deployment.Generation
}

// template is the one to be released; nil when it is not there or not to be read.
func (s seen) template() *corev1.PodTemplateSpec {
	if s.deployment != nil {
		return &s.deployment.Spec.Template
	}
	template, err := s.rollout.PodTemplate()
	if err != nil || len(template.Spec.Containers) == 0 {
		return nil
	}
	return template
}

// roles are what the label says on all pods of a version.
func (w *World) roles(pods []corev1.Pod) map[string]string {
	out := map[string]string{}
	for i := range pods {
		of, role := w.versions[pods[i].Labels[v1alpha1.LabelPodTemplateHash]], pods[i].Labels[scenario.RoleLabel]
		if before, seen := out[of]; seen && before != role {
			role = ""
		}
		out[of] = role
	}
	return out
}

// analyses are the phases of the AnalysisRuns of the release that is or was last.
func (s seen) analyses() map[string]string {
	out := map[string]string{}
	for _, run := range s.runs {
		if run.Labels[v1alpha1.LabelAttempt] == strconv.Itoa(int(s.rollout.Status.State.Attempt)) {
			out[run.Spec.Gate] = string(run.Status.Phase)
		}
	}
	return out
}

// objects are those that exist, by the names that scenarios give them.
func (s seen) objects(version func(*corev1.PodTemplateSpec) string) map[string]bool {
	service := func(name string) bool {
		return slices.ContainsFunc(s.services, func(s corev1.Service) bool { return s.Name == name })
	}
	out := map[string]bool{}
	for kind, there := range map[scenario.ObjectKind]bool{
		scenario.Rollout:          s.rollout != nil,
		scenario.Route:            s.route != nil,
		scenario.Deployment:       s.deployment != nil,
		scenario.ActiveService:    service(scenario.Name),
		scenario.StandbyService:   service(standby()),
		scenario.BaselineService:  service(revision.BaselineServiceName(scenario.Name)),
		scenario.AnalysisRun:      len(s.runs) > 0,
		scenario.AnalysisTemplate: len(s.templates) > 0,
	} {
		if there {
			out[string(kind)] = true
		}
	}
	for i := range s.sets {
		if s.sets[i].Labels[v1alpha1.LabelBaselineOf] != "" {
			continue
		}
		out[scenario.Object{Kind: scenario.ReplicaSet, Version: version(&s.sets[i].Spec.Template)}.String()] = true
	}
	return out
}

// baseline is what scenarios call a fresh baseline.
const baseline = "baseline"

// standby is the name of the standby Service.
func standby() string { return scenario.Name + v1alpha1.DefaultStandbySuffix }

// ready counts the ready endpoints of a Service by version: those whose pods are still there.
func (s seen) ready(service string, pods map[string][]string) (ready map[string]int, total int) {
	ready = map[string]int{}
	for _, slice := range s.endpoints {
		if slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef == nil || !ptr.Deref(endpoint.Conditions.Ready, true) {
				continue
			}
			if of, there := owner(pods, endpoint.TargetRef.Name); there {
				ready[of]++
				total++
			}
		}
	}
	return ready, total
}

// owner is the version of a pod.
func owner(pods map[string][]string, name string) (version string, there bool) {
	for of, names := range pods {
		if slices.Contains(names, name) {
			return of, true
		}
	}
	return "", false
}

// pods lists the pods of ReplicaSets that are not being deleted, by name: a pod that sends load is none of them.
func (w *World) pods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := w.client.List(ctx, &list, client.InNamespace(w.namespace))
	pods := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool {
		return pod.DeletionTimestamp != nil || pod.Labels[v1alpha1.LabelPodTemplateHash] == ""
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods, err
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
