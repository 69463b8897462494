package v1alpha1

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

func TestDefaultsOfAnEmptySpec(t *testing.T) {
	s := &RolloutSpec{}
	if got := s.ReplicasOrDefault(); got != 1 {
		t.Errorf("replicas = %d, want 1", got)
	}
	if got := s.HistoryLimit(); got != 10 {
		t.Errorf("history limit = %d, want 10", got)
	}
	if got := s.ProgressDeadline(); got != 10*time.Minute {
		t.Errorf("progress deadline = %s, want 10m", got)
	}
	if got := s.StrategyName(); got != "" {
		t.Errorf("strategy = %q, want none", got)
	}
	if got := s.Services.StandbyName(); got != "" {
		t.Errorf("standby = %q, want none", got)
	}
	if s.UsesRoutes() {
		t.Error("a spec without traffic uses routes")
	}
}

func TestStandbyName(t *testing.T) {
	for want, services := range map[string]*Services{
		"web-standby": {Active: "web"},
		"preview":     {Active: "web", Standby: "preview"},
	} {
		if got := services.StandbyName(); got != want {
			t.Errorf("standby of %+v = %q, want %q", *services, got, want)
		}
	}
}

func TestScaleDownDelay(t *testing.T) {
	routes := &Traffic{GatewayAPI: &GatewayAPITraffic{}}
	minute := &metav1.Duration{Duration: time.Minute}
	zero := &metav1.Duration{}
	cases := map[string]struct {
		spec RolloutSpec
		want time.Duration
	}{
		"canary with routes": {
			spec: RolloutSpec{Traffic: routes, Strategy: Strategy{Canary: &CanaryStrategy{}}}, want: 30 * time.Second,
		},
		"canary with routes, given": {
			spec: RolloutSpec{Traffic: routes, Strategy: Strategy{Canary: &CanaryStrategy{ScaleDownDelay: minute}}}, want: time.Minute,
		},
		"canary with routes, at once": {
			spec: RolloutSpec{Traffic: routes, Strategy: Strategy{Canary: &CanaryStrategy{ScaleDownDelay: zero}}}, want: 0,
		},
		"canary by pods":   {spec: RolloutSpec{Strategy: Strategy{Canary: &CanaryStrategy{}}}, want: 0},
		"blueGreen":        {spec: RolloutSpec{Strategy: Strategy{BlueGreen: &BlueGreenStrategy{}}}, want: 30 * time.Second},
		"blueGreen, given": {spec: RolloutSpec{Strategy: Strategy{BlueGreen: &BlueGreenStrategy{ScaleDownDelay: minute}}}, want: time.Minute},
		"rollingUpdate":    {spec: RolloutSpec{Strategy: Strategy{RollingUpdate: &RollingUpdateStrategy{}}}, want: 0},
		"recreate":         {spec: RolloutSpec{Strategy: Strategy{Recreate: &RecreateStrategy{}}}, want: 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.spec.ScaleDownDelay(); got != tc.want {
				t.Errorf("ScaleDownDelay() = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestSurgeAndUnavailable(t *testing.T) {
	number := func(n int32) *intstr.IntOrString { return ptr.To(intstr.FromInt32(n)) }
	percent := func(s string) *intstr.IntOrString { return ptr.To(intstr.FromString(s)) }
	cases := map[string]struct {
		surge, unavailable         *intstr.IntOrString
		replicas                   int32
		wantSurge, wantUnavailable int32
	}{
		"defaults of 10":                  {replicas: 10, wantSurge: 3, wantUnavailable: 2},
		"defaults of 1":                   {replicas: 1, wantSurge: 1, wantUnavailable: 0},
		"defaults of 0":                   {replicas: 0, wantSurge: 0, wantUnavailable: 0},
		"numbers":                         {surge: number(2), unavailable: number(0), replicas: 4, wantSurge: 2},
		"unavailable is at most replicas": {surge: number(0), unavailable: number(9), replicas: 4, wantUnavailable: 4},
		"both round to nothing":           {surge: number(0), unavailable: percent("25%"), replicas: 2, wantUnavailable: 1},
		"everything at once":              {surge: percent("100%"), unavailable: percent("0%"), replicas: 5, wantSurge: 5},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rolling := RolloutSpec{Strategy: Strategy{RollingUpdate: &RollingUpdateStrategy{MaxSurge: tc.surge, MaxUnavailable: tc.unavailable}}}
			canary := RolloutSpec{Strategy: Strategy{Canary: &CanaryStrategy{MaxSurge: tc.surge, MaxUnavailable: tc.unavailable}}}
			for _, spec := range []RolloutSpec{rolling, canary} {
				surge, unavailable, err := spec.SurgeAndUnavailable(tc.replicas)
				if err != nil {
					t.Fatal(err)
				}
				if surge != tc.wantSurge || unavailable != tc.wantUnavailable {
					t.Errorf("%s of %d replicas: surge %d, unavailable %d; want %d and %d", spec.StrategyName(),
						tc.replicas, surge, unavailable, tc.wantSurge, tc.wantUnavailable)
				}
			}
		})
	}
}

func TestSurgeThatIsNoPercentage(t *testing.T) {
	spec := RolloutSpec{Strategy: Strategy{RollingUpdate: &RollingUpdateStrategy{MaxSurge: ptr.To(intstr.FromString("a few"))}}}
	if _, _, err := spec.SurgeAndUnavailable(3); err == nil {
		t.Error("maxSurge: a few gives no error")
	}
}
