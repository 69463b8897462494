package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Rollout releases new versions of a workload gradually. It takes the place of a Deployment.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:shortName=ro,categories={all,sluice}
// +kubebuilder:printcolumn:name="Strategy",type=string,JSONPath=`.status.strategy`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.step`
// +kubebuilder:printcolumn:name="Weight",type=string,JSONPath=`.status.weight`
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.spec.replicas`
// +kubebuilder:printcolumn:name="Updated",type=integer,JSONPath=`.status.updatedReplicas`
// +kubebuilder:printcolumn:name="Available",type=integer,JSONPath=`.status.availableReplicas`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Image",type=string,JSONPath=`.spec.template.spec.containers[*].image`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.workload) || !has(oldSelf.status.workload.replicas) || !has(oldSelf.spec.workloadRef) || (has(self.spec.workloadRef) && self.spec.workloadRef.name == oldSelf.spec.workloadRef.name)",message="the Deployment was scaled down for this Rollout, which alone knows its size: before workloadRef is changed, write scaleDown: Never and give the Deployment its replicas back, or delete the Deployment",fieldPath=".spec.workloadRef"
type Rollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the user asks for.
	// +required
	Spec RolloutSpec `json:"spec"`

	// Status is what the controller has done and seen.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status RolloutStatus `json:"status,omitempty"`
}

// RolloutList is a list of Rollouts.
//
// +kubebuilder:object:root=true
type RolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Rollout `json:"items"`
}

// RolloutSpec is the desired workload and the way its new versions are released.
//
// +kubebuilder:validation:XValidation:rule="!has(self.template) || !has(self.selector) || !has(self.template.metadata) || !has(self.template.metadata.labels) || !has(self.selector.matchLabels) || self.selector.matchLabels.all(k, k == 'pod-template-hash' || k in self.template.metadata.labels && self.template.metadata.labels[k] == self.selector.matchLabels[k])",message="selector does not match the template: write every label of selector.matchLabels, with the same value, in template.metadata.labels",fieldPath=".selector"
// +kubebuilder:validation:XValidation:rule="!has(self.template) || !has(self.selector) || !has(self.template.metadata) || !has(self.template.metadata.labels) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? !has(e.values) || (e.operator == 'In') == (e.key in self.template.metadata.labels && self.template.metadata.labels[e.key] in e.values) : !(e.operator in ['Exists', 'DoesNotExist']) || (e.operator == 'Exists') == (e.key in self.template.metadata.labels))",message="selector does not match the template: give the template labels for which every one of selector.matchExpressions holds",fieldPath=".selector"
// +kubebuilder:validation:XValidation:rule="has(self.template) != has(self.workloadRef)",message="write the pods in template, or name the Deployment that has them in workloadRef, and not both",fieldPath=".template"
// +kubebuilder:validation:XValidation:rule="has(self.selector) || has(self.workloadRef)",message="selector is missing: write matchLabels with a label of the template, such as \"app: web\"",fieldPath=".selector"
// +kubebuilder:validation:XValidation:rule="!has(self.minReadySeconds) || !has(self.progressDeadlineSeconds) || self.minReadySeconds < self.progressDeadlineSeconds",message="no pod would be available in time: write a progressDeadlineSeconds greater than minReadySeconds",fieldPath=".progressDeadlineSeconds"
// +kubebuilder:validation:XValidation:rule="!has(self.strategy.blueGreen) || has(self.services)",message="blueGreen switches between two Services: write services.active, the name of the Service that callers use",fieldPath=".services"
// +kubebuilder:validation:XValidation:rule="!has(self.traffic) || has(self.services)",message="traffic is shared between two Services: write services.active, the name of the Service that callers use",fieldPath=".services"
// +kubebuilder:validation:XValidation:rule="!has(self.traffic) || has(self.strategy.canary) || has(self.strategy.blueGreen)",message="only canary and blueGreen move traffic by routes: remove traffic, or write one of these strategies",fieldPath=".traffic"
// +kubebuilder:validation:XValidation:rule="has(self.traffic) || !has(self.strategy.canary) || self.strategy.canary.steps.all(s, !has(s.replicas))",message="replicas of a step works with traffic only; without routes the share of traffic is the ratio of pods: remove replicas from the steps, or write traffic",fieldPath=".strategy.canary.steps"
// +kubebuilder:validation:XValidation:rule="has(self.traffic) || !has(self.strategy.canary) || !has(self.strategy.canary.sticky)",message="only routes tell clients apart: remove sticky, or write traffic",fieldPath=".strategy.canary.sticky"
// +kubebuilder:validation:XValidation:rule="has(self.traffic) || !has(self.strategy.canary) || self.strategy.canary.steps.all(s, !has(s.match) && !has(s.mirror))",message="only routes tell requests apart: remove match and mirror from the steps, or write traffic",fieldPath=".strategy.canary.steps"
// +kubebuilder:validation:XValidation:rule="has(self.traffic) || !has(self.strategy.canary) || self.strategy.canary.steps.all(s, !has(s.experiment))",message="only routes keep an experiment apart from production traffic: remove experiment from the steps, or write traffic",fieldPath=".strategy.canary.steps"
// +kubebuilder:validation:XValidation:rule="has(self.traffic) || !has(self.strategy.canary) || !has(self.strategy.canary.minPodsPerReplicaSet)",message="without traffic, the share of a revision is its number of pods: remove minPodsPerReplicaSet, or write traffic",fieldPath=".strategy.canary.minPodsPerReplicaSet"
// +kubebuilder:validation:XValidation:rule="has(self.traffic) || !has(self.strategy.canary) || !has(self.strategy.canary.scaleDownDelay)",message="without traffic, pods of a canary are replaced one by one and there is nothing to delay: remove scaleDownDelay, or write traffic",fieldPath=".strategy.canary.scaleDownDelay"
// +kubebuilder:validation:XValidation:rule="has(self.traffic) || !has(self.strategy.canary) || !has(self.strategy.canary.maxSurge) || !has(self.strategy.canary.maxUnavailable) || !((self.strategy.canary.maxSurge == 0 || self.strategy.canary.maxSurge == '0%') && (self.strategy.canary.maxUnavailable == 0 || self.strategy.canary.maxUnavailable == '0%'))",message="maxSurge and maxUnavailable are both 0, so no pod could be replaced: write at least 1 for one of them",fieldPath=".strategy.canary.maxUnavailable"
type RolloutSpec struct {
	// Replicas is the number of pods that serve when no release is under way. Leave it out of version control when an
	// autoscaler sets it.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Replicas *int32 `json:"replicas,omitempty"`

	// Selector picks the pods of this Rollout. It cannot be changed, and must match the labels of the template. With
	// workloadRef it defaults to that of the workload.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="selector cannot be changed: keep it, or create a Rollout with another name for another selector"
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)",message="an empty selector would pick every pod: write matchLabels with a label of the template, such as \"app: web\""
	// +kubebuilder:validation:XValidation:rule="!(has(self.matchLabels) && 'pod-template-hash' in self.matchLabels) && (!has(self.matchExpressions) || self.matchExpressions.all(e, e.key != 'pod-template-hash'))",message="the label pod-template-hash is set by the controller: remove it from selector"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="an expression of selector is incomplete: write In or NotIn with values, or Exists or DoesNotExist without"
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// Template is the pod template, exactly as in a Deployment. It is kept as it was written, with fields that this
	// version of Sluice does not know; PodTemplate decodes it. Either this or workloadRef is written.
	// +optional
	// +kubebuilder:validation:XValidation:rule="has(self.metadata) && has(self.metadata.labels) && size(self.metadata.labels) > 0",message="the template has no labels: write those of the selector in template.metadata.labels",fieldPath=".metadata"
	// +kubebuilder:validation:XValidation:rule="!has(self.metadata) || !has(self.metadata.labels) || !('pod-template-hash' in self.metadata.labels)",message="the label pod-template-hash is set by the controller: remove it from template.metadata.labels",fieldPath=".metadata.labels"
	// +kubebuilder:validation:XValidation:rule="size(self.spec.containers) > 0",message="the template has no container: write at least one, with a name and an image",fieldPath=".spec.containers"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec.restartPolicy) || self.spec.restartPolicy == 'Always'",message="pods of a Rollout run until they are replaced: remove restartPolicy, or write Always",fieldPath=".spec.restartPolicy"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec.activeDeadlineSeconds)",message="pods of a Rollout run until they are replaced: remove activeDeadlineSeconds",fieldPath=".spec.activeDeadlineSeconds"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec.ephemeralContainers) || size(self.spec.ephemeralContainers) == 0",message="ephemeral containers are for pods that run already: remove ephemeralContainers",fieldPath=".spec.ephemeralContainers"
	Template runtime.RawExtension `json:"template,omitzero"`

	// WorkloadRef names a Deployment whose pod template is released, so that tools which know Deployments only drive
	// this Rollout. Either this or template is written.
	// +optional
	WorkloadRef *WorkloadReference `json:"workloadRef,omitempty"`

	// Configuration names ConfigMaps and Secrets that are part of a revision.
	// +optional
	Configuration *Configuration `json:"configuration,omitempty"`

	// RoleMetadata are labels and annotations that pods have for as long as their revision has a role. They move without
	// a restart.
	// +optional
	RoleMetadata *RoleMetadata `json:"roleMetadata,omitempty"`

	// AntiAffinity keeps pods of a new revision away from the nodes of others. It applies to revisions that are created
	// after it was written.
	// +optional
	AntiAffinity *AntiAffinity `json:"antiAffinity,omitempty"`

	// MinReadySeconds is how long a pod must be ready before it counts as available.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483646
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`

	// RevisionHistoryLimit is how many earlier revisions keep their ReplicaSet, at zero pods, to go back to.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	RevisionHistoryLimit *int32 `json:"revisionHistoryLimit,omitempty"`

	// RollbackWindow lets a revision that was stable before go out at once, without the steps.
	// +optional
	RollbackWindow *RollbackWindow `json:"rollbackWindow,omitempty"`

	// ProgressDeadlineSeconds is how long a release may go without progress in pods or traffic before it is aborted.
	// Gates do not count: a pause or an analysis may take as long as it likes.
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// Paused holds the release where it is: no new release starts, and no weight rises. Scaling and aborting go on.
	// +optional
	Paused bool `json:"paused,omitempty"`

	// Services are the Services of the workload. Needed by blueGreen and by traffic.
	// +optional
	Services *Services `json:"services,omitempty"`

	// Traffic says how traffic is shared between two revisions. When absent, traffic moves by Service selectors.
	// +optional
	Traffic *Traffic `json:"traffic,omitempty"`

	// Strategy says how a new revision is released.
	// +required
	Strategy Strategy `json:"strategy"`
}

