package v1alpha1

// Labels and annotations that Sluice reads and writes.
const (
	// LabelPodTemplateHash is the standard label that tells revisions apart, on ReplicaSets, pods and selectors.
	LabelPodTemplateHash = "pod-template-hash"
	// LabelRollout is the name of the Rollout, on AnalysisRuns, on Services that are made and on copies of configuration.
	LabelRollout = "sluice.dev/rollout"
	// LabelBaselineOf is the hash of the revision that a fresh baseline was made of, on its ReplicaSet, its pods and their
	// selector. It tells them from revisions.
	LabelBaselineOf = "sluice.dev/baseline-of"
	// LabelRevision is the hash of the candidate, on AnalysisRuns.
	LabelRevision = "sluice.dev/revision"
	// LabelAttempt is the attempt of the release, on AnalysisRuns.
	LabelAttempt = "sluice.dev/attempt"
	// FinalizerTraffic keeps a Rollout with Services until they select its pods as they did before there was a Rollout, and one
	// that has taken the pods of a Deployment until these are back.
	FinalizerTraffic = "sluice.dev/traffic"
	// AnnotationCommand carries a command: <action>/<revision>/<request id>.
	AnnotationCommand = "sluice.dev/command"
	// AnnotationRevisionNumber is the number of a revision on its ReplicaSet, 1 for the first, as a Deployment counts them.
	AnnotationRevisionNumber = "sluice.dev/revision-number"
	// AnnotationTemplate is the pod template of a revision on its ReplicaSet, as JSON and as it was in spec.template. The
	// API server fills defaults into the template of a ReplicaSet, which would give it another hash: this is what to go
	// back to.
	AnnotationTemplate = "sluice.dev/template"
	// AnnotationRoleMetadata is, on a ReplicaSet, what spec.roleMetadata has put on its pods, as JSON.
	AnnotationRoleMetadata = "sluice.dev/role-metadata"
	// AnnotationIdentity is the identity of the template of a revision, on a ReplicaSet that was adopted. Its
	// pod-template-hash is not ours: this is how the template in the spec finds it.
	AnnotationIdentity = "sluice.dev/identity"
	// AnnotationConfiguration says on a ReplicaSet which content its revision was made with: a JSON object of hashes by
	// "ConfigMap/<name>" and "Secret/<name>"; see ConfigurationVersions.
	AnnotationConfiguration = "sluice.dev/configuration"
	// AnnotationCopyOf is the name of the ConfigMap or Secret that an object is a copy of.
	AnnotationCopyOf = "sluice.dev/copy-of"
)

// Types of the conditions of a Rollout.
const (
	// ConditionReady: what the spec asks for is stable, available, and has its traffic.
	ConditionReady = "Ready"
	// ConditionReconciling: a release is under way or waits at a gate.
	ConditionReconciling = "Reconciling"
	// ConditionStalled: nothing will move until a person does something.
	ConditionStalled = "Stalled"
	// ConditionAvailable: stable has the pods that the availability limits ask for.
	ConditionAvailable = "Available"
)

// Actions of commands.
const (
	// ActionPromote lets the current step go on.
	ActionPromote = "promote"
	// ActionPromoteFull skips all steps that are left.
	ActionPromoteFull = "promote-full"
	// ActionAbort sends all traffic back to stable.
	ActionAbort = "abort"
	// ActionRetry releases an aborted revision again from its first step.
	ActionRetry = "retry"
	// ActionRestart replaces every pod of the revision.
	ActionRestart = "restart"
	// ActionSkipStep leaves out the rest of the current step.
	ActionSkipStep = "skip-step"
)

