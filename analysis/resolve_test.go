package analysis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// arg makes an argument; without a value it must be given.
func arg(name string, value ...string) v1alpha1.Argument {
	a := v1alpha1.Argument{Name: name}
	if len(value) > 0 {
		a.Value = &value[0]
	}
	return a
}

// asking makes a metric ask a query.
func asking(query string) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) {
		m.Provider.Prometheus = &v1alpha1.PrometheusMetric{Query: query}
	}
}

// template makes an AnalysisTemplate of metrics.
func template(name string, args []v1alpha1.Argument, metrics ...v1alpha1.Metric) Template {
	return Template{Kind: "AnalysisTemplate", Name: name, Spec: v1alpha1.AnalysisTemplateSpec{Args: args, Metrics: metrics}}
}

// release is a request without templates.
func release(change func(*Request)) Request {
	r := Request{
		Gate: "step-1", Rollout: "web", Namespace: "shop", CandidateHash: "7f9c6d", StableHash: "5d4b8c",
		ActiveService: "web", StandbyService: "web-standby",
	}
	change(&r)
	return r
}

func TestResolve(t *testing.T) {
	const query = `sum(rate(errors{ns="{{args.namespace}}",pod=~"{{args.rollout}}-{{args.candidate-hash}}-.*"}[{{args.window}}]))`
	request := release(func(r *Request) {
		r.Templates = []Template{
			template("errors", []v1alpha1.Argument{arg("window", "5m"), arg("max")},
				metric("errors", asking(query), every(minute), times(3), func(m *v1alpha1.Metric) {
					m.SuccessCondition = "result < {{ args.max }}"
					m.Provider.Prometheus.Address = "http://prometheus.{{args.namespace}}:9090"
				})),
			template("latency", []v1alpha1.Argument{arg("window")}, metric("latency",
				asking(`p99{service="{{args.standby-service}}",not="{{args.active-service}}{{args.stable-hash}}"}`))),
		}
		r.Args = []v1alpha1.Argument{arg("max", "5")}
	})
	want := v1alpha1.AnalysisRunSpec{
		Rollout: "web", Revision: "7f9c6d", Gate: "step-1",
		Args: []v1alpha1.Argument{
			arg("active-service", "web"), arg("candidate-hash", "7f9c6d"), arg("max", "5"), arg("namespace", "shop"),
			arg("rollout", "web"), arg("stable-hash", "5d4b8c"), arg("standby-service", "web-standby"), arg("window", "5m"),
		},
		Metrics: []v1alpha1.Metric{
			{
				Name: "errors", Interval: &metav1.Duration{Duration: minute}, Count: ptr.To[int32](3),
				SuccessCondition: "result < 5.0",
				Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
					Address: "http://prometheus.shop:9090",
					Query:   `sum(rate(errors{ns="shop",pod=~"web-7f9c6d-.*"}[5m]))`,
				}},
			},
			{
				Name: "latency", SuccessCondition: "result >= 0.95",
				Provider: v1alpha1.MetricProvider{Prometheus: &v1alpha1.PrometheusMetric{
					Query: `p99{service="web-standby",not="web5d4b8c"}`,
				}},
			},
		},
	}
	before := request.Templates[0].Spec.DeepCopy()
	for range 2 {
		got, err := Resolve(request)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("spec (-want +got):\n%s", diff)
		}
		request.Conditions = newConditions(t, 4)
	}
	if diff := cmp.Diff(*before, request.Templates[0].Spec); diff != "" {
		t.Errorf("Resolve changes a template:\n%s", diff)
	}
}