// Services names the two Services that point at revisions.
//
// +kubebuilder:validation:XValidation:rule="!has(self.standby) || self.standby != self.active",message="active and standby must be two different Services: write another name for standby, or remove it for <active>-standby",fieldPath=".standby"
// +kubebuilder:validation:XValidation:rule="(has(self.standby) && size(self.standby) > 0) || size(self.active) <= 55",message="the name <active>-standby would be longer than 63 characters: write a shorter name in standby",fieldPath=".standby"
type Services struct {
	// Active is the Service that callers use.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +sluice:validation:Name:of="a Service",example="web"
	Active string `json:"active"`

	// Standby is the Service that points at the candidate: the preview address. It defaults to <active>-standby, and
	// is created as a twin of the active one, and owned, when it does not exist.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +sluice:validation:Name:of="a Service",example="web-standby"
	Standby string `json:"standby,omitempty"`
}

// Strategy is exactly one way of releasing.
//
// +kubebuilder:validation:XValidation:rule="[has(self.canary), has(self.blueGreen), has(self.rollingUpdate), has(self.recreate)].filter(set, set).size() == 1",message="write exactly one strategy: canary, blueGreen, rollingUpdate or recreate"
type Strategy struct {
	// Canary moves traffic to the candidate in steps.
	// +optional
	Canary *CanaryStrategy `json:"canary,omitempty"`

	// BlueGreen brings up the candidate beside stable and then moves all traffic at once.
	// +optional
	BlueGreen *BlueGreenStrategy `json:"blueGreen,omitempty"`

	// RollingUpdate replaces pods a few at a time, as a Deployment does.
	// +optional
	RollingUpdate *RollingUpdateStrategy `json:"rollingUpdate,omitempty"`

	// Recreate ends all old pods before the first new one starts.
	// +optional
	Recreate *RecreateStrategy `json:"recreate,omitempty"`
}