// Reasons say in one word why the machine is where it is. They stand in conditions, events and history.
const (
	// ReasonPromoted: the candidate became stable.
	ReasonPromoted = "Promoted"
	// ReasonRolledBack: a revision that was stable before became so again, without steps.
	ReasonRolledBack = "RolledBack"
	// ReasonAvailable: enough pods are available.
	ReasonAvailable = "Available"
	// ReasonUnavailable: too few pods are available.
	ReasonUnavailable = "Unavailable"
	// ReasonReleaseStarted: a new revision is being released.
	ReasonReleaseStarted = "ReleaseStarted"
	// ReasonStepCompleted: all gates of a step held.
	ReasonStepCompleted = "StepCompleted"
	// ReasonWaitingForPods: pods of a revision are not available yet.
	ReasonWaitingForPods = "WaitingForPods"
	// ReasonWaitingForEndpoints: pods are available, and not yet endpoints of the Service that will carry them.
	ReasonWaitingForEndpoints = "WaitingForEndpoints"
	// ReasonWaitingForRoute: a weight was written, and the gateway has not accepted it yet.
	ReasonWaitingForRoute = "WaitingForRoute"
	// ReasonSettling: traffic has moved, and the data plane is given a moment.
	ReasonSettling = "Settling"
	// ReasonConfirmingShare: a probe asks the gateway whether the candidate answers its share.
	ReasonConfirmingShare = "ConfirmingShare"
	// ReasonShareConfirmed: a probe has seen the candidate answer its share.
	ReasonShareConfirmed = "ShareConfirmed"
	// ReasonShareNotConfirmed: a probe has seen the candidate answer more or less than its share, or could not see it.
	ReasonShareNotConfirmed = "ShareNotConfirmed"
	// ReasonPaused: spec.paused is set.
	ReasonPaused = "Paused"
	// ReasonWaitingForPause: the pause of a step runs.
	ReasonWaitingForPause = "WaitingForPause"
	// ReasonAwaitingPromotion: the step waits for a person.
	ReasonAwaitingPromotion = "AwaitingPromotion"
	// ReasonWaitingForAnalysis: an analysis has no verdict yet.
	ReasonWaitingForAnalysis = "WaitingForAnalysis"
	// ReasonAnalysisInconclusive: an analysis ended without a verdict; a person decides.
	ReasonAnalysisInconclusive = "AnalysisInconclusive"
	// ReasonAwaitingDecision: an analysis failed, and its onFailed asks for a person to decide.
	ReasonAwaitingDecision = "AwaitingDecision"
	// ReasonAnalysisNotMeasured: an analysis could not be measured for as long as its onError allows.
	ReasonAnalysisNotMeasured = "AnalysisNotMeasured"
	// ReasonPromoting: all steps are done and traffic settles on the candidate.
	ReasonPromoting = "Promoting"
	// ReasonRetreating: traffic goes back to stable.
	ReasonRetreating = "Retreating"
	// ReasonScaling: stable is being brought to the replicas that the spec asks for.
	ReasonScaling = "Scaling"
	// ReasonRestarting: pods are being replaced.
	ReasonRestarting = "Restarting"
	// ReasonAborted: a person aborted.
	ReasonAborted = "Aborted"
	// ReasonAnalysisFailed: an analysis failed.
	ReasonAnalysisFailed = "AnalysisFailed"
	// ReasonProgressDeadlineExceeded: nothing moved for progressDeadlineSeconds.
	ReasonProgressDeadlineExceeded = "ProgressDeadlineExceeded"
	// ReasonSuperseded: the template changed again.
	ReasonSuperseded = "Superseded"
	// ReasonReturned: the template of stable came back.
	ReasonReturned = "Returned"
	// ReasonInvalidSpec: the spec cannot be carried out.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonWorkloadNotFound: the workload that the spec names does not exist.
	ReasonWorkloadNotFound = "WorkloadNotFound"
	// ReasonServiceNotFound: a Service that the spec names does not exist.
	ReasonServiceNotFound = "ServiceNotFound"
	// ReasonServiceMismatch: a Service that the spec names selects other pods, lacks a port, or is someone else's.
	ReasonServiceMismatch = "ServiceMismatch"
	// ReasonRouteNotFound: a route that the spec names does not exist.
	ReasonRouteNotFound = "RouteNotFound"
	// ReasonRouteWithoutBackend: a route has no rule that sends requests to the active Service.
	ReasonRouteWithoutBackend = "RouteWithoutBackend"
	// ReasonRouteUnusable: a route cannot be shared between the two Services as it is written.
	ReasonRouteUnusable = "RouteUnusable"
	// ReasonRouteNotAccepted: a gateway refuses a route.
	ReasonRouteNotAccepted = "RouteNotAccepted"
	// ReasonRouteReleased: a route that the Rollout has made has no template any more, and stays.
	ReasonRouteReleased = "RouteReleased"
	// ReasonTrafficReverted: another writer has changed a weight or a selector that a release needs; it is put back.
	ReasonTrafficReverted = "TrafficReverted"
	// ReasonTrafficContested: another writer changes a weight or a selector again and again, and the release holds.
	ReasonTrafficContested = "TrafficContested"
	// ReasonTemplateNotFound: an analysis template that the spec names does not exist.
	ReasonTemplateNotFound = "TemplateNotFound"
	// ReasonConfigurationNotFound: a tracked ConfigMap or Secret, or the copy that a version names, does not exist.
	ReasonConfigurationNotFound = "ConfigurationNotFound"
	// ReasonConfigurationInvalid: a tracked object is not used by the template, or a copy cannot be made of it.
	ReasonConfigurationInvalid = "ConfigurationInvalid"
	// ReasonConfigurationForbidden: the controller may not read a tracked object.
	ReasonConfigurationForbidden = "ConfigurationForbidden"
	// ReasonWaitingForTurn: a changed ConfigMap or Secret feeds many Rollouts, and others are released first.
	ReasonWaitingForTurn = "WaitingForTurn"
	// ReasonStableLost: stable has no ready pod that traffic could go back to.
	ReasonStableLost = "StableLost"
	// ReasonReplicaSetRefused: the API server refused the ReplicaSet of a revision.
	ReasonReplicaSetRefused = "ReplicaSetRefused"
	// ReasonWriteRefused: the API server refused a change of something other than a ReplicaSet.
	ReasonWriteRefused = "WriteRefused"
	// ReasonLeaving: the Rollout is being deleted, and its traffic is brought to where it stays.
	ReasonLeaving = "Leaving"
	// ReasonAdopted: a ReplicaSet that nobody owned is now the revision of its template.
	ReasonAdopted = "Adopted"
	// ReasonNotAdopted: pods that nobody owns have the labels of the selector, and are not those of the template.
	ReasonNotAdopted = "NotAdopted"
	// ReasonCommandIgnored: a command did not apply.
	ReasonCommandIgnored = "CommandIgnored"
)
