package v1alpha1

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// Defaults of fields that were left out. Where a fixed value is enough, the schema fills it in as well, in a marker
// beside the field, and a test against the API server holds that the two agree. These are for objects that never went
// through an API server, and for defaults that depend on other fields.
const (
	// DefaultReplicas is the number of pods of a Rollout.
	DefaultReplicas int32 = 1
	// DefaultRevisionHistoryLimit is the number of earlier revisions that keep a ReplicaSet.
	DefaultRevisionHistoryLimit int32 = 10
	// DefaultProgressDeadline is how long a release may go without progress, as for a Deployment.
	DefaultProgressDeadline = 600 * time.Second
	// DefaultScaleDownDelay outlasts the time in which every proxy and kube-proxy of a cluster has heard of a switch.
	DefaultScaleDownDelay = 30 * time.Second
	// DefaultMaxSurge and DefaultMaxUnavailable are those of a Deployment.
	DefaultMaxSurge = "25%"
	// DefaultMaxUnavailable is the share of the replicas that may be unavailable.
	DefaultMaxUnavailable = "25%"
	// DefaultStandbySuffix makes the name of the standby Service from that of the active one.
	DefaultStandbySuffix = "-standby"
	// DefaultQueryTimeout is how long one query of a metric may take.
	DefaultQueryTimeout = 10 * time.Second
	// DefaultProbeTimeout is how long one request of a probe may take.
	DefaultProbeTimeout = 2 * time.Second
	// DefaultRouteKind is the kind of a route whose kind was left out.
	DefaultRouteKind = RouteKindHTTP
	// DefaultTopologyKey is the label of nodes by which anti-affinity tells them apart.
	DefaultTopologyKey = corev1.LabelHostname
	// DefaultAntiAffinityWeight is the weight of preferred anti-affinity among other preferences.
	DefaultAntiAffinityWeight int32 = 100
	// DefaultTemplateKind is the kind of an analysis template whose kind was left out.
	DefaultTemplateKind = "AnalysisTemplate"
)

// Names of strategies, as status.strategy and StrategyName give them.
const (
	// StrategyCanary moves traffic in steps.
	StrategyCanary = "canary"
	// StrategyBlueGreen switches all traffic at once.
	StrategyBlueGreen = "blueGreen"
	// StrategyRollingUpdate replaces pods a few at a time.
	StrategyRollingUpdate = "rollingUpdate"
	// StrategyRecreate ends the old pods before the new ones start.
	StrategyRecreate = "recreate"
)

// ReplicasOrDefault is the number of pods that serve when no release is under way.
func (s *RolloutSpec) ReplicasOrDefault() int32 {
	return ptr.Deref(s.Replicas, DefaultReplicas)
}

// HistoryLimit is the number of earlier revisions that keep their ReplicaSet.
func (s *RolloutSpec) HistoryLimit() int32 {
	return ptr.Deref(s.RevisionHistoryLimit, DefaultRevisionHistoryLimit)
}

// ProgressDeadline is how long a release may go without progress before it is aborted.
func (s *RolloutSpec) ProgressDeadline() time.Duration {
	if s.ProgressDeadlineSeconds == nil {
		return DefaultProgressDeadline
	}
	return time.Duration(*s.ProgressDeadlineSeconds) * time.Second
}

// StrategyName is the name of the strategy that is set: canary, blueGreen, rollingUpdate or recreate; empty when none
// is. An object with two strategies is refused by the API server and by ValidateRollout.
func (s *RolloutSpec) StrategyName() string {
	switch {
	case s.Strategy.Canary != nil:
		return StrategyCanary
	case s.Strategy.BlueGreen != nil:
		return StrategyBlueGreen
	case s.Strategy.RollingUpdate != nil:
		return StrategyRollingUpdate
	case s.Strategy.Recreate != nil:
		return StrategyRecreate
	default:
		return ""
	}
}

// UsesRoutes says whether traffic moves by the weights of routes, rather than by Service selectors.
func (s *RolloutSpec) UsesRoutes() bool {
	return s.Traffic != nil && len(s.Traffic.Routers()) > 0
}

// Experiments says whether a step has an experiment.
func (s *RolloutSpec) Experiments() bool {
	return s.Strategy.Canary != nil && slices.ContainsFunc(s.Strategy.Canary.Steps, func(step CanaryStep) bool {
		return step.Experiment != nil
	})
}

// StandbyName is the name of the standby Service: <active>-standby when it was left out. It is empty without Services.
func (s *Services) StandbyName() string {
	switch {
	case s == nil:
		return ""
	case s.Standby != "":
		return s.Standby
	default:
		return s.Active + DefaultStandbySuffix
	}
}

