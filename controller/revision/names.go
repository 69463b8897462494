package revision

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Lengths in names.
const (
	// podSuffixLength is what the API server adds to the prefix of a pod: five characters.
	podSuffixLength = 5
	// replicaSetNameLimit is the longest name of a ReplicaSet whose pods carry it whole. The API server cuts the prefix
	// "<name>-" at 58 characters before it adds its five, so that the name of a pod fits into a DNS label of 63.
	replicaSetNameLimit = 57
	// digestLength is how much of a digest stands for the part of a long name that was cut away.
	digestLength = 6
)

// ReplicaSetName is the name of the ReplicaSet of a revision, <rollout>-<hash>. The name of a long Rollout is cut, and a
// digest of it put in place of what was lost, so that the names of its pods begin with the name of the ReplicaSet.
func ReplicaSetName(rollout, hash string) string {
	return shortened(rollout, replicaSetNameLimit-1-len(hash)) + "-" + hash
}

// BaselineServiceName is the name of the Service that reaches the fresh baseline of a Rollout: <rollout>-baseline. It follows
// from the name of the Rollout alone, so that it is found again whatever becomes of the spec.
func BaselineServiceName(rollout string) string {
	const suffix = "-baseline"
	name := strings.ReplaceAll(rollout, ".", "-") // which a Rollout may have in its name, and a Service not
	if !validService(name) {
		name = "r-" + name
	}
	return shortened(name, validation.DNS1035LabelMaxLength-len(suffix)) + suffix
}

// validService says whether a name begins as that of a Service must: with a letter.
func validService(name string) bool { return name != "" && name[0] >= 'a' && name[0] <= 'z' }

// ReplicaSetOfPod is the name of the ReplicaSet that made a pod, by the name of the pod: what stands before its random
// suffix. It is empty for a pod that no ReplicaSet can have made.
func ReplicaSetOfPod(pod string) string {
	cut := len(pod) - podSuffixLength - 1
	if cut <= 0 || pod[cut] != '-' || strings.ContainsAny(pod[cut+1:], "-.") {
		return ""
	}
	return pod[:cut]
}

// TellsPods says whether the names of pods carry the whole name of their ReplicaSet, so that ReplicaSetOfPod finds it
// again. Ours always do; that of a Deployment with a name of more than 46 characters may not.
func TellsPods(replicaSet string) bool {
	return len(replicaSet) <= replicaSetNameLimit
}

// AnalysisRunName is the name of the AnalysisRun of a gate of a release: <rollout>-<hash>-<attempt>-<gate>, and after it
// -r<round> for one that measures again.
func AnalysisRunName(rollout, hash string, attempt, round int32, gate string) string {
	suffix := fmt.Sprintf("-%s-%d-%s", hash, attempt, gate)
	if round > 0 {
		suffix += fmt.Sprintf("-r%d", round)
	}
	return shortened(rollout, validation.DNS1123SubdomainMaxLength-len(suffix)) + suffix
}

// Round is the round of an AnalysisRun by its name, given the names of all rounds of its gate up to the latest. It is false
// for one of another release.
func Round(run string, latest int32, name func(round int32) string) (int32, bool) {
	for round := latest; round >= 0; round-- {
		if run == name(round) {
			return round, true
		}
	}
	return 0, false
}

// CopyName is the name of the copy that a Rollout makes of a ConfigMap or Secret: <name>-<rollout>-<hash of the content>.
// Two Rollouts that use the same object have copies of their own, so that none has to ask the other before it deletes one.
func CopyName(name, rollout, hash string) string {
	return shortened(name+"-"+rollout, validation.DNS1123SubdomainMaxLength-1-len(hash)) + "-" + hash
}

// LabelValue is a name as the value of a label, which has at most 63 characters: shortened when it is longer.
func LabelValue(name string) string {
	return shortened(name, validation.LabelValueMaxLength)
}

// shortened cuts a name to a length and ends it with a digest of the whole name. The dot or dash before a cut goes too:
// two names of which one is the beginning of the other still differ by their digests.
func shortened(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	digest := encode([]byte(name))[:digestLength]
	return strings.TrimRight(name[:limit-digestLength-1], "-.") + "-" + digest
}
