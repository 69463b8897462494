package analysis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// rollout has labels and Services.
func rollout() *v1alpha1.Rollout {
	return &v1alpha1.Rollout{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "shop", UID: "7", Labels: map[string]string{"team": "till", "a/b.c": "x"},
			Annotations: map[string]string{"example.com/slo": "0.99"},
		},
		Spec: v1alpha1.RolloutSpec{Replicas: new(int32(3)), Services: &v1alpha1.Services{Active: "web"}},
	}
}

func TestFields(t *testing.T) {
	tests := map[string]struct{ want, wantError string }{
		"metadata.name":                           {want: "web"},
		"metadata.namespace":                      {want: "shop"},
		"metadata.uid":                            {want: "7"},
		"metadata.labels['team']":                 {want: "till"},
		`metadata.labels["a/b.c"]`:                {want: "x"},
		"metadata.annotations['example.com/slo']": {want: "0.99"},
		"spec.replicas":                           {want: "3"},
		"spec.services.active":                    {want: "web"},
		"spec.services.standby":                   {want: "web-standby"},
		"metadata.labels['none']":                 {wantError: "the Rollout has no metadata.labels['none']; set it"},
		"metadata.labels":                         {wantError: "is no field that can be used"},
		"metadata.labels['team'":                  {wantError: "is no field that can be used"},
		"metadata.labels[team]":                   {wantError: "is no field that can be used"},
		"metadata.labels['']":                     {wantError: "is no field that can be used"},
		"metadata.name['team']":                   {wantError: "is no field that can be used"},
		"spec.template":                           {wantError: "write metadata.name, metadata.namespace"},
		"":                                        {wantError: "is no field that can be used"},
	}
	for path, test := range tests {
		got, err := FieldsOf(rollout())(path)
		if got != test.want || (err == nil) != (test.wantError == "") || err != nil && !strings.Contains(err.Error(), test.wantError) {
			t.Errorf("%s: got %q and error %v, want %q and an error with %q", path, got, err, test.want, test.wantError)
		}
	}
	if _, err := FieldsOf(&v1alpha1.Rollout{})("spec.services.active"); err == nil {
		t.Error("a Rollout without Services has an active one")
	}
}

// from makes an argument whose value is a field.
func fromField(name, path string) v1alpha1.Argument {
	return v1alpha1.Argument{Name: name, ValueFrom: &v1alpha1.ArgumentSource{FieldPath: path}}
}

// fromSecret makes an argument whose value stays in a Secret.
func fromSecret(name, secret string) v1alpha1.Argument {
	return v1alpha1.Argument{Name: name, ValueFrom: &v1alpha1.ArgumentSource{SecretKeyRef: &v1alpha1.SecretKeyReference{Name: secret, Key: "token"}}}
}

// header adds one to a metric that asks Prometheus.
func header(name, value string) func(*v1alpha1.Metric) {
	return func(m *v1alpha1.Metric) {
		m.Provider.Prometheus.Headers = append(m.Provider.Prometheus.Headers, v1alpha1.MetricHeader{Name: name, Value: value})
	}
}

func TestArgumentsFromElsewhere(t *testing.T) {
	request := release(func(r *Request) {
		r.Templates = []Template{template("rate", []v1alpha1.Argument{
			fromField("team", "metadata.labels['team']"), fromField("slo", "metadata.annotations['example.com/slo']"),
			fromSecret("token", "prometheus"),
		}, metric("rate", asking(`up{team="{{args.team}}"}`), header("Authorization", "Bearer {{ args.token }}"), header("X-Team", "{{args.team}}"),
			func(m *v1alpha1.Metric) { m.SuccessCondition = "result >= {{args.slo}}" }))}
		r.Args = []v1alpha1.Argument{fromSecret("token", "mimir")}
		r.Fields = FieldsOf(rollout())
	})
	spec, err := Resolve(request)
	if err != nil {
		t.Fatal(err)
	}
	got := spec.Metrics[0]
	wantHeaders := []v1alpha1.MetricHeader{
		{Name: "Authorization", Value: "Bearer ", SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "mimir", Key: "token"}},
		{Name: "X-Team", Value: "till"},
	}
	if diff := cmp.Diff(wantHeaders, got.Provider.Prometheus.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got.Provider.Prometheus.Query != `up{team="till"}` || got.SuccessCondition != "result >= 0.99" {
		t.Errorf("got %q and %q", got.Provider.Prometheus.Query, got.SuccessCondition)
	}
	for _, arg := range spec.Args {
		if arg.Name == "token" && (arg.Value != nil || arg.ValueFrom.SecretKeyRef.Name != "mimir") {
			t.Errorf("the run has %+v", arg)
		}
	}
}

