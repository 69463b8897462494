package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AnalysisTemplate holds metrics that judge a candidate, with arguments.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=at,categories=sluice
// +kubebuilder:printcolumn:name="Metrics",type=string,JSONPath=`.spec.metrics[*].name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AnalysisTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds the metrics and their arguments.
	// +required
	Spec AnalysisTemplateSpec `json:"spec"`

	// Status says what is wrong with the template, if anything.
	// +optional
	Status AnalysisTemplateStatus `json:"status,omitempty"`
}

// AnalysisTemplateList is a list of AnalysisTemplates.
//
// +kubebuilder:object:root=true
type AnalysisTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AnalysisTemplate `json:"items"`
}

// ClusterAnalysisTemplate is an AnalysisTemplate for every namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cat,categories=sluice
// +kubebuilder:printcolumn:name="Metrics",type=string,JSONPath=`.spec.metrics[*].name`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterAnalysisTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec holds the metrics and their arguments.
	// +required
	Spec AnalysisTemplateSpec `json:"spec"`

	// Status says what is wrong with the template, if anything.
	// +optional
	Status AnalysisTemplateStatus `json:"status,omitempty"`
}

// ClusterAnalysisTemplateList is a list of ClusterAnalysisTemplates.
//
// +kubebuilder:object:root=true
type ClusterAnalysisTemplateList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterAnalysisTemplate `json:"items"`
}

// AnalysisTemplateSpec holds metrics and the arguments they use.
type AnalysisTemplateSpec struct {
	// Args declares arguments; {{args.<name>}} in a query, a condition or an address is replaced by the value. These
	// are always there: rollout, namespace, candidate-hash, stable-hash, active-service, standby-service; and in an experiment
	// baseline-hash and baseline-service.
	// +optional
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:XValidation:rule="self.all(a, !(a.name in ['rollout', 'namespace', 'candidate-hash', 'stable-hash', 'active-service', 'standby-service', 'baseline-hash', 'baseline-service']))",message="rollout, namespace, candidate-hash, stable-hash, active-service, standby-service, baseline-hash and baseline-service are set by Sluice: choose another name for the argument"
	Args []Argument `json:"args,omitempty"`

	// Metrics are all measured; one that fails fails the analysis, and all must pass for it to pass.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Metrics []Metric `json:"metrics"`
}