// ScaleDownDelay is how long the pods of the old stable stay after a promotion: 30 seconds unless the strategy says
// otherwise, and 0 where pods are replaced one by one (rollingUpdate, recreate, and canary without routes).
func (s *RolloutSpec) ScaleDownDelay() time.Duration {
	switch {
	case s.Strategy.Canary != nil && s.UsesRoutes():
		return durationOr(s.Strategy.Canary.ScaleDownDelay, DefaultScaleDownDelay)
	case s.Strategy.BlueGreen != nil:
		return durationOr(s.Strategy.BlueGreen.ScaleDownDelay, DefaultScaleDownDelay)
	default:
		return 0
	}
}

// SurgeAndUnavailable are the limits of a strategy that replaces pods a few at a time, in pods of the given number of
// replicas: the surge rounded up, the unavailable rounded down, as for a Deployment. When both come to 0 then, such as
// 0 and "25%" of 2 replicas, one pod may be unavailable, as nothing could move otherwise. Other strategies have none:
// blueGreen and recreate give 0, 0. A limit that is neither a number nor a percentage is an error.
func (s *RolloutSpec) SurgeAndUnavailable(replicas int32) (surge, unavailable int32, err error) {
	var maxSurge, maxUnavailable *intstr.IntOrString
	switch {
	case s.Strategy.Canary != nil:
		maxSurge, maxUnavailable = s.Strategy.Canary.MaxSurge, s.Strategy.Canary.MaxUnavailable
	case s.Strategy.RollingUpdate != nil:
		maxSurge, maxUnavailable = s.Strategy.RollingUpdate.MaxSurge, s.Strategy.RollingUpdate.MaxUnavailable
	default:
		return 0, 0, nil
	}
	up, err := scaled(maxSurge, DefaultMaxSurge, replicas, true)
	if err != nil {
		return 0, 0, err
	}
	down, err := scaled(maxUnavailable, DefaultMaxUnavailable, replicas, false)
	if err != nil {
		return 0, 0, err
	}
	if up == 0 && down == 0 {
		down = 1
	}
	return up, min(down, replicas), nil
}

// Capacity says whether stable keeps all its pods until the promotion.
func (s *CanaryStrategy) Capacity() StableCapacity {
	if s.StableCapacity == "" {
		return StableCapacityFull
	}
	return s.StableCapacity
}

// Promotes says whether the switch needs no person.
func (s *BlueGreenStrategy) Promotes() bool {
	return ptr.Deref(s.AutoPromote, true)
}

// PreviewReplicasOr is the number of candidate pods before the switch: all replicas unless previewReplicas says
// otherwise.
func (s *BlueGreenStrategy) PreviewReplicasOr(replicas int32) int32 {
	return ptr.Deref(s.PreviewReplicas, replicas)
}

// StrengthOrDefault says whether anti-affinity is a must.
func (a *AntiAffinity) StrengthOrDefault() AntiAffinityStrength {
	if a.Strength == "" {
		return AntiAffinityPreferred
	}
	return a.Strength
}

// TopologyKeyOrDefault is the label of nodes that says what "away" means.
func (a *AntiAffinity) TopologyKeyOrDefault() string {
	if a.TopologyKey == "" {
		return DefaultTopologyKey
	}
	return a.TopologyKey
}

// KindOrDefault is the kind of the route.
func (r RouteReference) KindOrDefault() string {
	if r.Kind == "" {
		return DefaultRouteKind
	}
	return r.Kind
}

// KindOrDefault is the kind of the routes.
func (s RouteSelector) KindOrDefault() string { return RouteReference{Kind: s.Kind}.KindOrDefault() }

// KindOrDefault is the kind of the route.
func (t *RouteTemplate) KindOrDefault() string { return RouteReference{Kind: t.Kind}.KindOrDefault() }

// KindOrDefault is the kind of the analysis template.
func (r AnalysisTemplateReference) KindOrDefault() string {
	if r.Kind == "" {
		return DefaultTemplateKind
	}
	return r.Kind
}

// QueryTimeout is how long one query may take.
func (m *PrometheusMetric) QueryTimeout() time.Duration {
	return durationOr(m.Timeout, DefaultQueryTimeout)
}

// TimeoutOrDefault is how long one request may take.
func (p *TrafficProbe) TimeoutOrDefault() time.Duration {
	return durationOr(p.Timeout, DefaultProbeTimeout)
}

func durationOr(d *metav1.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.Duration
}

func scaled(limit *intstr.IntOrString, otherwise string, replicas int32, roundUp bool) (int32, error) {
	n, err := intstr.GetScaledValueFromIntOrPercent(ptr.To(ptr.Deref(limit, intstr.FromString(otherwise))),
		int(replicas), roundUp)
	if err != nil {
		return 0, err
	}
	return int32(max(n, 0)), nil
}
