package revision

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apiserver/pkg/storage/names"
)

func TestReplicaSetName(t *testing.T) {
	const hash = "5d8c7b9f6z"
	tests := map[string]struct {
		rollout string
		want    string
	}{
		"short":          {rollout: "web", want: "web-5d8c7b9f6z"},
		"longest kept":   {rollout: strings.Repeat("a", 46), want: strings.Repeat("a", 46) + "-5d8c7b9f6z"},
		"one more":       {rollout: strings.Repeat("a", 47), want: strings.Repeat("a", 39) + "-" + digest(47) + "-5d8c7b9f6z"},
		"two more":       {rollout: strings.Repeat("a", 48), want: strings.Repeat("a", 39) + "-" + digest(48) + "-5d8c7b9f6z"},
		"cut at a dash":  {rollout: strings.Repeat("a", 38) + "-" + strings.Repeat("b", 20), want: strings.Repeat("a", 38) + "-kl87jx-5d8c7b9f6z"},
		"cut after dots": {rollout: strings.Repeat("a", 38) + "." + strings.Repeat("b", 20), want: strings.Repeat("a", 38) + "-8b7b49-5d8c7b9f6z"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ReplicaSetName(tt.rollout, hash)
			if got != tt.want {
				t.Errorf("ReplicaSetName(%q) = %q, want %q", tt.rollout, got, tt.want)
			}
			if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 {
				t.Errorf("%q is no name: %v", got, problems)
			}
		})
	}
}

func digest(length int) string {
	return encode([]byte(strings.Repeat("a", length)))[:digestLength]
}

// The API server itself makes the names of pods here, so that its limits and ours cannot drift apart.
func TestReplicaSetOfPodUndoesTheAPIServer(t *testing.T) {
	for length := 1; length <= 253; length++ {
		name := ReplicaSetName(strings.Repeat("a", length), "5d8c7b9f6z")
		pod := names.SimpleNameGenerator.GenerateName(name + "-")
		if got := ReplicaSetOfPod(pod); got != name {
			t.Fatalf("a Rollout with a name of %d characters: pod %q comes from %q, want %q", length, pod, got, name)
		}
	}
}

func TestReplicaSetOfPodOfAStranger(t *testing.T) {
	tests := map[string]string{
		"":               "",
		"web":            "",
		"web-0":          "",
		"-abcde":         "",
		"web-abc-e":      "",
		"web-ab.de":      "",
		"web-abcdef":     "",
		"web-abcde":      "web",
		"web-1a-2b3c4-x": "",
	}
	for pod, want := range tests {
		if got := ReplicaSetOfPod(pod); got != want {
			t.Errorf("ReplicaSetOfPod(%q) = %q, want %q", pod, got, want)
		}
	}
}

func TestAnalysisRunName(t *testing.T) {
	if got, want := AnalysisRunName("web", "5d8c7b9f6z", 2, 0, "step-1"), "web-5d8c7b9f6z-2-step-1"; got != want {
		t.Errorf("AnalysisRunName = %q, want %q", got, want)
	}
	if got, want := AnalysisRunName("web", "5d8c7b9f6z", 2, 3, "step-1"), "web-5d8c7b9f6z-2-step-1-r3"; got != want {
		t.Errorf("AnalysisRunName = %q, want %q", got, want)
	}
	seen := map[string]string{}
	for length := 200; length <= 253; length++ {
		rollout := strings.Repeat("a", length)
		got := AnalysisRunName(rollout, "5d8c7b9f6z", 12, 1, "post-promotion")
		if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 {
			t.Errorf("%q is no name: %v", got, problems)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have the same AnalysisRun %q", other, rollout, got)
		}
		seen[got] = rollout
	}
}

func TestLabelValue(t *testing.T) {
	for _, name := range []string{"web", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a.", 126) + "a"} {
		got := LabelValue(name)
		if problems := validation.IsValidLabelValue(got); len(problems) > 0 {
			t.Errorf("LabelValue(%q) = %q: %v", name, got, problems)
		}
		if len(name) <= 63 && got != name {
			t.Errorf("LabelValue(%q) = %q, want the name itself", name, got)
		}
	}
}
