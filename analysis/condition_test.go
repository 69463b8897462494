package analysis

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func newConditions(t testing.TB, size int) *Conditions {
	t.Helper()
	c, err := NewConditions(size)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEvaluate(t *testing.T) {
	tests := map[string]struct {
		success, failure string
		value            float64
		want             v1alpha1.MeasurementState
	}{
		"success holds":                        {"result >= 0.95", "", 0.95, v1alpha1.MeasurementSuccessful},
		"success alone does not hold":          {"result >= 0.95", "", 0.9499, v1alpha1.MeasurementFailed},
		"failure holds":                        {"", "result > 0.05", 0.06, v1alpha1.MeasurementFailed},
		"failure alone does not hold":          {"", "result > 0.05", 0.05, v1alpha1.MeasurementSuccessful},
		"both given, success holds":            {"result < 1.0", "result > 2.0", 0.5, v1alpha1.MeasurementSuccessful},
		"both given, failure holds":            {"result < 1.0", "result > 2.0", 3, v1alpha1.MeasurementFailed},
		"both given, neither holds":            {"result < 1.0", "result > 2.0", 1.5, v1alpha1.MeasurementInconclusive},
		"both hold, failure outranks":          {"result > 1.0", "result > 2.0", 3, v1alpha1.MeasurementFailed},
		"a whole number to compare with":       {"result >= 1", "", 1, v1alpha1.MeasurementSuccessful},
		"equality":                             {"result == 0.0", "", 0, v1alpha1.MeasurementSuccessful},
		"a range":                              {"result > 0.1 && result < 5", "", 7, v1alpha1.MeasurementFailed},
		"arithmetic":                           {"result * 100.0 < 1.0 || result > 9.0", "", 0.005, v1alpha1.MeasurementSuccessful},
		"not a number, with success":           {"result >= 0.95", "", math.NaN(), v1alpha1.MeasurementNoData},
		"not a number, with failure":           {"", "result > 0.05", math.NaN(), v1alpha1.MeasurementNoData},
		"infinity would meet the condition":    {"result >= 0.95", "", math.Inf(1), v1alpha1.MeasurementNoData},
		"minus infinity would meet it as well": {"", "result < 0.0", math.Inf(-1), v1alpha1.MeasurementNoData},
		"a constant":                           {"true", "", 1, v1alpha1.MeasurementSuccessful},
	}
	conditions := newConditions(t, 100)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := v1alpha1.Metric{SuccessCondition: test.success, FailureCondition: test.failure}
			got, err := conditions.Evaluate(m, test.value)
			if err != nil || got != test.want {
				t.Errorf("got %s and error %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestInvalidConditions(t *testing.T) {
	tests := map[string]struct {
		metric    v1alpha1.Metric
		wantField string
		wantText  string
	}{
		"neither":           {v1alpha1.Metric{}, "successCondition", "neither"},
		"syntax":            {v1alpha1.Metric{SuccessCondition: "result >"}, "successCondition", "at character 9: Syntax error"},
		"an unknown name":   {v1alpha1.Metric{FailureCondition: "reslt > 1"}, "failureCondition", "undeclared reference to 'reslt'"},
		"the second":        {v1alpha1.Metric{SuccessCondition: "true", FailureCondition: "("}, "failureCondition", `"("`},
		"no bool":           {v1alpha1.Metric{SuccessCondition: "result"}, "successCondition", "gives a double and no bool"},
		"a text":            {v1alpha1.Metric{SuccessCondition: "result > '1'"}, "successCondition", "no matching overload"},
		"int in arithmetic": {v1alpha1.Metric{SuccessCondition: "result * 100 > 1"}, "successCondition", `"100.0"`},
		"as in Argo":        {v1alpha1.Metric{SuccessCondition: "result[0] >= 0.95"}, "successCondition", "result >= 0.95"},
		"a loop":            {v1alpha1.Metric{SuccessCondition: "[1].all(x, x > 0)"}, "successCondition", "'all'"},
		"a division by 0":   {v1alpha1.Metric{SuccessCondition: "1 / 0 > 1"}, "successCondition", "division by zero"},
		"too deep":          {v1alpha1.Metric{SuccessCondition: strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400)}, "successCondition", "does not compile"},
		"too long":          {v1alpha1.Metric{SuccessCondition: "true" + strings.Repeat(" || true", 500)}, "successCondition", "does not compile"},
	}
	conditions := newConditions(t, 100)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			state, err := conditions.Evaluate(test.metric, 1)
			var fault *Fault
			if !errors.As(err, &fault) || state != v1alpha1.MeasurementError {
				t.Fatalf("got %s and error %v, want Error and a fault", state, err)
			}
			if fault.Field != test.wantField || fault.Reason != v1alpha1.ReasonConditionInvalid {
				t.Errorf("got a fault %s of %s, want one of %s", fault.Reason, fault.Field, test.wantField)
			}
			for _, want := range []string{test.wantText, "compare result with numbers"} {
				if !strings.Contains(fault.Message, want) {
					t.Errorf("message %q lacks %q", fault.Message, want)
				}
			}
			if len(fault.Message) > 800 || strings.Contains(fault.Message, "\n") {
				t.Errorf("message %q is longer than a line", fault.Message)
			}
		})
	}
}

// TestCostIsBounded has an expression that takes more steps than any comparison: the deepest nesting of the longest
// strings that fit into it.
func TestCostIsBounded(t *testing.T) {
	grow := "'" + strings.Repeat("x", 60) + "'"
	expression := "size(" + grow + strings.Repeat(" + "+grow, 12) + ") > 1 && " + grow + ".matches('(x+x+)+y')"
	state, err := newConditions(t, 1).Evaluate(v1alpha1.Metric{SuccessCondition: expression}, 1)
	if err != nil || state != v1alpha1.MeasurementFailed {
		t.Errorf("got %s and error %v, want a cheap no", state, err)
	}
}

func TestConditionsStayBounded(t *testing.T) {
	conditions := newConditions(t, 8)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 50 {
				m := v1alpha1.Metric{SuccessCondition: fmt.Sprintf("result > %d.%d", worker, i)}
				if _, err := conditions.Evaluate(m, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := len(conditions.compiled); got > 8 {
		t.Errorf("%d expressions are kept, want at most 8", got)
	}
}

func FuzzConditions(f *testing.F) {
	for _, seed := range []string{"result >= 0.95", "", "result[0]", "1/0 > result", "double('x') < result", "'\\", "a.b.c(", "result ? 1 : 2"} {
		f.Add(seed, seed, 0.5)
	}
	conditions := newConditions(f, 16)
	f.Fuzz(func(t *testing.T, success, failure string, value float64) {
		m := v1alpha1.Metric{SuccessCondition: success, FailureCondition: failure}
		state, err := conditions.Evaluate(m, value)
		finite := !math.IsNaN(value) && !math.IsInf(value, 0)
		if !finite && (err != nil || state != v1alpha1.MeasurementNoData) {
			t.Fatalf("got %s and error %v for %v, want NoData", state, err, value)
		}
		if finite && (err != nil) != (state == v1alpha1.MeasurementError) {
			t.Fatalf("got %s and error %v", state, err)
		}
		again, _ := conditions.Evaluate(m, value)
		if again != state {
			t.Fatalf("got %s, and then %s", state, again)
		}
	})
}