// AnalysisTemplateStatus says what is wrong with a template, if anything.
type AnalysisTemplateStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions has Ready: False when a condition of a metric does not compile or an argument is not declared.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Metric is one figure, measured again and again, or a comparison of what both versions serve.
//
// +kubebuilder:validation:XValidation:rule="has(self.preset) || has(self.ratio) || has(self.latency) || has(self.slo) || has(self.kubernetes) || (has(self.successCondition) && size(self.successCondition) > 0) || (has(self.failureCondition) && size(self.failureCondition) > 0)",message="a metric needs a condition: write successCondition, such as \"result >= 0.95\", or failureCondition, such as \"result > 0.05\", compare both versions with ratio or latency, hold the candidate to an objective with slo, or look at pods with kubernetes"
// +kubebuilder:validation:XValidation:rule="!(has(self.preset) || has(self.ratio) || has(self.latency) || has(self.slo) || has(self.kubernetes)) || (!has(self.successCondition) && !has(self.failureCondition) && !has(self.failureLimit))",message="a metric of its own kind decides by itself: remove successCondition, failureCondition and failureLimit"
// +kubebuilder:validation:XValidation:rule="!(has(self.preset) || has(self.ratio) || has(self.latency) || has(self.slo) || has(self.kubernetes)) || has(self.interval)",message="a metric of its own kind looks again and again: write interval, such as \"15s\"",fieldPath=".interval"
// +kubebuilder:validation:XValidation:rule="!(has(self.preset) || has(self.ratio) || has(self.latency) || has(self.slo)) || !has(self.provider) || has(self.provider.prometheus)",message="ratio, slo and the like need counters of requests, which only prometheus has: write provider.prometheus, or compare a figure with a condition",fieldPath=".provider"
// +kubebuilder:validation:XValidation:rule="!has(self.provider) || !has(self.provider.prometheus) || (has(self.preset) || has(self.ratio) || has(self.latency) || has(self.slo)) != has(self.provider.prometheus.query)",message="a condition needs provider.prometheus.query, and ratio, slo and the like have selectors in its place: write the one or the other"
// +kubebuilder:validation:XValidation:rule="!(has(self.weight) || has(self.dispersion)) || has(self.preset) || has(self.ratio) || has(self.latency) || has(self.slo)",message="weight and dispersion are for evidence: remove them, or write ratio, latency or slo in place of conditions"
// +kubebuilder:validation:XValidation:rule="has(self.kubernetes) ? !has(self.provider) : has(self.provider) || has(self.preset)",message="kubernetes asks the API server and has no provider, and every other metric has one, but that of a preset may be left out: write the one or the other",fieldPath=".provider"
// +kubebuilder:validation:XValidation:rule="[has(self.preset), has(self.ratio), has(self.latency), has(self.slo), has(self.kubernetes)].filter(x, x).size() <= 1",message="a metric is of one kind: write ratio, or slo, or kubernetes and so on, and a second metric for the other"
// +kubebuilder:validation:XValidation:rule="!has(self.count) || self.count <= 1 || has(self.interval)",message="count of more than 1 needs interval: write the time between two measurements, such as \"30s\"",fieldPath=".interval"
// +kubebuilder:validation:XValidation:rule="!has(self.failureLimit) || (has(self.count) ? self.failureLimit < self.count : has(self.interval) || self.failureLimit == 0)",message="the metric could never fail: write a failureLimit less than count, which is 1 without count and interval",fieldPath=".failureLimit"
// +kubebuilder:validation:XValidation:rule="!has(self.failureLimit) || self.failureLimit >= 0 || has(self.consecutiveSuccessLimit)",message="the metric could never fail: write a failureLimit of 0 or more; -1 is for metrics with consecutiveSuccessLimit",fieldPath=".failureLimit"
// +kubebuilder:validation:XValidation:rule="!has(self.inconclusiveLimit) || (has(self.successCondition) && has(self.failureCondition))",message="a measurement is inconclusive when successCondition and failureCondition are given and neither holds: write both, or remove inconclusiveLimit",fieldPath=".inconclusiveLimit"
// +kubebuilder:validation:XValidation:rule="!has(self.consecutiveSuccessLimit) || has(self.successCondition) || has(self.failureCondition)",message="consecutiveSuccessLimit counts measurements that met a condition: write successCondition, or remove consecutiveSuccessLimit",fieldPath=".consecutiveSuccessLimit"
// +kubebuilder:validation:XValidation:rule="!has(self.consecutiveSuccessLimit) || (has(self.count) ? self.consecutiveSuccessLimit <= self.count : has(self.interval) || self.consecutiveSuccessLimit == 1)",message="the metric could never pass: write a consecutiveSuccessLimit of at most count, which is 1 without count and interval",fieldPath=".consecutiveSuccessLimit"
// +kubebuilder:validation:XValidation:rule="!has(self.source) || has(self.preset)",message="source says what counts the requests of a preset: write preset, such as success-rate, or remove source",fieldPath=".source"
type Metric struct {
	// Name of the metric, unique in its template: lower case letters, digits and dashes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +sluice:validation:Name:of="a metric",example="success-rate"
	Name string `json:"name"`

	// InitialDelay is how long after the start the first measurement is taken.
	// +optional
	// +sluice:validation:Duration:min="0s",max="24h",example="1m"
	InitialDelay *metav1.Duration `json:"initialDelay,omitempty"`

	// Interval between measurements. Needed when count is more than 1, and for background analysis.
	// +optional
	// +sluice:validation:Duration:min="1s",max="24h",example="30s"
	Interval *metav1.Duration `json:"interval,omitempty"`

	// Count is how many measurements with data are taken. Absent: 1 without an interval; with one, measurements go on
	// until the analysis is stopped.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Count *int32 `json:"count,omitempty"`

	// FailureLimit is how many failed measurements are tolerated; one more fails the metric. With consecutiveSuccessLimit,
	// -1 tolerates any number.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	// +kubebuilder:validation:Maximum=1000
	FailureLimit int32 `json:"failureLimit,omitempty"`

	MetricLimits `json:",inline"`

	PresetMetric `json:",inline"`

	MetricStatistics `json:",inline"`

	// SuccessCondition is a CEL expression over result, a number: "result >= 0.95". Without a failureCondition, a
	// measurement for which it is false has failed.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	SuccessCondition string `json:"successCondition,omitempty"`

	// FailureCondition is a CEL expression over result, a number: "result > 0.05". Without a successCondition, a
	// measurement for which it is false has succeeded. When both are given and both are false, the measurement is
	// inconclusive.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	FailureCondition string `json:"failureCondition,omitempty"`

	// Ratio compares the share of bad requests of both versions, in place of conditions. Each interval is a batch; the
	// metric fails as soon as the batches together show that the candidate has more than is tolerated, and is
	// inconclusive when count batches are too few to have shown it.
	// +optional
	Ratio *RatioMetric `json:"ratio,omitempty"`

	// Latency compares how long requests of both versions take, in place of conditions: as ratio does, by how many exceed a
	// few bounds.
	// +optional
	Latency *LatencyMetric `json:"latency,omitempty"`

	// SLO holds the candidate's share of bad requests to an objective, in place of conditions, as ratio holds it to that of
	// stable: with evidence over all batches.
	// +optional
	SLO *SLOMetric `json:"slo,omitempty"`

	// Kubernetes looks at the candidate's pods, in place of conditions: restarts, containers that were out of memory, crash
	// loops, and pods that are not ready. It asks the API server and needs no provider.
	// +optional
	Kubernetes *KubernetesMetric `json:"kubernetes,omitempty"`

	// Provider says where the figure comes from. Every metric has one but those with kubernetes or a preset.
	// +optional
	Provider MetricProvider `json:"provider,omitzero"`
}

