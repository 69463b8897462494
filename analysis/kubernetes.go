package analysis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// maxKnown is how many containers that have restarted are told apart, as the API takes no more.
	maxKnown = 256
	// shownPods is how many pods a message names.
	shownPods = 3
)

// Pods gives the pods of a revision, in the namespace of the run that it was made for. The error is that of the API server.
type Pods func(ctx context.Context, revision string) ([]Pod, error)

// Pod is what the API server tells of one pod.
type Pod struct {
	// Name of the pod.
	Name string
	// Containers of the pod, those that run beside it for as long as it does included.
	Containers []Container
	// NotReadySince is since when it runs without being ready; zero when it is ready, does not run yet, or is ending.
	NotReadySince time.Time
}

// Container is what the API server tells of one container.
type Container struct {
	// Name of the container.
	Name string
	// Restarts since its pod began.
	Restarts int32
	// OOMKilled says that the last restart was because it was out of memory.
	OOMKilled bool
	// CrashLooping says that it waits in CrashLoopBackOff.
	CrashLooping bool
}

// watch looks at the pods of the candidate. What comes of it is known once Record has the looks before.
func (m Meter) watch(ctx context.Context, revision string) (v1alpha1.Measurement, []Pod, error) {
	switch {
	case m.Pods == nil:
		return v1alpha1.Measurement{}, nil, &Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: "kubernetes", Message: "there is no cluster to look at pods in",
		}
	case revision == "":
		return v1alpha1.Measurement{}, nil, &Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: "kubernetes",
			Message: "spec.revision is empty; set it to the pod-template-hash of the pods to look at",
		}
	}
	pods, err := m.Pods(ctx, revision)
	if err != nil {
		return v1alpha1.Measurement{}, nil, &Fault{
			Reason: v1alpha1.ReasonProviderUnreachable, Field: "kubernetes", Message: "the pods cannot be listed: " + err.Error(), Cause: err,
		}
	}
	if len(pods) == 0 {
		return v1alpha1.Measurement{}, nil, &Fault{
			Reason: v1alpha1.ReasonNoData, Field: "kubernetes", Message: fmt.Sprintf("no pod has the label pod-template-hash=%s", revision),
		}
	}
	return v1alpha1.Measurement{State: v1alpha1.MeasurementSuccessful}, pods, nil
}

// limits of a metric, with the defaults of those that it does not set.
type limits struct {
	restarts, oomKills, crashLooping, notReady int32
	after                                      time.Duration
}

func limitsOf(spec *v1alpha1.KubernetesMetric) limits {
	l := limits{restarts: v1alpha1.DefaultMaxRestarts, after: v1alpha1.DefaultNotReadyAfter}
	for _, field := range []struct {
		from *int32
		to   *int32
	}{
		{spec.MaxRestarts, &l.restarts},
		{spec.MaxOOMKills, &l.oomKills},
		{spec.MaxCrashLooping, &l.crashLooping},
		{spec.MaxNotReady, &l.notReady},
	} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	if spec.NotReadyAfter != nil {
		l.after = duration(spec.NotReadyAfter)
	}
	return l
}

// exceeded lists what is beyond its limit, with the limits.
func (l limits) exceeded(c v1alpha1.PodCounts) []string {
	var found []string
	for _, part := range []struct {
		count, limit int32
		what         string
	}{
		{c.OOMKills, l.oomKills, "%d out of memory"},
		{c.CrashLooping, l.crashLooping, "%d in a crash loop"},
		{c.Restarts, l.restarts, "%d restarted"},
		{c.NotReady, l.notReady, "%d not ready for " + l.after.String()},
	} {
		if part.count > part.limit {
			found = append(found, fmt.Sprintf(part.what+", limit %d", part.count, part.limit))
		}
	}
	return found
}

// look adds a look at the pods to what those before have come to, and says what comes of it. The first look counts no
// restarts: what happened before the analysis is not its matter. A container that is new has restarted as often as it says.
func look(
	metric v1alpha1.Metric, before *v1alpha1.PodCounts, pods []Pod, at time.Time,
) (*v1alpha1.PodCounts, v1alpha1.Measurement) {
	l, now := limitsOf(metric.Kubernetes), newLooker(before)
	for _, pod := range pods {
		now.add(pod, !pod.NotReadySince.IsZero() && at.Sub(pod.NotReadySince) >= l.after)
	}
	counts := now.counts
	counts.Pods = whole32(len(pods))
	slices.SortFunc(counts.Known, func(a, b v1alpha1.ContainerRestarts) int {
		return cmp.Or(cmp.Compare(b.Restarts, a.Restarts), cmp.Compare(a.Name, b.Name))
	})
	counts.Known = counts.Known[:min(len(counts.Known), maxKnown)]
	taken := v1alpha1.Measurement{State: v1alpha1.MeasurementSuccessful}
	if len(l.exceeded(counts)) > 0 {
		taken.State = v1alpha1.MeasurementFailed
	}
	taken.Value = formatValue(float64(counts.Restarts))
	taken.Message = clip(podsSeen(counts)+names(now.noticed), maxMessage)
	return &counts, taken
}