func TestArgumentsFromElsewhereThatAreWrong(t *testing.T) {
	tests := map[string]struct {
		args    []v1alpha1.Argument
		change  func(*v1alpha1.Metric)
		fields  Fields
		want    string
		ofCheck bool // whether the template alone shows it
	}{
		"a secret in a query": {
			args: []v1alpha1.Argument{fromSecret("x", "s")}, change: asking(`up{x="{{args.x}}"}`), ofCheck: true,
			want: `provider.prometheus.query: argument "x" comes from a Secret, and may stand only at the end of the value of a header`,
		},
		"a secret in a condition": {
			args: []v1alpha1.Argument{fromSecret("x", "s")}, change: func(m *v1alpha1.Metric) { m.SuccessCondition = "result > {{args.x}}" },
			want: `successCondition: argument "x" comes from a Secret`, ofCheck: true,
		},
		"a secret in the middle of a header": {
			args: []v1alpha1.Argument{fromSecret("x", "s")}, change: header("X", "{{args.x}}!"), ofCheck: true,
			want: `provider.prometheus.headers[0].value: argument "x" comes from a Secret`,
		},
		"two secrets in a header": {
			args: []v1alpha1.Argument{fromSecret("x", "s"), fromSecret("y", "s")}, change: header("X", "{{args.y}}{{args.x}}"), ofCheck: true,
			want: `argument "y" comes from a Secret`,
		},
		"a field that nobody may use": {
			args: []v1alpha1.Argument{fromField("x", "status.phase")}, fields: FieldsOf(rollout()), ofCheck: true,
			want: `"status.phase" is no field that can be used`,
		},
		"a label that is not there": {
			args: []v1alpha1.Argument{fromField("x", "metadata.labels['tier']")}, fields: FieldsOf(rollout()),
			want: `argument "x": the Rollout has no metadata.labels['tier']; set it, or give the argument a value`,
		},
		"no Rollout": {
			args: []v1alpha1.Argument{fromField("x", "metadata.name")}, want: "there is no Rollout whose metadata.name it could be",
		},
		"both": {
			args: []v1alpha1.Argument{{Name: "x", Value: new("1"), ValueFrom: &v1alpha1.ArgumentSource{FieldPath: "metadata.name"}}}, ofCheck: true,
			fields: FieldsOf(rollout()), want: "write one of value, valueFrom.fieldPath and valueFrom.secretKeyRef",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := metric("rate", asking("up"))
			if test.change != nil {
				test.change(&m)
			}
			made := template("rate", test.args, m)
			_, err := Resolve(release(func(r *Request) { r.Templates, r.Fields, r.Args = []Template{made}, test.fields, nil }))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
			if err := CheckTemplate(made.Spec, newConditions(t, 8)); (err != nil) != test.ofCheck {
				t.Errorf("the check finds %v, want something: %t", err, test.ofCheck)
			}
		})
	}
}

// TestSecretArgumentsOfARunMadeByHand holds that such a run is measured as one that was resolved.
func TestSecretArgumentsOfARunMadeByHand(t *testing.T) {
	var asked []Query
	meter := Meter{Provider: answering{reading: Reading{Value: 1, Found: true}, asked: &asked}, Conditions: newConditions(t, 1)}
	meter.Measure(t.Context(), v1alpha1.AnalysisRunSpec{
		Args: []v1alpha1.Argument{fromSecret("token", "prometheus")}, Metrics: []v1alpha1.Metric{metric("rate", asking("up"), header("X", "{{args.token}}"))},
	}, v1alpha1.AnalysisRunStatus{}, 0, start())
	if len(asked) != 1 || asked[0].Source.Prometheus.Headers[0].SecretKeyRef == nil {
		t.Errorf("asked %+v", asked)
	}
}