// StableCapacity says how many pods stable keeps while its share of traffic falls.
//
// +kubebuilder:validation:Enum=Full;Proportional
type StableCapacity string

const (
	// StableCapacityFull keeps all pods of stable until the promotion: an abort is instant.
	StableCapacityFull StableCapacity = "Full"
	// StableCapacityProportional lets stable shrink behind its share of traffic: an abort waits for pods.
	StableCapacityProportional StableCapacity = "Proportional"
)

// CanaryStrategy moves traffic to the candidate in steps.
//
// +kubebuilder:validation:XValidation:rule="!has(self.analysis) || !has(self.analysis.startingStep) || self.analysis.startingStep < size(self.steps)",message="startingStep counts steps from 0: write a number less than the number of steps",fieldPath=".analysis.startingStep"
// +kubebuilder:validation:XValidation:rule="!has(self.sticky) || self.steps.filter(s, has(s.weight)).map(s, double(s.weight)).isSorted()",message="with sticky the weights of steps must not fall, as clients of the candidate stay with it: write weights that rise, or remove sticky",fieldPath=".steps"
// +kubebuilder:validation:XValidation:rule="self.steps.filter(s, has(s.experiment) || has(s.match) || has(s.mirror) || has(s.weight) && !(s.weight == 0 || s.weight == '0' || s.weight == '0.0')).map(s, has(s.experiment) ? 0 : 1).isSorted()",message="an experiment is apart from production traffic: write it before the first step with match, mirror or a weight above 0",fieldPath=".steps"
type CanaryStrategy struct {
	// MaxSurge is how many pods there may be above replicas, without routes. A number or a percentage, rounded up.
	// +optional
	// +kubebuilder:default="25%"
	// +sluice:validation:Pods:maxPercent=999
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`

	// MaxUnavailable is how many of the replicas may be unavailable, without routes. A number or a percentage,
	// rounded down.
	// +optional
	// +kubebuilder:default="25%"
	// +sluice:validation:Pods:maxPercent=100
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// StableCapacity says whether stable keeps all its pods until the promotion (Full) or shrinks behind its share of
	// traffic (Proportional). It has no meaning without routes, where the share is the ratio of pods.
	// +optional
	// +kubebuilder:default=Full
	StableCapacity StableCapacity `json:"stableCapacity,omitempty"`

	// MinPodsPerReplicaSet is the least number of pods of a revision that has traffic, whatever its weight needs; never
	// more than replicas. Only with routes.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MinPodsPerReplicaSet *int32 `json:"minPodsPerReplicaSet,omitempty"`

	// Sticky keeps clients with the version that they were given to, by a cookie, so that weights share clients and not
	// requests: one who has seen the candidate stays there as its weight grows. Only with routes of the kind HTTPRoute, and a
	// gateway that can set a response header for one backend.
	// +optional
	Sticky *Sticky `json:"sticky,omitempty"`

	// ScaleDownDelay is how long the pods of the old stable stay after the promotion; 0 means that they go at once.
	// Defaults to 30s with routes; without routes pods are replaced one by one and there is nothing to delay.
	// +optional
	// +sluice:validation:Duration:min="0s",max="720h",example="30s"
	ScaleDownDelay *metav1.Duration `json:"scaleDownDelay,omitempty"`

	// Steps are taken in order; after the last one the candidate gets all traffic and becomes stable.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	Steps []CanaryStep `json:"steps"`

	// Analysis runs in the background from its starting step to the promotion; a failure aborts.
	// +optional
	Analysis *BackgroundAnalysis `json:"analysis,omitempty"`
}

// CanaryStep is one stage of a canary: a share of traffic, the capacity for it, and the gates that must all hold
// before the next. What a step leaves out stays as it was in the step before.
//
// +kubebuilder:validation:XValidation:rule="has(self.weight) || has(self.replicas) || has(self.match) || has(self.mirror) || has(self.pause) || has(self.analysis) || has(self.experiment)",message="an empty step does nothing: write weight, replicas, match, mirror, pause, analysis or experiment, or remove the step"
// +kubebuilder:validation:XValidation:rule="!has(self.experiment) || !has(self.replicas) && !has(self.pause) && !has(self.analysis)",message="an experiment has replicas, a duration and an analysis of its own: write those of the step into it",fieldPath=".experiment"
// +kubebuilder:validation:XValidation:rule="!has(self.experiment) || !has(self.match) && !has(self.mirror) && (!has(self.weight) || self.weight == 0 || self.weight == '0' || self.weight == '0.0')",message="an experiment is apart from production traffic: remove weight, match and mirror from its step",fieldPath=".experiment"
type CanaryStep struct {
	// Weight is the percentage of traffic for the candidate: 0 to 100, with tenths as a string ("0.5").
	// +optional
	// +sluice:validation:Weight
	Weight *intstr.IntOrString `json:"weight,omitempty"`

	// Replicas is the number of candidate pods for this step, instead of what the weight needs. Only with routes.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Replicas *int32 `json:"replicas,omitempty"`

	// Match sends requests to the candidate by what is in them, beside those that the weight gives it: those for which any
	// entry holds. An empty list takes off what a step before has set. Only with routes.
	// +optional
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	Match []RequestMatch `json:"match,omitzero"`

	// Mirror sends copies of requests to the candidate; a percent of 0 ends what a step before has set. Only with routes.
	// +optional
	Mirror *Mirror `json:"mirror,omitempty"`

	// Pause holds for a duration, or, when empty, until a person promotes.
	// +optional
	Pause *Pause `json:"pause,omitempty"`

	// Analysis measures the candidate at this step and must pass.
	// +optional
	Analysis *Analysis `json:"analysis,omitempty"`

	// Experiment runs the candidate beside fresh pods of stable's template, both apart from production traffic. Only with
	// routes, and before the first step that gives the candidate requests.
	// +optional
	Experiment *Experiment `json:"experiment,omitempty"`
}

// Pause is a gate that opens after a time or by a person's promote.
type Pause struct {
	// Duration counts from the moment the traffic of the step has really moved. Absent: until a person promotes.
	// +optional
	// +sluice:validation:Duration:min="1s",max="720h",example="5m",otherwise="remove duration to wait for a person"
	Duration *metav1.Duration `json:"duration,omitempty"`
}

// BlueGreenStrategy brings up the candidate beside stable and then moves all traffic at once.
//
// +kubebuilder:validation:XValidation:rule="!has(self.autoPromoteAfter) || !has(self.autoPromote) || self.autoPromote",message="autoPromoteAfter has no meaning when a person promotes: remove it, or write autoPromote: true",fieldPath=".autoPromoteAfter"
type BlueGreenStrategy struct {
	// PreviewReplicas is the number of candidate pods before the switch. Defaults to replicas. It may be more than
	// replicas.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	PreviewReplicas *int32 `json:"previewReplicas,omitempty"`

	// AutoPromote switches without a person. When false, the candidate waits for a promote.
	// +optional
	// +kubebuilder:default=true
	AutoPromote *bool `json:"autoPromote,omitempty"`

	// AutoPromoteAfter is how long the candidate waits, ready, before it is switched to by itself.
	// +optional
	// +sluice:validation:Duration:min="1s",max="720h",example="5m",otherwise="remove autoPromoteAfter to switch at once"
	AutoPromoteAfter *metav1.Duration `json:"autoPromoteAfter,omitempty"`

	// PrePromotionAnalysis must pass before the switch.
	// +optional
	PrePromotionAnalysis *Analysis `json:"prePromotionAnalysis,omitempty"`

	// PostPromotionAnalysis must pass after the switch; a failure switches back.
	// +optional
	PostPromotionAnalysis *Analysis `json:"postPromotionAnalysis,omitempty"`

	// ScaleDownDelay is how long the pods of the old stable stay after the promotion; 0 means that they go at once.
	// +optional
	// +kubebuilder:default="30s"
	// +sluice:validation:Duration:min="0s",max="720h",example="30s"
	ScaleDownDelay *metav1.Duration `json:"scaleDownDelay,omitempty"`
}

// RollingUpdateStrategy replaces pods a few at a time, as a Deployment does.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maxSurge) || !has(self.maxUnavailable) || !((self.maxSurge == 0 || self.maxSurge == '0%') && (self.maxUnavailable == 0 || self.maxUnavailable == '0%'))",message="maxSurge and maxUnavailable are both 0, so no pod could be replaced: write at least 1 for one of them",fieldPath=".maxUnavailable"
type RollingUpdateStrategy struct {
	// MaxSurge is how many pods there may be above replicas. A number or a percentage, rounded up.
	// +optional
	// +kubebuilder:default="25%"
	// +sluice:validation:Pods:maxPercent=999
	MaxSurge *intstr.IntOrString `json:"maxSurge,omitempty"`

	// MaxUnavailable is how many of the replicas may be unavailable. A number or a percentage, rounded down.
	// +optional
	// +kubebuilder:default="25%"
	// +sluice:validation:Pods:maxPercent=100
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}

// RecreateStrategy ends all old pods before the first new one starts.
type RecreateStrategy struct{}

// Analysis names templates to measure with, and their arguments.
type Analysis struct {
	// Templates to run together as one AnalysisRun.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="self.all(t, self.exists_one(u, u.name == t.name && u.kind == t.kind))",message="a template is named twice: write each template once"
	Templates []AnalysisTemplateReference `json:"templates"`

	// Args are values for the arguments of the templates.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:XValidation:rule="self.all(a, !(a.name in ['rollout', 'namespace', 'candidate-hash', 'stable-hash', 'active-service', 'standby-service', 'baseline-hash', 'baseline-service']))",message="rollout, namespace, candidate-hash, stable-hash, active-service, standby-service, baseline-hash and baseline-service are set by Sluice: choose another name for the argument"
	Args []Argument `json:"args,omitempty"`

	// OnFailed is what becomes of a release when the analysis fails. Default: Abort. With Hold, a person may promote.
	// +optional
	OnFailed *Reaction `json:"onFailed,omitempty"`

	// OnInconclusive is what becomes of it when the analysis ends without a verdict. Default: Hold.
	// +optional
	OnInconclusive *Reaction `json:"onInconclusive,omitempty"`

	// OnError is what becomes of it when the analysis cannot be measured: no data, or errors. Default: Hold, for as long as it
	// takes. The time counts from the moment at which figures are missing, and anew whenever they are there again.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.action == 'Hold'",message="figures are missing for a moment in every release: write action: Hold, with timeLimit: 10m and then: Abort",fieldPath=".action"
	OnError *Reaction `json:"onError,omitempty"`
}

// BackgroundAnalysis runs beside the steps.
type BackgroundAnalysis struct {
	Analysis `json:",inline"`

	// StartingStep is the index, from 0, of the step whose traffic must have moved before the analysis starts.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=49
	StartingStep int32 `json:"startingStep,omitempty"`
}

// AnalysisTemplateReference names an AnalysisTemplate in the same namespace, or a ClusterAnalysisTemplate.
type AnalysisTemplateReference struct {
	// Kind of the template.
	// +optional
	// +kubebuilder:default=AnalysisTemplate
	// +kubebuilder:validation:Enum=AnalysisTemplate;ClusterAnalysisTemplate
	Kind string `json:"kind,omitempty"`

	// Name of the template.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