// AnalysisPhase is where an AnalysisRun, or one of its metrics, is.
//
// +kubebuilder:validation:Enum=Pending;Running;Passed;Failed;Inconclusive;Stopped
type AnalysisPhase string

const (
	// AnalysisPending: nothing has been measured.
	AnalysisPending AnalysisPhase = "Pending"
	// AnalysisRunning: measurements are being taken.
	AnalysisRunning AnalysisPhase = "Running"
	// AnalysisPassed: every metric passed.
	AnalysisPassed AnalysisPhase = "Passed"
	// AnalysisFailed: a metric failed.
	AnalysisFailed AnalysisPhase = "Failed"
	// AnalysisInconclusive: measurements were taken, and neither condition held.
	AnalysisInconclusive AnalysisPhase = "Inconclusive"
	// AnalysisStopped: the release went on, or away, before there was a verdict.
	AnalysisStopped AnalysisPhase = "Stopped"
)

// Ended says whether a phase is a last one.
func (p AnalysisPhase) Ended() bool {
	switch p {
	case AnalysisPassed, AnalysisFailed, AnalysisInconclusive, AnalysisStopped:
		return true
	case AnalysisPending, AnalysisRunning:
		return false
	}
	return false
}

// AnalysisRun is one execution of one or more templates for one revision.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ar,categories=sluice
// +kubebuilder:printcolumn:name="Rollout",type=string,JSONPath=`.spec.rollout`
// +kubebuilder:printcolumn:name="Gate",type=string,JSONPath=`.spec.gate`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
type AnalysisRun struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is measured; it holds copies, so that a later edit of a template changes nothing.
	// +required
	Spec AnalysisRunSpec `json:"spec"`

	// Status holds the measurements and the verdict.
	// +optional
	Status AnalysisRunStatus `json:"status,omitempty"`
}

// AnalysisRunList is a list of AnalysisRuns.
//
// +kubebuilder:object:root=true
type AnalysisRunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AnalysisRun `json:"items"`
}

