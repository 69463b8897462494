package scenario

import (
	"context"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Name of the Rollout of every scenario, of its active Service and of its route.
const Name = "web"

// Template is the name of the AnalysisTemplate of every scenario.
const Template = "verdict"

// ConfigMap is the name of the ConfigMap that pods read, and Word the key of what it says.
const (
	ConfigMap = "web-config"
	Word      = "word"
)

// MatchHeader is the header by which requests are matched.
const MatchHeader = "x-canary"

// Scenario is one file.
type Scenario struct {
	// Name is the name of the file without its ending.
	Name string
	// About is the comment at its head: what it shows.
	About string
	// Spec is the spec of the Rollout without its template, which comes with the first release.
	Spec v1alpha1.RolloutSpec
	// Lines are what follows the set-up.
	Lines []Line
	// Needs are what a driver must have to play it, in the order of AllNeeds.
	Needs []Need
}

// Need is something that not every driver has.
type Need string

const (
	// NeedClock is time that passes when it is told to: the scenario would take too long otherwise.
	NeedClock Need = "clock"
	// NeedVerdicts are measurements that come out as the scenario says.
	NeedVerdicts Need = "verdicts"
	// NeedPods are pods that become ready, or do not, as the scenario says.
	NeedPods Need = "pods"
	// NeedGateway is a gateway that refuses routes as the scenario says.
	NeedGateway Need = "gateway"
	// NeedController is a controller that the scenario may stop and start.
	NeedController Need = "controller"
	// NeedDeployments are Deployments that have pods.
	NeedDeployments Need = "deployments"
	// NeedValidation is an API server that refuses a pod template that is wrong.
	NeedValidation Need = "validation"
)

// AllNeeds are all of them.
func AllNeeds() []Need {
	return []Need{NeedClock, NeedVerdicts, NeedPods, NeedGateway, NeedController, NeedDeployments, NeedValidation}
}

// Line is one sentence of the story.
type Line struct {
	// Number counts the lines of the file from 1.
	Number int
	// Text is the line as it was written.
	Text string
	// Kind says which of the fields below is set.
	Kind LineKind
	// Event of a line that makes something happen.
	Event Event
	// Condition of a line that waits or checks.
	Condition Condition
	// Duration of a line that lets time pass.
	Duration time.Duration
}

// LineKind is what a line does.
type LineKind string

const (
	// Happens: something happens.
	Happens LineKind = "happens"
	// Until waits for a condition, as long as it takes.
	Until LineKind = "until"
	// Expect checks a condition, for which no time has to pass.
	Expect LineKind = "expect"
	// Always checks a condition at every moment from here on.
	Always LineKind = "always"
	// Never checks at every moment from here on that a condition does not hold.
	Never LineKind = "never"
	// Passes lets time pass.
	Passes LineKind = "time passes"
	// Notes remembers the pods and the release of this moment.
	Notes LineKind = "note"
)

// Limits of Watch that are no durations.
const (
	// AtOnce lets happen what can happen without time passing. Where time passes by itself, that is a few seconds.
	AtOnce time.Duration = 0
	// AsLongAsItTakes lets time pass until nothing would happen any more. Where that cannot be known, a driver gives up
	// after a minute or so.
	AsLongAsItTakes time.Duration = -1
)

// Driver is a world in which a scenario is played. Package objects does what can be done through the API of Kubernetes.
type Driver interface {
	// Setup makes what the user has before the first release: the active Service, the route and the AnalysisTemplate.
	// The Rollout comes with the event Release.
	Setup(ctx context.Context, spec v1alpha1.RolloutSpec) error
	// Do makes something happen and does not wait for what follows from it.
	Do(ctx context.Context, event Event) error
	// Watch lets the world go on, and shows a picture of it at once and after every change, until enough says that it
	// has seen enough or the limit has passed. It returns an error only when the world itself is broken.
	Watch(ctx context.Context, limit time.Duration, enough func(Picture) bool) error
}

// EventKind is what happens.
type EventKind string

// Events. Those of the first group are writes to the API and done by package objects; those of the second are done by a
// driver, and each comes with a Need.
const (
	// Release writes the template of Version, into the Deployment if Spec names one; the first one creates the Rollout with
	// Spec.
	Release EventKind = "release"
	// ReleaseWrong writes a template of Version that no ReplicaSet can have.
	ReleaseWrong EventKind = "release wrong"
	// Change writes Spec, with the template that is there; before the first release it does nothing.
	Change EventKind = "change"
	// Command sends the command Action for Version; without one, for the revision under release or else for stable.
	Command EventKind = "command"
	// Delete deletes Object.
	Delete EventKind = "delete"
	// Create makes Object as Setup would.
	Create EventKind = "create"
	// KillOne deletes one pod of Version.
	KillOne EventKind = "kill one"
	// KillAll deletes all pods of Version.
	KillAll EventKind = "kill all"
	// WriteWeight gives the standby Service Number percent in the route, by another hand than the controller's.
	WriteWeight EventKind = "write weight"
	// PutBack writes the route as Setup did, by another hand than the controller's.
	PutBack EventKind = "put back"
	// Repoint lets Object, a Service, select Version only.
	Repoint EventKind = "repoint"
	// Resize gives Object, a ReplicaSet, Number pods.
	Resize EventKind = "resize"
	// Say lets the ConfigMap say Word.
	Say EventKind = "say"
	// Abandon deletes the Rollout and leaves its pods.
	Abandon EventKind = "abandon"
	// Occupy makes a stranger's ReplicaSet with the name that the one of Version would get.
	Occupy EventKind = "occupy"

	// Unready lets pods of Version that start from now on never become ready.
	Unready EventKind = "unready"
	// Ready ends Unready: pods of Version become ready, those that are there too.
	Ready EventKind = "ready"
	// Refuse makes the gateway refuse the route.
	Refuse EventKind = "refuse"
	// Accept ends Refuse.
	Accept EventKind = "accept"
	// Verdict lets every analysis, those that run and those that start later, end with Phase. Before the first, analyses
	// have no data and go on.
	Verdict EventKind = "verdict"
	// Stop stops the controller.
	Stop EventKind = "stop"
	// Start starts it again, with empty caches.
	Start EventKind = "start"
)

// Event is something that happens to a world from outside. Kind says which of the other fields are set.
type Event struct {
	Kind    EventKind
	Version string
	Action  string
	Number  int32
	Object  Object
	Phase   v1alpha1.AnalysisPhase
	Spec    v1alpha1.RolloutSpec
	// Word is what a ConfigMap says from here on.
	Word string
}

// ObjectKind is a kind of object that a scenario names.
type ObjectKind string

// Objects that a scenario names. All have the name of the Rollout but for the standby Service, that of a baseline and the
// AnalysisTemplate.
const (
	ActiveService    ObjectKind = "active Service"
	StandbyService   ObjectKind = "standby Service"
	BaselineService  ObjectKind = "baseline Service"
	Route            ObjectKind = "route"
	AnalysisTemplate ObjectKind = "AnalysisTemplate"
	// AnalysisRun stands for every AnalysisRun of the Rollout.
	AnalysisRun ObjectKind = "AnalysisRun"
	// ReplicaSet is that of a version.
	ReplicaSet ObjectKind = "ReplicaSet"
	// Deployment is the one that has the template of a Rollout with a workloadRef.
	Deployment ObjectKind = "Deployment"
	// Rollout is the Rollout itself.
	Rollout ObjectKind = "Rollout"
)

// Object is one that a scenario names.
type Object struct {
	Kind ObjectKind
	// Version of a ReplicaSet.
	Version string
}

// String is the object as a scenario writes it.
func (o Object) String() string {
	if o.Version == "" {
		return string(o.Kind)
	}
	return string(o.Kind) + " of " + o.Version
}

// Picture is what can be seen at one moment. Revisions have the names of versions: v1, v2; the fresh baseline of an experiment
// is called baseline.
type Picture struct {
	// Fresh says that the status speaks of the spec and of the command that were written last.
	Fresh bool
	// Phase, Message and Step are those of the status.
	Phase, Message, Step string
	// Reason is that of the condition Ready.
	Reason string
	// Conditions are the conditions of the status by type: True, False or Unknown.
	Conditions map[string]string
	// Stable and Candidate are versions; empty for none.
	Stable, Candidate string
	// Attempt counts releases.
	Attempt int32
	// Replicas, Updated and Available are the counters of the status.
	Replicas, Updated, Available int32
	// Weight is the share of the candidate in percent: that of the standby Service in the route, or else that of the
	// status.
	Weight float64
	// Pods are the names of the pods that are not being deleted, by version, and Ready is how many of them are ready.
	Pods  map[string][]string
	Ready map[string]int
	// Roles are what the label role says on the pods of a version: nothing when they differ or have none.
	Roles map[string]string
	// Traffic is the share of every version in percent, by the weights of the route, the selectors of the Services and
	// their ready endpoints. Lost is the share that reaches no ready pod.
	Traffic map[string]float64
	Lost    float64
	// Matched is the same of a request that a step matches: as Traffic when no step does. Copied is the percentage of requests
	// of which the standby Service gets a copy, and Untouched says that the route is as Setup wrote it.
	Matched   map[string]float64
	Copied    float64
	Untouched bool
	// Reads counts the ready pods by the word that the ConfigMap which they read says; Lacking are pods without theirs.
	Reads   map[string]int
	Lacking []string
	// Copies is the number of copies of the ConfigMap.
	Copies int
	// Apart says that every ReplicaSet keeps its pods from those of others, and Deployed how many pods the Deployment asks for.
	Apart    bool
	Deployed int32
	// History are the releases that have ended, newest first.
	History []Ended
	// Command is the answer to the last command; empty before the first.
	Command Answer
	// Analyses are the phases of analyses of this release by gate.
	Analyses map[string]string
	// Objects are those that exist, by Object.String.
	Objects map[string]bool
}

// Ended is a release that has ended.
type Ended struct {
	Outcome, Version, Reason string
}

// Answer answers a command.
type Answer struct {
	Accepted bool
	Message  string
}
