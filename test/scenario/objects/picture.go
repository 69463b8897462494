package objects

import (
	"context"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/scenario"
)

// Picture reads what can be seen. It takes several requests: where others write at the same time, two pictures that are
// equal show what there was.
func (w *World) Picture(ctx context.Context) (scenario.Picture, error) {
	p := scenario.Picture{Objects: map[string]bool{}}
	if err := w.look(ctx, &p); err != nil {
		return p, err
	}
	rollout := &v1alpha1.Rollout{}
	err := w.client.Get(ctx, w.key(scenario.Name), rollout)
	if client.IgnoreNotFound(err) != nil {
		return p, err
	}
	p.Fresh = apierrors.IsNotFound(err)
	if err == nil {
		w.readStatus(rollout, &p)
	}
	if err := w.readTraffic(ctx, rollout, &p); err != nil {
		return p, err
	}
	return p, w.readAnalyses(ctx, rollout, &p)
}

// look sees which objects there are, and the pods.
func (w *World) look(ctx context.Context, p *scenario.Picture) error {
	var sets appsv1.ReplicaSetList
	if err := w.client.List(ctx, &sets, client.InNamespace(w.namespace)); err != nil {
		return err
	}
	for _, rs := range sets.Items {
		of := w.make.Version(&rs.Spec.Template)
		p.Objects[scenario.Object{Kind: scenario.ReplicaSet, Version: of}.String()] = true
		if hash := rs.Labels[v1alpha1.LabelPodTemplateHash]; hash != "" {
			w.versions[hash] = of
		}
	}
	for _, kind := range []scenario.ObjectKind{
		scenario.ActiveService, scenario.StandbyService, scenario.Route, scenario.AnalysisTemplate, scenario.AnalysisRun, scenario.Rollout,
	} {
		found, err := w.find(ctx, scenario.Object{Kind: kind})
		if err != nil {
			return err
		}
		if len(found) > 0 {
			p.Objects[string(kind)] = true
		}
	}
	pods, err := w.pods(ctx)
	p.Pods, p.Ready = map[string][]string{}, map[string]int{}
	for i := range pods {
		of := w.versions[pods[i].Labels[v1alpha1.LabelPodTemplateHash]]
		p.Pods[of] = append(p.Pods[of], pods[i].Name)
		if isReady(&pods[i]) {
			p.Ready[of]++
		}
	}
	return err
}

func (w *World) readStatus(r *v1alpha1.Rollout, p *scenario.Picture) {
	status := r.Status
	asked, err := v1alpha1.ParseCommand(r.Annotations[v1alpha1.AnnotationCommand])
	answered := err != nil || status.LastCommand != nil && status.LastCommand.ID == asked.ID
	p.Fresh = status.ObservedGeneration == r.Generation && answered
	if template, err := r.PodTemplate(); err == nil && p.Fresh {
		w.versions[status.UpdateRevision] = w.make.Version(template)
	}
	p.Phase, p.Message, p.Step = string(status.Phase), status.Message, status.Step
	p.Stable, p.Candidate, p.Attempt = w.versions[status.StableRevision], w.versions[status.State.Candidate], status.State.Attempt
	p.Replicas, p.Updated, p.Available = status.Replicas, status.UpdatedReplicas, status.AvailableReplicas
	p.Weight, _ = strconv.ParseFloat(status.Weight, 64) // empty at rest, which is none
	p.Conditions = map[string]string{}
	for _, c := range status.Conditions {
		p.Conditions[c.Type] = string(c.Status)
		if c.Type == v1alpha1.ConditionReady {
			p.Reason = c.Reason
		}
	}
	for _, h := range status.History {
		p.History = append(p.History, scenario.Ended{
			Outcome: string(h.Outcome), Version: w.versions[h.Revision], Reason: h.Reason,
		})
	}
	if status.LastCommand != nil {
		p.Command = scenario.Answer{Accepted: status.LastCommand.Accepted, Message: status.LastCommand.Message}
	}
}

// readAnalyses sees the AnalysisRuns of the release that is or was last.
func (w *World) readAnalyses(ctx context.Context, r *v1alpha1.Rollout, p *scenario.Picture) error {
	var runs v1alpha1.AnalysisRunList
	err := w.client.List(ctx, &runs, client.InNamespace(w.namespace))
	p.Analyses = map[string]string{}
	for _, run := range runs.Items {
		if run.Labels[v1alpha1.LabelAttempt] == strconv.Itoa(int(r.Status.State.Attempt)) {
			p.Analyses[run.Spec.Gate] = string(run.Status.Phase)
		}
	}
	return err
}

// readTraffic follows a request: by the weights of the route to a Service, and by its endpoints to pods. Callers of a
// Rollout without a route use the active Service.
func (w *World) readTraffic(ctx context.Context, r *v1alpha1.Rollout, p *scenario.Picture) error {
	p.Traffic = map[string]float64{}
	shares := map[string]float64{scenario.Name: 100}
	if r.Spec.UsesRoutes() {
		var err error
		if shares, err = w.shares(ctx); err != nil {
			return err
		}
		p.Weight = shares[r.Spec.Services.StandbyName()]
	}
	p.Lost = 100
	for service, share := range shares {
		ready, total, err := w.endpoints(ctx, service, p)
		if err != nil {
			return err
		}
		if total == 0 {
			continue
		}
		p.Lost -= share
		for of, n := range ready {
			p.Traffic[of] += share * float64(n) / float64(total)
		}
	}
	if p.Lost < 1e-6 {
		p.Lost = 0
	}
	return nil
}

// shares are the percentages of the backends of the route; none when it is gone or gives nobody anything.
func (w *World) shares(ctx context.Context) (map[string]float64, error) {
	route := &gatewayv1.HTTPRoute{}
	if err := w.client.Get(ctx, w.key(scenario.Name), route); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	total, out := 0.0, map[string]float64{}
	for _, ref := range route.Spec.Rules[0].BackendRefs {
		weight := float64(ptr.Deref(ref.Weight, 1))
		total += weight
		out[string(ref.Name)] += weight
	}
	for name := range out {
		if total > 0 {
			out[name] *= 100 / total
		}
	}
	return out, nil
}

// endpoints counts the ready endpoints of a Service by version: those whose pods are still there.
func (w *World) endpoints(ctx context.Context, service string, p *scenario.Picture) (ready map[string]int, total int, err error) {
	var list discoveryv1.EndpointSliceList
	err = w.client.List(ctx, &list, client.InNamespace(w.namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service})
	ready = map[string]int{}
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef == nil || !ptr.Deref(endpoint.Conditions.Ready, true) {
				continue
			}
			for of, names := range p.Pods {
				if slices.Contains(names, endpoint.TargetRef.Name) {
					ready[of]++
					total++
				}
			}
		}
	}
	return ready, total, err
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