// AnalysisRunSpec is what is measured. Nothing of it can be changed, other than terminate, from false to true, and shifts,
// to which the controller adds.
//
// +kubebuilder:validation:XValidation:rule="has(self.rollout) == has(oldSelf.rollout) && (!has(self.rollout) || self.rollout == oldSelf.rollout)",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".rollout"
// +kubebuilder:validation:XValidation:rule="has(self.revision) == has(oldSelf.revision) && (!has(self.revision) || self.revision == oldSelf.revision)",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".revision"
// +kubebuilder:validation:XValidation:rule="has(self.gate) == has(oldSelf.gate) && (!has(self.gate) || self.gate == oldSelf.gate)",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".gate"
// +kubebuilder:validation:XValidation:rule="has(self.args) == has(oldSelf.args) && (!has(self.args) || self.args == oldSelf.args)",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".args"
// +kubebuilder:validation:XValidation:rule="!self.metrics.exists(m, has(m.preset))",message="an AnalysisRun has what a preset stands for: write ratio, or run an AnalysisTemplate with the preset",fieldPath=".metrics"
// +kubebuilder:validation:XValidation:rule="self.metrics == oldSelf.metrics",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".metrics"
// +kubebuilder:validation:XValidation:rule="has(self.plannedSteps) == has(oldSelf.plannedSteps) && (!has(self.plannedSteps) || self.plannedSteps == oldSelf.plannedSteps)",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".plannedSteps"
// +kubebuilder:validation:XValidation:rule="has(self.errorBudget) == has(oldSelf.errorBudget) && (!has(self.errorBudget) || self.errorBudget == oldSelf.errorBudget)",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".errorBudget"
// +kubebuilder:validation:XValidation:rule="has(self.carried) == has(oldSelf.carried) && (!has(self.carried) || self.carried == oldSelf.carried)",message="an AnalysisRun records what was measured and cannot be changed, other than terminate: create another one",fieldPath=".carried"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.shifts) || (has(self.shifts) && oldSelf.shifts.all(o, o in self.shifts))",message="shifts record when traffic moved and are only added to: leave those that are there",fieldPath=".shifts"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.terminate) || !oldSelf.terminate || (has(self.terminate) && self.terminate)",message="terminate cannot be taken back, as a run that was ended does not go on: leave it at true",fieldPath=".terminate"
type AnalysisRunSpec struct {
	// Rollout is the name of the Rollout that asked for the run; empty for a run made by hand.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Rollout string `json:"rollout,omitempty"`

	// Revision is the hash of the candidate.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision,omitempty"`

	// Gate says what the run is for: step-<number>, background, pre-promotion or post-promotion.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Gate string `json:"gate,omitempty"`

	// Args are the values of all arguments.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Args []Argument `json:"args,omitempty"`

	// Metrics are copies from the templates.
	// +required
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	Metrics []Metric `json:"metrics"`

	// Shifts say when traffic moved, oldest first; the controller adds to them. A batch of a ratio never spans one: it ends
	// where traffic begins to move, and the next begins 15 s after it has come to rest. Without any, traffic stands still.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	// +listType=atomic
	Shifts []TrafficShift `json:"shifts,omitempty"`

	// PlannedSteps is at how many weights, this one included, the release is to be measured from here on. Harm may begin
	// at each; a ratio that knows how many there are finds harm that begins late nearly as fast. Absent: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PlannedSteps int32 `json:"plannedSteps,omitempty"`

	// ErrorBudget is this run's part of the odds, in percent, that the release is aborted although the candidate does no
	// harm. All analyses of a release together have 1%, which is also what a run without it has.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,2}([.][0-9]{1,6})?%$')",message="write the odds of a false abort in percent, such as \"0.5%\""
	ErrorBudget string `json:"errorBudget,omitempty"`

	// Carried is the evidence of earlier analyses of the release, by metric.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=metric
	Carried []CarriedEvidence `json:"carried,omitempty"`

	// Terminate ends the run without a verdict when it has none yet. A background run whose measurements were good so
	// far is Stopped, never Passed.
	// +optional
	Terminate bool `json:"terminate,omitempty"`
}