func TestResolveArguments(t *testing.T) {
	tests := map[string]struct {
		template, second, given []v1alpha1.Argument
		want                    string
	}{
		"a default":                             {template: []v1alpha1.Argument{arg("x", "one")}, want: "one"},
		"a value before the default":            {template: []v1alpha1.Argument{arg("x", "one")}, given: []v1alpha1.Argument{arg("x", "two")}, want: "two"},
		"a value without a default":             {template: []v1alpha1.Argument{arg("x")}, given: []v1alpha1.Argument{arg("x", "two")}, want: "two"},
		"the default of another template":       {template: []v1alpha1.Argument{arg("x")}, second: []v1alpha1.Argument{arg("x", "two")}, want: "two"},
		"the same default twice":                {template: []v1alpha1.Argument{arg("x", "one")}, second: []v1alpha1.Argument{arg("x", "one")}, want: "one"},
		"the release before what was defaulted": {template: []v1alpha1.Argument{arg("x", "one"), arg("namespace", "mine")}, want: "one"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(release(func(r *Request) {
				r.Templates = []Template{
					template("first", test.template, metric("a", asking(`up{x="{{args.x}}",ns="{{args.namespace}}"}`))),
					template("second", test.second, metric("b", asking("up"))),
				}
				r.Args = test.given
			}))
			want := fmt.Sprintf(`up{x="%s",ns="shop"}`, test.want)
			if err != nil || got.Metrics[0].Provider.Prometheus.Query != want {
				t.Errorf("got %+v and error %v, want the query %s", got.Metrics, err, want)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	one := func(args []v1alpha1.Argument, m v1alpha1.Metric) func(*Request) {
		return func(r *Request) { r.Templates = []Template{template("rate", args, m)} }
	}
	tests := map[string]struct {
		request func(*Request)
		want    []string
	}{
		"no templates": {func(*Request) {}, []string{"no metric to measure"}},
		"the same metric in two templates": {func(r *Request) {
			r.Templates = []Template{template("one", nil, metric("rate", asking("up"))), template("two", nil, metric("rate", asking("up")))}
		}, []string{`AnalysisTemplate "one" and AnalysisTemplate "two" both have a metric "rate"; rename`}},
		"different defaults": {func(r *Request) {
			r.Templates = []Template{
				template("one", []v1alpha1.Argument{arg("x", "1")}, metric("a", asking("up"))),
				template("two", []v1alpha1.Argument{arg("x", "2")}, metric("b", asking("up"))),
			}
		}, []string{`AnalysisTemplate "one" and AnalysisTemplate "two" have different defaults for argument "x": "1" and "2"`}},
		"an unknown argument": {func(r *Request) {
			one([]v1alpha1.Argument{arg("max", "1"), arg("min", "1")}, metric("a", asking("up")))(r)
			r.Args = []v1alpha1.Argument{arg("maxx", "2")}
		}, []string{`args[0]: no template declares "maxx"; they declare max, min`}},
		"an argument where none is declared": {func(r *Request) {
			one(nil, metric("a", asking("up")))(r)
			r.Args = []v1alpha1.Argument{arg("max", "2")}
		}, []string{"they declare none, so remove it"}},
		"one that is always there": {func(r *Request) {
			one([]v1alpha1.Argument{arg("namespace")}, metric("a", asking("up")))(r)
			r.Args = []v1alpha1.Argument{arg("namespace", "other")}
		}, []string{`args[0]: "namespace" is always set by Sluice; remove it`}},
		"an argument without a value": {func(r *Request) {
			one([]v1alpha1.Argument{arg("max")}, metric("a", asking("up")))(r)
			r.Args = []v1alpha1.Argument{arg("max")}
		}, []string{`args[0]: "max" has no value; set args[0].value`}},
		"a required argument that is not given": {
			one([]v1alpha1.Argument{arg("max")}, metric("a", asking("up"))),
			[]string{`args: "max" has no default and must be given; add {name: max, value: …}`},
		},
		"an argument that is not declared": {
			one(nil, metric("a", asking(`up{x="{{args.x}}"}`))),
			[]string{`AnalysisTemplate "rate": spec.metrics[0]: {{args.x}} is used and not declared; add {name: x} to spec.args`},
		},
		"a value that may not stand there": {
			one([]v1alpha1.Argument{arg("x", "a or b")}, metric("a", asking("sum({{args.x}})"))),
			[]string{`AnalysisTemplate "rate": spec.metrics[0].provider.prometheus.query: argument "x": "a or b" stands outside quotes`},
		},
		"no stable yet": {func(r *Request) {
			one(nil, metric("a", asking(`up{x="{{args.stable-hash}}"}`)))(r)
			r.StableHash = ""
		}, []string{`spec.metrics[0]: argument "stable-hash" has no value here; there is no stable revision yet`}},
		"no Services": {func(r *Request) {
			one(nil, metric("a", asking(`up{x="{{args.active-service}}"}`)))(r)
			r.ActiveService = ""
		}, []string{"set spec.services.active of the Rollout"}},
		"a condition that does not compile": {
			one(nil, metric("a", asking("up"), failing("reslt > 1"))),
			[]string{`AnalysisTemplate "rate": spec.metrics[0].failureCondition: "reslt > 1" does not compile`},
		},
		"no end at a step": {
			one(nil, metric("a", asking("up"), every(minute))),
			[]string{`AnalysisTemplate "rate": spec.metrics[0].count: `, "step-1 would wait for ever; set count"},
		},
		"a query that grew too long": {
			one([]v1alpha1.Argument{arg("x", strings.Repeat("x", 1000))}, metric("a", asking(`up{x="`+strings.Repeat("{{args.x}}", 9)+`"}`))),
			[]string{"provider.prometheus.query: with its arguments it has 9008 characters; at most 8192"},
		},
		"too many metrics": {func(r *Request) {
			for i := range 65 {
				r.Templates = append(r.Templates, template(fmt.Sprint(i), nil, metric(fmt.Sprint(i), asking("up"))))
			}
		}, []string{"65 metrics together; at most 64"}},
		"too many arguments": {func(r *Request) {
			var args []v1alpha1.Argument
			for i := range 60 {
				args = append(args, arg(fmt.Sprint("x", i), "1"))
			}
			one(args, metric("a", asking("up")))(r)
		}, []string{"66 arguments together; at most 64"}},
		"all that is wrong is told": {func(r *Request) {
			r.Templates = []Template{template("rate", nil,
				metric("a", asking(`up{x="{{args.x}}"}`)), metric("b", asking("up"), every(minute)))}
		}, []string{"spec.metrics[0]", "spec.metrics[1].count"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(release(test.request))
			if err == nil {
				t.Fatalf("got %+v, want an error", got)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestResolveInTheBackgroundNeedsNoEnd(t *testing.T) {
	got, err := Resolve(release(func(r *Request) {
		r.Gate = GateBackground
		r.Templates = []Template{template("rate", nil, metric("a", asking("up"), every(minute)))}
	}))
	if err != nil || got.Gate != GateBackground {
		t.Errorf("got %+v and error %v, want a run without an end", got, err)
	}
}

func TestCheckTemplate(t *testing.T) {
	tests := map[string]struct {
		args    []v1alpha1.Argument
		metrics []v1alpha1.Metric
		want    []string
	}{
		"all is well": {
			args: []v1alpha1.Argument{arg("max"), arg("window", "5m"), arg("namespace")},
			metrics: []v1alpha1.Metric{metric("a", every(minute), times(3), failing("result > {{args.max}}"),
				asking(`sum(rate(errors{ns="{{args.namespace}}",p=~"{{args.candidate-hash}}.*"}[{{args.window}}]))`))},
		},
		"one that is always there has a value": {
			args: []v1alpha1.Argument{arg("namespace", "mine")}, metrics: []v1alpha1.Metric{metric("a", asking("up"))},
			want: []string{`spec.args[0].value: "namespace" is always set by Sluice; remove the value`},
		},
		"no provider": {
			metrics: []v1alpha1.Metric{metric("a")},
			want:    []string{"spec.metrics[0].provider: no provider is set; write one, such as provider.prometheus"},
		},
		"a count without an interval": {
			metrics: []v1alpha1.Metric{metric("a", asking("up"), times(3))},
			want:    []string{"spec.metrics[0].interval: 3 measurements need a time between them; set interval"},
		},
		"a condition that does not compile": {
			metrics: []v1alpha1.Metric{metric("a", asking("up")), metric("b", asking("up"), failing("result >"))},
			want:    []string{`spec.metrics[1].failureCondition: "result >" does not compile`},
		},
		"an argument that is not declared": {
			metrics: []v1alpha1.Metric{metric("a", asking(`up{x="{{args.x}}"}`))},
			want:    []string{"spec.metrics[0]: {{args.x}} is used and not declared; add {name: x} to spec.args"},
		},
		"a default that may not stand there": {
			args:    []v1alpha1.Argument{arg("x", "a b")},
			metrics: []v1alpha1.Metric{metric("a", asking("sum({{args.x}})"))},
			want:    []string{`spec.metrics[0].provider.prometheus.query: argument "x"`},
		},
		"a placeholder that is none": {
			metrics: []v1alpha1.Metric{metric("a", asking(`up{x="{{x}}"}`))},
			want:    []string{"write {{args.<name>}}"},
		},
		"all that is wrong is told": {
			metrics: []v1alpha1.Metric{metric("a", times(2), failing("(")), metric("b", asking(`{{args.x}}`))},
			want:    []string{"metrics[0].provider", "metrics[0].interval", "metrics[0].failureCondition", "metrics[1]"},
		},
	}
	conditions := newConditions(t, 16)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := CheckTemplate(v1alpha1.AnalysisTemplateSpec{Args: test.args, Metrics: test.metrics}, conditions)
			if len(test.want) == 0 && err != nil {
				t.Errorf("got error %q, want none", err)
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v lacks %q", err, want)
				}
			}
		})
	}
}
