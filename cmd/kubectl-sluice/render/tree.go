package render

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Snapshot is what a tree shows: a Rollout, what belongs to it, and the time at which that was read. Objects that do not
// belong to the Rollout are left out.
type Snapshot struct {
	Rollout      *v1alpha1.Rollout
	ReplicaSets  []appsv1.ReplicaSet
	Pods         []corev1.Pod
	AnalysisRuns []v1alpha1.AnalysisRun
	Now          time.Time
}

// View says how a tree is shown.
type View struct {
	// Palette has the colours.
	Palette Palette
	// Wide adds to the details: the address and the node of pods, and the messages of AnalysisRuns; and, below the tree, the
	// releases that have ended.
	Wide bool
	// Width is the number of characters at which the sentences above the tree are broken; 0 leaves them whole.
	Width int
	// ASCII leaves out all characters that old terminals cannot show. Only Run knows it.
	ASCII bool
}

// shownAnalyses is how many AnalysisRuns of a revision are shown: the newest. A release with an analysis at each of ten
// steps and one beside them has eleven.
const shownAnalyses = 12

// node is a row of the tree, with the rows below it.
type node struct {
	row      []Cell
	children []node
}

// Tree is the summary of a Rollout, and under it the tree of its revisions, their ReplicaSets, pods and analyses.
func Tree(s Snapshot, v View) string {
	rows := [][]Cell{headings("NAME", "STATUS", "READY", "AGE", "DETAILS")}
	rows = append(rows, flatten(drawing{s, v.Wide}.root(), "", "")...)
	table := Table{Palette: v.Palette}
	out := summary(s.Rollout, v) + "\n" + table.Rows(rows)
	if ended := releases(s.Rollout, s.Now, v.Palette); v.Wide && ended != "" {
		out += "\n" + ended
	}
	return out
}

// drawing is a snapshot that becomes a tree.
type drawing struct {
	Snapshot
	wide bool
}

// flatten turns a tree into rows, with lines from parent to child in the first column.
func flatten(n node, first, rest string) [][]Cell {
	row := slices.Clone(n.row)
	row[0].Text = first + row[0].Text
	rows := [][]Cell{row}
	for i, child := range n.children {
		branch, below := "├─ ", "│  "
		if i == len(n.children)-1 {
			branch, below = "└─ ", "   "
		}
		rows = append(rows, flatten(child, rest+branch, rest+below)...)
	}
	return rows
}

func (d drawing) root() node {
	r := d.Rollout
	root := node{row: []Cell{
		{Text: "Rollout " + r.Name},
		phase(r),
		{Text: fmt.Sprintf("%d/%d", r.Status.AvailableReplicas, r.Spec.ReplicasOrDefault())},
		{Text: age(r.CreationTimestamp, d.Now)},
		{Text: strings.Join(images(r), ", ")},
	}}
	for _, rs := range d.revisions() {
		root.children = append(root.children, d.revision(rs))
	}
	return root
}