// AnalysisRunStatus holds the measurements and the verdict.
type AnalysisRunStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase is the verdict, once there is one. A verdict never changes.
	// +optional
	Phase AnalysisPhase `json:"phase,omitempty"`

	// Message gives the reason for the phase, with numbers.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// StartedAt is when the run began.
	// +optional
	StartedAt metav1.MicroTime `json:"startedAt,omitzero"`

	// CompletedAt is when the verdict fell.
	// +optional
	CompletedAt metav1.MicroTime `json:"completedAt,omitzero"`

	// Metrics hold the results of each metric.
	// +optional
	// +listType=map
	// +listMapKey=name
	Metrics []MetricResult `json:"metrics,omitempty"`

	// Conditions has Ready (the run has all it needs) with the field and the cure when it has not.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MetricResult sums up one metric of a run.
type MetricResult struct {
	// Name of the metric.
	Name string `json:"name"`
	// Phase of the metric.
	Phase AnalysisPhase `json:"phase"`
	// Message gives the reason for the phase.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// Successful counts measurements that succeeded.
	// +optional
	Successful int32 `json:"successful,omitempty"`
	// Failed counts measurements that failed.
	// +optional
	Failed int32 `json:"failed,omitempty"`
	// Inconclusive counts measurements for which neither condition held.
	// +optional
	Inconclusive int32 `json:"inconclusive,omitempty"`
	// NoData counts queries that gave no number: an empty result, NaN or infinity. They decide nothing.
	// +optional
	NoData int32 `json:"noData,omitempty"`
	// Errors counts queries that could not be made or that the server refused. They decide nothing.
	// +optional
	Errors int32 `json:"errors,omitempty"`
	// ConsecutiveSuccesses counts successful measurements since the last that was not, errors and no data left out.
	// +optional
	ConsecutiveSuccesses int32 `json:"consecutiveSuccesses,omitempty"`
	// ConsecutiveErrors counts errors since the last answer, and sets the pace of the retries.
	// +optional
	ConsecutiveErrors int32 `json:"consecutiveErrors,omitempty"`
	// NextAt is when the next measurement is due.
	// +optional
	NextAt metav1.MicroTime `json:"nextAt,omitzero"`
	// Comparison is what a ratio has come to.
	// +optional
	Comparison *Comparison `json:"comparison,omitempty"`
	// Pods is what a metric with kubernetes has counted.
	// +optional
	Pods *PodCounts `json:"pods,omitempty"`
	// DryRun says that the metric has no say in the verdict.
	// +optional
	DryRun bool `json:"dryRun,omitempty"`
	// Measurements are the last ones, ten unless the metric's measurementRetention says otherwise.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	Measurements []Measurement `json:"measurements,omitempty"`
}

// MeasurementState is what one measurement says.
//
// +kubebuilder:validation:Enum=Successful;Failed;Inconclusive;NoData;Error
type MeasurementState string

const (
	// MeasurementSuccessful: the success condition held, or the failure condition did not.
	MeasurementSuccessful MeasurementState = "Successful"
	// MeasurementFailed: the failure condition held, or the success condition did not.
	MeasurementFailed MeasurementState = "Failed"
	// MeasurementInconclusive: both conditions were given and neither held.
	MeasurementInconclusive MeasurementState = "Inconclusive"
	// MeasurementNoData: the query gave no number.
	MeasurementNoData MeasurementState = "NoData"
	// MeasurementError: the query could not be made, or the server refused it.
	MeasurementError MeasurementState = "Error"
)

// Measurement is one figure at one moment.
type Measurement struct {
	// At is when the figure was asked for.
	At metav1.MicroTime `json:"at"`
	// State is what the figure says.
	State MeasurementState `json:"state"`
	// Value is the figure, as a decimal number; empty without one.
	// +optional
	Value string `json:"value,omitempty"`
	// Reason says in one word why there is no figure: NoData, ProviderUnreachable, QueryInvalid and so on.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says why there is no figure, and what would help; or what the server warned of.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}