// looker counts one look.
type looker struct {
	known   map[string]int32 // nil at the first look
	full    bool             // containers that are not known may have restarted before
	counts  v1alpha1.PodCounts
	noticed []string
}

func newLooker(before *v1alpha1.PodCounts) *looker {
	t := &looker{}
	if before == nil {
		return t
	}
	t.counts.Restarts, t.counts.OOMKills = before.Restarts, before.OOMKills
	t.known, t.full = map[string]int32{}, len(before.Known) == maxKnown
	for _, k := range before.Known {
		t.known[k.Name] = k.Restarts
	}
	return t
}

// add counts one pod.
func (t *looker) add(pod Pod, notReady bool) {
	looping := false
	for _, c := range pod.Containers {
		name := pod.Name + "/" + c.Name
		looping = looping || c.CrashLooping
		more := t.more(name, c.Restarts)
		t.counts.Restarts += more
		if more > 0 && c.OOMKilled {
			t.counts.OOMKills++
		}
		if c.Restarts > 0 {
			t.counts.Known = append(t.counts.Known, v1alpha1.ContainerRestarts{Name: name, Restarts: max(c.Restarts, t.known[name])})
		}
		if more > 0 || c.CrashLooping {
			t.noticed = append(t.noticed, name)
		}
	}
	if looping {
		t.counts.CrashLooping++
	}
	if notReady {
		t.counts.NotReady++
		t.noticed = append(t.noticed, pod.Name)
	}
}

// more is how often a container has restarted since the last look. An API server that lags behind the one asked before
// may tell of fewer.
func (t *looker) more(name string, restarts int32) int32 {
	last, known := t.known[name]
	if t.known == nil || t.full && !known {
		return 0
	}
	return max(restarts-last, 0)
}

// podsSeen says what was counted.
func podsSeen(c v1alpha1.PodCounts) string {
	what := "pods"
	if c.Pods == 1 {
		what = "pod"
	}
	return fmt.Sprintf("%d %s: %d restarted, %d out of memory, %d in a crash loop, %d not ready",
		c.Pods, what, c.Restarts, c.OOMKills, c.CrashLooping, c.NotReady)
}

// names lists the first pods that something is wrong with.
func names(noticed []string) string {
	if len(noticed) == 0 {
		return ""
	}
	slices.Sort(noticed)
	noticed = slices.Compact(noticed)
	text := "; now " + strings.Join(noticed[:min(len(noticed), shownPods)], ", ")
	if len(noticed) > shownPods {
		text += ", …"
	}
	return text
}

// podsMessage says in a few words where a metric of pods is and why.
func podsMessage(metric v1alpha1.Metric, result v1alpha1.MetricResult) string {
	if result.Pods == nil {
		return "no figure yet"
	}
	if result.Phase == v1alpha1.AnalysisFailed {
		text := strings.Join(limitsOf(metric.Kubernetes).exceeded(*result.Pods), ", ")
		return fmt.Sprintf("of %d pods: %s%s", result.Pods.Pods, text, culprits(result))
	}
	text := podsSeen(*result.Pods)
	if isEndless(metric) || result.Phase.Ended() {
		return text + "; " + looks(withData(result))
	}
	return fmt.Sprintf("%s; %d of %s", text, withData(result), looks(wanted(metric)))
}

// culprits are the pods that the look which failed names.
func culprits(result v1alpha1.MetricResult) string {
	_, named, _ := strings.Cut(lastWith(result, v1alpha1.MeasurementFailed).Message, "; now ")
	if named == "" {
		return ""
	}
	return ": " + named
}

// looks writes how many there are.
func looks(n int32) string {
	if n == 1 {
		return "1 look"
	}
	return fmt.Sprintf("%d looks", n)
}

// whole32 is a count as the API has it.
func whole32(n int) int32 { return int32(min(n, 1<<31-1)) }
