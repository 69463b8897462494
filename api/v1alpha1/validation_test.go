package v1alpha1

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

// corpus holds objects that the API server refuses, each with the message on its first line. A second line
// "# schema: true" marks those that only the schema refuses: a type, a bound of a number, a closed list of words.
const corpus = "../../test/apiserver/testdata/invalid/*.yaml"

// TestValidationAgreesWithTheSchema wants every Rollout that a rule of the schema refuses refused here as well, in the
// same words and for no other reason.
func TestValidationAgreesWithTheSchema(t *testing.T) {
	files, err := filepath.Glob(corpus)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, rest, _ := strings.Cut(string(text), "\n")
		want := strings.TrimPrefix(first, "# want: ")
		if !strings.Contains(rest, "kind: Rollout\n") || strings.HasPrefix(rest, "# schema: true\n") {
			continue
		}
		checked++
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			r := &Rollout{}
			if err := yaml.UnmarshalStrict(text, r); err != nil {
				t.Fatal(err)
			}
			errs := ValidateRollout(r)
			if len(errs) != 1 {
				t.Fatalf("%d errors, want 1: %v", len(errs), errs)
			}
			if got := errs[0].Error(); !strings.Contains(got, want) {
				t.Errorf("error\n%s\nwant in it\n%s", got, want)
			}
		})
	}
	if checked < 40 {
		t.Errorf("%d Rollouts checked, want at least 40", checked)
	}
}

// validRollout is one that nothing is wrong with.
func validRollout() *Rollout {
	return &Rollout{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: RolloutSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: runtime.RawExtension{Raw: []byte(
				`{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web:v1"}]}}`)},
			Services: &Services{Active: "web"},
			Traffic:  &Traffic{GatewayAPI: &GatewayAPITraffic{Routes: []RouteReference{{Name: "web"}}}},
			Strategy: Strategy{Canary: &CanaryStrategy{
				ScaleDownDelay: &metav1.Duration{},
				Steps: []CanaryStep{
					{Weight: ptr.To(intstr.FromString("0.5")), Replicas: ptr.To[int32](1), Pause: &Pause{}},
					{Weight: ptr.To(intstr.FromInt32(50)), Pause: &Pause{Duration: &metav1.Duration{Duration: time.Minute}}},
				},
				Analysis: &BackgroundAnalysis{
					StartingStep: 1,
					Analysis: Analysis{
						Templates: []AnalysisTemplateReference{{Name: "a"}, {Kind: "ClusterAnalysisTemplate", Name: "a"}},
						Args:      []Argument{{Name: "threshold", Value: ptr.To("0.95")}},
					},
				},
			}},
		},
	}
}

func TestValidateRolloutAcceptsWhatIsRight(t *testing.T) {
	cases := map[string]func(*Rollout){
		"canary by routes": func(*Rollout) {},
		"limits of 0 by routes": func(r *Rollout) {
			r.Spec.Strategy.Canary.MaxSurge = ptr.To(intstr.FromInt32(0))
			r.Spec.Strategy.Canary.MaxUnavailable = ptr.To(intstr.FromInt32(0))
		},
		"expressions": func(r *Rollout) {
			r.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"shop", "web"}},
				{Key: "tier", Operator: metav1.LabelSelectorOpDoesNotExist},
			}
		},
		"blueGreen": func(r *Rollout) {
			r.Spec.Traffic = nil
			r.Spec.Strategy = Strategy{BlueGreen: &BlueGreenStrategy{
				PreviewReplicas:  ptr.To[int32](20),
				AutoPromoteAfter: &metav1.Duration{Duration: time.Minute},
			}}
		},
		"rollingUpdate of a surge of 200%": func(r *Rollout) {
			r.Spec.Traffic, r.Spec.Services = nil, nil
			r.Spec.Strategy = Strategy{RollingUpdate: &RollingUpdateStrategy{MaxSurge: ptr.To(intstr.FromString("200%"))}}
		},
		"recreate": func(r *Rollout) {
			r.Spec.Traffic = nil
			r.Spec.Strategy = Strategy{Recreate: &RecreateStrategy{}}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := validRollout()
			change(r)
			if errs := ValidateRollout(r); len(errs) > 0 {
				t.Errorf("refused: %v", errs.ToAggregate())
			}
		})
	}
}

