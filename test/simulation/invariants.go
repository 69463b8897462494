package simulation

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Invariant is something that is true after every write, whatever happens.
type Invariant struct {
	// Name as in the specification of correct.
	Name string
	// Sentence says what is true, and how the simulation looks at it.
	Sentence string

	// write is asked after every write of a controller, pass after every pass, time before the clock moves, rest once
	// nothing moves any more. Each returns what is wrong, or nothing.
	write func(*look) string
	pass  func(*World, *Process, types.NamespacedName, error) string
	time  func(*World, *subject, *truth, time.Time) string
	rest  func(*World, *subject, *truth) string
}

// Invariants are the thirty of the specification, three about what is laid over weights, one about probes, and two about
// experiments.
func Invariants() []Invariant {
	return slices.Concat(trafficInvariants(), overlayInvariants(), experimentInvariants(), releaseInvariants(), setInvariants(), controlInvariants())
}

func trafficInvariants() []Invariant {
	return []Invariant{
		{
			Name: "SUM", write: sums,
			Sentence: "every backend of a managed rule has a weight that the API allows, and all managed rules agree on a share " +
				"between 0 and 100 % in tenths",
		},
		{
			Name: "NO-EMPTY", write: noEmpty, time: lost,
			Sentence: "traffic is raised only on as many serving endpoints as its share needs, and while nothing is taken away from " +
				"outside no Service has a share that the gateway can send nowhere",
		},
		{
			Name: "ORDER", write: order,
			Sentence: "pods come before traffic and go after it: the first share is written when the gateway knows a serving endpoint, " +
				"and no ReplicaSet shrinks below what its written and its programmed share need",
		},
		{
			Name: "SELECTOR", write: selector,
			Sentence: "the selector of a Service with endpoints changes only while no gateway sends it anything, or to a revision that " +
				"serves all that it is sent; the switch without routes goes to a revision that serves",
		},
		{
			Name: "STABLE-CAP", write: stableCap,
			Sentence: "until another revision is stable, stable is not made smaller than its share needs, and under Full not smaller " +
				"than spec.replicas",
		},
		{
			Name: "REACT", time: react,
			Sentence: fmt.Sprintf("a candidate that has traffic and nothing that serves, that was aborted, or of which an analysis has "+
				"failed, loses its traffic within %s while stable serves", reactWithin),
		},
		{
			Name: "FIELD", write: fields,
			Sentence: "the controller writes the status of a Rollout, one label of a selector, weights of the two Services, sizes, and " +
				"what it has made itself; every other byte is as it was, a route of a template is as that says and none is ever deleted, and a " +
				"Deployment loses pods only for pods of ours that serve",
		},
		{
			Name: "CONTEST", write: contest,
			Sentence: fmt.Sprintf("against somebody who puts weights and selectors back there is no write loop: at most %d writes of a "+
				"route in a minute, and a release gets back what was taken from it at most %d times in %s; no step is left by what was "+
				"measured, or waited for, before that", mostRouteWrites, mostPutBacks, contestWindow),
		},
	}
}

func releaseInvariants() []Invariant {
	return []Invariant{
		{
			Name: "ABORT-NOW", write: abortNow,
			Sentence: "the first pass that ends a release against its will begins with the write that takes the traffic off the " +
				"candidate, when one write can and something ready takes it",
		},
		{
			Name: "ABORT-STICKY", write: abortSticky,
			Sentence: "an aborted revision gets neither pods nor weight until a retry, whatever is scaled",
		},
		{
			Name: "PROMOTE-ONLY-IF", write: promoteOnlyIf,
			Sentence: "a candidate becomes stable only after its last step, or told to skip it, without a failed analysis, and with " +
				"the pods that availability asks for",
		},
		{
			Name: "STEP-MONO", write: stepMono,
			Sentence: "within an attempt no step is taken back, and each analysis is created once",
		},
		{
			Name: "GATE", write: gate,
			Sentence: "the next step begins, and its weight is written, only when every analysis of the step before it has passed or a " +
				"person has let it go on",
		},
		{
			Name: "PROBE", write: probed,
			Sentence: "where the spec asks for a probe, the gates of a step begin, and a step without gates is left, only while the gateway " +
				"serves by the weight of the step, or when a person has let it go on",
		},
		{
			Name: "PAUSE", write: pause, time: pauseEnds,
			Sentence: fmt.Sprintf("a pause of d lasts from d to d + %s of true time after it began; one without an end ends by a person", pauseSlack),
		},
		{
			Name: "SUPERSEDE", write: supersede,
			Sentence: "another candidate takes over only when the one before it has no traffic, and going back to stable makes no ReplicaSet",
		},
	}
}

