package gatewayapi

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/trafficrouting"
)

// serving is the mapper of a cluster that serves kinds in some versions, "v1/HTTPRoute".
func serving(kinds ...schema.GroupVersionKind) *meta.DefaultRESTMapper {
	out := meta.NewDefaultRESTMapper(nil)
	for _, kind := range kinds {
		out.Add(kind, meta.RESTScopeNamespace)
	}
	return out
}

func gateway(version, kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: version, Kind: kind}
}

func TestKindsAreReadInTheBestVersion(t *testing.T) {
	target := trafficrouting.Target{Routes: []trafficrouting.Route{
		{Kind: "HTTPRoute", Name: "web"}, {Kind: "HTTPRoute", Name: "api"}, {Kind: "TLSRoute", Name: "web"}, {Kind: "TCPRoute", Name: "web"},
	}}
	for name, tc := range map[string]struct {
		served  *meta.DefaultRESTMapper
		want    []schema.GroupVersionKind
		wantAll bool
	}{
		"nothing": {served: serving()},
		"the best of several": {
			served: serving(gateway("v1beta1", "HTTPRoute"), gateway("v1", "HTTPRoute"), gateway("v1alpha2", "TLSRoute"),
				gateway("v1alpha3", "TLSRoute"), gateway("v1alpha2", "TCPRoute")),
			want:    []schema.GroupVersionKind{gateway("v1", "HTTPRoute"), gateway("v1alpha3", "TLSRoute"), gateway("v1alpha2", "TCPRoute")},
			wantAll: true,
		},
		"not all": {
			served: serving(gateway("v1", "HTTPRoute"), gateway("v1", "GRPCRoute")),
			want:   []schema.GroupVersionKind{gateway("v1", "HTTPRoute")},
		},
		"a version of another time": {served: serving(gateway("v2", "HTTPRoute"))},
	} {
		t.Run(name, func(t *testing.T) {
			got, all, err := New(nil, nil, tc.served).Kinds(target)
			if err != nil || all != tc.wantAll {
				t.Errorf("all is %v, want %v; error %v", all, tc.wantAll, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}
}

// sleepy knows only what it has been asked for by its version, as a mapper does that read the versions of a group before one
// was added.
type sleepy struct{ meta.RESTMapper }

func (s sleepy) RESTMappings(gk schema.GroupKind, _ ...string) ([]*meta.RESTMapping, error) {
	return nil, &meta.NoKindMatchError{GroupKind: gk}
}

func TestKindsOfAVersionThatWasAddedLater(t *testing.T) {
	target := trafficrouting.Target{Routes: []trafficrouting.Route{{Kind: "TCPRoute", Name: "web"}}}
	got, all, err := New(nil, nil, sleepy{serving(gateway("v1alpha2", "TCPRoute"))}).Kinds(target)
	if diff := cmp.Diff([]schema.GroupVersionKind{gateway("v1alpha2", "TCPRoute")}, got); diff != "" || err != nil || !all {
		t.Errorf("all is %v, error %v, kinds (-want +got):\n%s", all, err, diff)
	}
}

// broken is the mapper of a cluster that does not answer.
type broken struct{ meta.RESTMapper }

var errAway = errors.New("the server is away")

func (broken) RESTMappings(schema.GroupKind, ...string) ([]*meta.RESTMapping, error) {
	return nil, errAway
}

func TestKindsOfAClusterThatDoesNotAnswer(t *testing.T) {
	target := trafficrouting.Target{Routes: []trafficrouting.Route{{Kind: "HTTPRoute", Name: "web"}}}
	if _, _, err := New(nil, nil, broken{}).Kinds(target); !errors.Is(err, errAway) {
		t.Errorf("error is %v, want %v", err, errAway)
	}
}