// TestValidateRolloutBeyondTheSchema is about what CEL cannot say, or what only Go objects can be.
func TestValidateRolloutBeyondTheSchema(t *testing.T) {
	cases := map[string]struct {
		change func(*Rollout)
		want   string
	}{
		"a template that does not decode": {
			change: func(r *Rollout) {
				r.Spec.Template.Raw = []byte(`{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","ports":[{"containerPort":"http"}]}]}}`)
			},
			want: "spec.template: Invalid value: spec.template is not a pod template",
		},
		"a label value that is none": {
			change: func(r *Rollout) {
				r.Spec.Template.Raw = []byte(`{"metadata":{"labels":{"app":"web","of":"a b"}},"spec":{"containers":[{"name":"web"}]}}`)
			},
			want: `spec.template.metadata.labels: Invalid value: "a b"`,
		},
		"a selector value that is none": {
			change: func(r *Rollout) { r.Spec.Selector.MatchLabels["app"] = "a b" },
			want:   `spec.selector.matchLabels`,
		},
		"no selector": {
			change: func(r *Rollout) { r.Spec.Selector = nil },
			want:   "spec.selector: Required value: an empty selector would pick every pod",
		},
		"no strategy": {
			change: func(r *Rollout) { r.Spec.Strategy = Strategy{} },
			want:   "write exactly one strategy",
		},
		"no steps": {
			change: func(r *Rollout) { r.Spec.Strategy.Canary.Steps = nil; r.Spec.Strategy.Canary.Analysis = nil },
			want:   "spec.strategy.canary.steps: Required value",
		},
		"no routes": {
			change: func(r *Rollout) { r.Spec.Traffic.GatewayAPI.Routes = nil },
			want:   "spec.traffic.gatewayAPI.routes: Required value",
		},
		"a template without a spec": {
			change: func(r *Rollout) { r.Spec.Traffic.GatewayAPI.Templates = []RouteTemplate{{Name: "new"}} },
			want:   "spec.traffic.gatewayAPI.templates[0].spec: Invalid value: the spec is empty",
		},
		"a template that is a list": {
			change: func(r *Rollout) {
				r.Spec.Traffic.GatewayAPI.Templates = []RouteTemplate{{Name: "new", Spec: runtime.RawExtension{Raw: []byte(`[]`)}}}
			},
			want: "spec.traffic.gatewayAPI.templates[0].spec: Invalid value: this is not the spec of a route",
		},
		"a template beside its route": {
			change: func(r *Rollout) {
				r.Spec.Traffic.GatewayAPI.Routes[0].Namespace, r.Namespace = "shop", "shop"
				r.Spec.Traffic.GatewayAPI.Templates = []RouteTemplate{{Name: r.Spec.Traffic.GatewayAPI.Routes[0].Name, Spec: runtime.RawExtension{Raw: []byte(`{"rules": []}`)}}}
			},
			want: "a route is made of its template or written by you, and not both",
		},
		"a template with labels that no route can have": {
			change: func(r *Rollout) {
				r.Spec.Traffic.GatewayAPI.Templates = []RouteTemplate{{
					Name: "new", Spec: runtime.RawExtension{Raw: []byte(`{"rules": []}`)},
					Metadata: RouteMetadata{Labels: map[string]string{"a b": "c"}, Annotations: map[string]string{"d e": "f"}},
				}}
			},
			want: "spec.traffic.gatewayAPI.templates[0].metadata.annotations",
		},
		"no router": {
			change: func(r *Rollout) { r.Spec.Traffic.GatewayAPI = nil },
			want:   "spec.traffic: Required value: write exactly one way of sharing traffic",
		},
		"two routers": {
			change: func(r *Rollout) {
				r.Spec.Traffic.Istio = &IstioTraffic{VirtualServices: []VirtualServiceReference{{Name: "web"}}}
			},
			want: "spec.traffic: Required value: write exactly one way of sharing traffic",
		},
		"no VirtualServices": {
			change: func(r *Rollout) { r.Spec.Traffic = &Traffic{Istio: &IstioTraffic{}} },
			want:   "spec.traffic.istio.virtualServices: Required value",
		},
		"no Ingresses": {
			change: func(r *Rollout) { r.Spec.Traffic = &Traffic{Nginx: &NginxTraffic{}} },
			want:   "spec.traffic.nginx.ingresses: Required value",
		},
		"no actions": {
			change: func(r *Rollout) { r.Spec.Traffic = &Traffic{ALB: &ALBTraffic{}} },
			want:   "spec.traffic.alb.ingresses: Required value",
		},
		"no TraefikServices": {
			change: func(r *Rollout) { r.Spec.Traffic = &Traffic{Traefik: &TraefikTraffic{}} },
			want:   "spec.traffic.traefik.traefikServices: Required value",
		},
		"no templates": {
			change: func(r *Rollout) { r.Spec.Strategy.Canary.Analysis.Templates = nil },
			want:   "spec.strategy.canary.analysis.templates: Required value",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := validRollout()
			tc.change(r)
			errs := ValidateRollout(r)
			if len(errs) == 0 {
				t.Fatalf("accepted; want %q", tc.want)
			}
			if got := errs.ToAggregate().Error(); !strings.Contains(got, tc.want) {
				t.Errorf("refused with %q, want %q in it", got, tc.want)
			}
		})
	}
}
