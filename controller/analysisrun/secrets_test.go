package analysisrun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// vault is a provider behind a token, which it tells in a warning.
type vault struct {
	mu     sync.Mutex
	tokens []string
}

func (v *vault) Measure(ctx context.Context, query analysis.Query) (analysis.Reading, error) {
	ref := v1alpha1.SecretKeyReference{Name: "prometheus", Key: "token"}
	token, err := query.Secrets.Value(ctx, "provider.prometheus.token", ref)
	if err != nil {
		return analysis.Reading{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tokens = append(v.tokens, token)
	return analysis.Reading{Value: 1, Found: true, Warnings: []string{"welcome " + token}}, nil
}

// tokens is the Secret in the namespace of the run.
func tokens(key, value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "prometheus"}, Data: map[string][]byte{key: []byte(value)},
	}
}

// TestSecretsAreReadByName holds that a Secret is read once in each pass, whatever number of metrics refers to it, that a
// new value counts from the next measurement on, and that none is stored.
func TestSecretsAreReadByName(t *testing.T) {
	provider := &vault{}
	w := newWorld(t, provider, newRun(newMetric("a", 2), newMetric("b", 2)), tokens("token", "first-token\n"))
	var read []string
	w.live.Get = func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		read = append(read, fmt.Sprintf("%T %s", o, key))
		return c.Get(ctx, key, o, opts...)
	}
	w.restart()
	w.reconcile()
	changed := tokens("token", "second-token")
	if err := w.api.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	w.clock.SetTime(w.clock.Now().Add(10 * time.Second))
	w.reconcile()
	if diff := cmp.Diff([]string{"first-token", "first-token", "second-token", "second-token"}, provider.tokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"*v1.Secret shop/prometheus", "*v1.Secret shop/prometheus"}, read); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	run := w.run()
	text, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	told := string(text) + strings.Join(w.events(), " ")
	if strings.Contains(told, "-token") || run.Status.Metrics[0].NoData != 2 || !strings.Contains(told, "welcome [hidden]") {
		t.Errorf("want two measurements, and no token in %s", told)
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	tests := map[string]struct {
		secret     *corev1.Secret
		refusal    error
		wantReason string
		want       []string
	}{
		"no Secret": {
			wantReason: v1alpha1.ReasonSecretMissing,
			want:       []string{"spec.metrics[0].provider.prometheus.token", `there is no Secret "prometheus" in namespace "shop"; create it`},
		},
		"no key": {
			secret: tokens("password", "first-token"), wantReason: v1alpha1.ReasonSecretMissing,
			want: []string{`has nothing under the key "token"; it has password`},
		},
		"an empty value": {
			secret: tokens("token", ""), wantReason: v1alpha1.ReasonSecretMissing, want: []string{`has nothing under the key "token"`},
		},
		"no right": {
			secret: tokens("token", "first-token"), wantReason: v1alpha1.ReasonSecretForbidden,
			refusal: apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "prometheus",
				errors.New(`User "system:serviceaccount:releases:sluice" cannot get resource "secrets"`)),
			want: []string{`the controller may not read Secret "prometheus"`, "kubectl -n shop create rolebinding sluice-analysis-secrets " +
				"--clusterrole=sluice-analysis-secrets --serviceaccount=releases:sluice"},
		},
		"an API server in trouble": {
			refusal: apierrors.NewInternalError(errors.New("etcd is away")), wantReason: v1alpha1.ReasonProviderUnreachable,
			want: []string{`Secret "prometheus" cannot be read`, "etcd is away"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{newRun(newMetric("a", 2))}
			if test.secret != nil {
				objects = append(objects, test.secret)
			}
			w := newWorld(t, &vault{}, objects...)
			w.live = interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					if test.refusal != nil {
						return test.refusal
					}
					return c.Get(ctx, key, o, opts...)
				},
			}
			w.restart()
			w.follow(3)
			w.wantProblem(test.wantReason, test.want...)
			if text, err := json.Marshal(w.run()); err != nil || strings.Contains(string(text), "first-token") {
				t.Errorf("error %v, or a token in %s", err, text)
			}
		})
	}
}
