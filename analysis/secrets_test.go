package analysis

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// indiscreet is a provider that reads a Secret and tells its value wherever it can.
type indiscreet struct {
	fails   bool
	padding int
}

func (p indiscreet) Measure(ctx context.Context, query Query) (Reading, error) {
	token, err := query.Secrets.Value(ctx, "provider.prometheus.token", v1alpha1.SecretKeyReference{Name: "prometheus", Key: "token"})
	if err != nil {
		return Reading{}, err
	}
	if p.fails {
		return Reading{}, &Fault{
			Reason: v1alpha1.ReasonProviderUnreachable, Field: "provider", Message: "the server says: unknown " + strings.Repeat("-", p.padding) + "token " + token,
		}
	}
	return Reading{Value: 1, Found: true, Warnings: []string{"token " + token + " ends tomorrow"}}, nil
}

func TestSecretsStayOutOfMeasurements(t *testing.T) {
	missing := &Fault{Reason: v1alpha1.ReasonSecretMissing, Message: `there is no Secret "prometheus"`}
	tests := map[string]struct {
		fails      bool
		padding    int
		secrets    Secrets
		wantReason string
		want       string
	}{
		"in an error": {
			fails: true, secrets: returns("s3cr3t\n", nil), wantReason: v1alpha1.ReasonProviderUnreachable,
			want: "spec.metrics[0].provider: the server says: unknown token [hidden]",
		},
		"at the end of a message that is cut": {
			fails: true, secrets: returns(strings.Repeat("s3cr3t", 10), nil), padding: 939, wantReason: v1alpha1.ReasonProviderUnreachable,
			want: "spec.metrics[0].provider: the server says: unknown " + strings.Repeat("-", 939) + "token [hidden]…",
		},
		"in a warning": {
			secrets: returns("s3cr3t\n", nil), wantReason: v1alpha1.ReasonPartial,
			want: "spec.metrics[0].provider: the answer may not be whole, and decides nothing; warning: token [hidden] ends tomorrow",
		},
		"missing": {
			secrets: returns("", missing), wantReason: v1alpha1.ReasonSecretMissing,
			want: `spec.metrics[0].provider.prometheus.token: there is no Secret "prometheus"`,
		},
		"another error": {secrets: returns("", errors.New("gone")), wantReason: v1alpha1.ReasonProviderUnreachable, want: "gone"},
		"nowhere to read": {
			wantReason: v1alpha1.ReasonSecretMissing,
			want:       "spec.metrics[0].provider.prometheus.token: there are no Secrets to read here; leave it out",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			meter := Meter{Provider: indiscreet{test.fails, test.padding}, Conditions: newConditions(t, 1), Secrets: test.secrets}
			spec := v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metric("rate", asking("up"))}}
			got := meter.Measure(t.Context(), spec, v1alpha1.AnalysisRunStatus{}, 0, start()).Measurement
			if got.Message != test.want || got.Reason != test.wantReason {
				t.Errorf("got %q (%s), want %q (%s)", got.Message, got.Reason, test.want, test.wantReason)
			}
			if strings.Contains(got.Message+got.Value+got.Reason, "s3cr3t") {
				t.Errorf("%+v tells the secret", got)
			}
		})
	}
}

// returns is a reader with one answer.
func returns(value string, err error) Secrets {
	return func(context.Context, v1alpha1.SecretKeyReference) (string, error) { return value, err }
}

// TestCountersAreGivenSecrets holds that a comparison may need credentials too.
func TestCountersAreGivenSecrets(t *testing.T) {
	provider := &counting{answers: []Count{batch(0, 10, 0, 10)}}
	meter := Meter{Provider: provider, Conditions: newConditions(t, 1), Secrets: returns("s3cr3t", nil)}
	meter.Measure(t.Context(), ratioRun(ratioMetric()), v1alpha1.AnalysisRunStatus{}, 0, start().Add(minute))
	if len(provider.asked) != 1 || provider.asked[0].Secrets == nil {
		t.Errorf("asked %d times, want once, with Secrets", len(provider.asked))
	}
}