func setInvariants() []Invariant {
	return []Invariant{
		{
			Name: "ONE-RS", write: oneRS,
			Sentence: "a template has one ReplicaSet of the Rollout, and the hash changes once for each foreign one in its way",
		},
		{
			Name: "OWN", write: ownSets, time: keepsPods,
			Sentence: "nothing that another object controls is changed or deleted, every deletion names the very object that was seen, " +
				"and a ReplicaSet that nobody owned is adopted as it is: all of its pods stay",
		},
		{
			Name: "DELETE-SAFE", write: deleteSafe, time: copies,
			Sentence: "a ReplicaSet is deleted only without pods, without a Service that selects it, neither stable nor under release; " +
				"no pod lacks the copy of its configuration, nor reads another content than it was made with",
		},
		{
			Name: "BUDGET", write: budget,
			Sentence: "where pods share one Service, scaling stays within maxSurge and maxUnavailable; elsewhere stable and candidate " +
				"together ask for at most twice spec.replicas and a spare pod each while they are restarted",
		},
		{
			Name: "SCALE-INDEP", write: scaleIndependent,
			Sentence: "an attempt begins for another template, a retry or a first release, and never because something was scaled",
		},
	}
}

func controlInvariants() []Invariant {
	return []Invariant{
		{
			Name: "QUIET", rest: atPeace,
			Sentence: "at rest, two resyncs and a start of the controller write nothing and ask the API server nothing, but for the content " +
				"of a ConfigMap that is tracked",
		},
		{
			Name: "NO-OSC", write: noOscillation,
			Sentence: "between two events from outside no field gets a value that it was given and lost, and a release of N steps takes " +
				"at most 4N + 12 writes beside the status",
		},
		{
			Name: "ESR", rest: comesToRest,
			Sentence: "left alone, what the spec asks for becomes stable with all pods and all traffic; or the release is aborted with all " +
				"traffic on stable; or it waits for a person and says so",
		},
		{
			Name: "TRUTH", write: truthful, rest: truthAtRest,
			Sentence: "the status claims no weight, pods or health that the objects contradict, and no generation that is not yet there",
		},
		{
			Name: "FENCE", write: fence,
			Sentence: "every change and deletion names the version or the UID that it was decided from, so that a second controller, or a " +
				"decision from an old view, gets a conflict",
		},
		{
			Name: "ISOLATE", time: isolate, pass: fair,
			Sentence: fmt.Sprintf("whatever becomes of one Rollout, another one that is due is looked at within 100 ms, the process goes on, "+
				"and no Rollout is looked at more than %d times in a second", mostPasses),
		},
		{
			Name: "BOUND", write: bounded, rest: boundedAtRest,
			Sentence: "the status has at most 64 kB, its lists the lengths that the API allows, and ReplicaSets and AnalysisRuns do not " +
				"pile up",
		},
		{
			Name: "SECRET", write: secretWritten, pass: secretTold,
			Sentence: "no byte of a Secret, plain or in base64, is in an object that is none, its status and annotations too, in an " +
				"event, in an error or in a line of the log of any level",
		},
		{
			Name: "DETACH", rest: detached,
			Sentence: "when a Rollout is deleted and its dependents are left, traffic is on pods that serve",
		},
		{
			Name: "TOTAL", pass: total,
			Sentence: "no object makes a pass panic, the same snapshot gives the same plan, and no write changes nothing",
		},
	}
}
