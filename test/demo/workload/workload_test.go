package workload

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func settings() Settings {
	return Settings{
		Namespace: "demo", GatewayClass: "traefik", ListenerPort: 8000, Replicas: 4, Window: 5 * time.Second,
		AppImage: "app:1", LoadImage: "load:1",
	}
}

func TestVersionIsReadBackFromTheTemplate(t *testing.T) {
	rollout := settings().Rollout(Version{Name: "v3", ErrorRate: 0.2}, Canary(0, 10, 50))
	template, err := rollout.PodTemplate()
	if err != nil {
		t.Fatal(err)
	}
	if got := VersionOf(template); got != "v3" {
		t.Errorf("version %q, want v3", got)
	}
}

func TestServiceSelectsTheAppAndNothingElse(t *testing.T) {
	s := settings()
	selector := labels.SelectorFromSet(s.Service().Spec.Selector)
	template, err := s.Rollout(Version{Name: "v1"}, Canary(0, 10)).PodTemplate()
	if err != nil {
		t.Fatal(err)
	}
	if !selector.Matches(labels.Set(template.Labels)) {
		t.Error("the Service does not select the app")
	}
	if selector.Matches(labels.Set(s.LoadPod(Load{Target: "http://10.77.0.1:8000/"}).Labels)) {
		t.Error("the Service selects the load: its requests would be sent to itself")
	}
}

func TestVersionsDifferInNothingButTheirVersion(t *testing.T) {
	s := settings()
	if string(s.Template(Version{Name: "v1"}).Raw) == string(s.Template(Version{Name: "v2"}).Raw) {
		t.Error("two versions have the same template: nothing would be released")
	}
	if diff := cmp.Diff(string(s.Template(Version{Name: "v1"}).Raw), string(s.Template(Version{Name: "v1"}).Raw)); diff != "" {
		t.Errorf("a version has two templates: a release would start by itself:\n%s", diff)
	}
}

func TestSuccessRateQuery(t *testing.T) {
	want := `1 - (sum(rate(http_requests_total{pod="a",code=~"5.."}[5s])) or vector(0))` +
		` / sum(rate(http_requests_total{pod="a"}[5s]))`
	if diff := cmp.Diff(want, SuccessRateQuery(`pod="a"`, promDuration(5*time.Second))); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func TestStrategiesAreThoseTheyAreCalled(t *testing.T) {
	for want, strategy := range map[string]v1alpha1.Strategy{
		v1alpha1.StrategyCanary:    Canary(time.Second, 10, 50),
		v1alpha1.StrategyBlueGreen: BlueGreen(time.Second),
	} {
		spec := v1alpha1.RolloutSpec{Strategy: strategy}
		if got := spec.StrategyName(); got != want {
			t.Errorf("strategy %q, want %q", got, want)
		}
	}
}