// revisions are the ReplicaSets of the Rollout, the newest revision first.
func (s Snapshot) revisions() []*appsv1.ReplicaSet {
	var owned []*appsv1.ReplicaSet
	for i := range s.ReplicaSets {
		if metav1.IsControlledBy(&s.ReplicaSets[i], s.Rollout) {
			owned = append(owned, &s.ReplicaSets[i])
		}
	}
	slices.SortFunc(owned, func(a, b *appsv1.ReplicaSet) int {
		if c := int(v1alpha1.RevisionNumber(b) - v1alpha1.RevisionNumber(a)); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return owned
}

func hashOf(rs *appsv1.ReplicaSet) string { return rs.Labels[v1alpha1.LabelPodTemplateHash] }

func (d drawing) revision(rs *appsv1.ReplicaSet) node {
	role := d.role(hashOf(rs))
	name := "Revision ?"
	if n := v1alpha1.RevisionNumber(rs); n > 0 {
		name = fmt.Sprintf("Revision %d", n)
	}
	var used []string
	for i := range rs.Spec.Template.Spec.Containers {
		used = append(used, rs.Spec.Template.Spec.Containers[i].Image)
	}
	if of := rs.Labels[v1alpha1.LabelBaselineOf]; of != "" {
		name, role = "Baseline "+hashOf(rs), Cell{Text: "of " + of, Style: Busy}
	}
	revision := node{row: []Cell{{Text: name}, role, {}, {}, {Text: strings.Join(used, ", ")}}}
	revision.children = append(revision.children, d.replicaSet(rs))
	if role.Text == "" {
		return revision
	}
	for _, run := range d.newestRuns(hashOf(rs)) {
		revision.children = append(revision.children, d.analysisRun(run))
	}
	return revision
}

// role says what a revision is to the release, with its share of traffic where that is known.
func (s Snapshot) role(hash string) Cell {
	status := s.Rollout.Status
	switch {
	case hash == "":
		return Cell{}
	case hash == status.State.Candidate && status.State.Stage == v1alpha1.StageAborted:
		return Cell{Text: "aborted", Style: Bad}
	case hash == status.State.Candidate && status.State.Stage == v1alpha1.StageRetreating:
		return Cell{Text: withShare("retreating", status.Weight), Style: Bad}
	case hash == status.State.Candidate:
		return Cell{Text: withShare("candidate", status.Weight), Style: Busy}
	case hash == status.State.Stable:
		return Cell{Text: withShare("stable", rest(status.Weight)), Style: Good}
	default:
		return Cell{}
	}
}

func withShare(role, weight string) string {
	if weight == "" {
		return role
	}
	return role + " " + percentage(weight)
}

// rest is the share that is left for stable; nothing when that of the candidate is not known.
func rest(weight string) string {
	share, err := strconv.ParseFloat(weight, 64)
	if err != nil {
		return ""
	}
	return v1alpha1.FormatWeight(v1alpha1.MaxWeight - int32(share*v1alpha1.TenthsPerPercent+0.5))
}

func (d drawing) replicaSet(rs *appsv1.ReplicaSet) node {
	desired := int32(1)
	if rs.Spec.Replicas != nil {
		desired = *rs.Spec.Replicas
	}
	status := Cell{Text: "Scaling", Style: Busy}
	switch {
	case desired == 0 && rs.Status.Replicas == 0:
		status = Cell{Text: "ScaledDown", Style: Faint}
	case rs.Status.AvailableReplicas == desired && rs.Status.Replicas == desired:
		status = Cell{Text: "Available", Style: Good}
	}
	n := node{row: []Cell{
		{Text: "ReplicaSet " + rs.Name},
		status,
		{Text: fmt.Sprintf("%d/%d", rs.Status.ReadyReplicas, desired)},
		{Text: age(rs.CreationTimestamp, d.Now)},
		{Text: d.scaleDown(hashOf(rs))},
	}}
	for _, pod := range d.podsOf(rs.UID) {
		n.children = append(n.children, d.pod(pod))
	}
	return n
}

// scaleDown says when the pods of a revision go, if that is decided.
func (s Snapshot) scaleDown(hash string) string {
	for _, down := range s.Rollout.Status.State.ScaleDowns {
		if down.Revision == hash && down.At.After(s.Now) {
			return "scaled down in " + down.At.Sub(s.Now).Round(time.Second).String()
		}
	}
	return ""
}

// podsOf are the pods of a ReplicaSet by name.
func (s Snapshot) podsOf(replicaSet types.UID) []*corev1.Pod {
	var owned []*corev1.Pod
	for i := range s.Pods {
		if owner := metav1.GetControllerOf(&s.Pods[i]); owner != nil && owner.UID == replicaSet {
			owned = append(owned, &s.Pods[i])
		}
	}
	slices.SortFunc(owned, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return owned
}

// newestRuns are the newest AnalysisRuns of a revision, in the order in which they began.
func (s Snapshot) newestRuns(hash string) []*v1alpha1.AnalysisRun {
	var runs []*v1alpha1.AnalysisRun
	for i := range s.AnalysisRuns {
		run := &s.AnalysisRuns[i]
		if run.Spec.Rollout == s.Rollout.Name && run.Spec.Revision == hash {
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b *v1alpha1.AnalysisRun) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return runs[max(0, len(runs)-shownAnalyses):]
}
