//go:build apiserver

package gitops_test

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/test/apiserver/live"
)

const (
	fluxManager = "kustomize-controller"
	helmManager = "helm"

	// ssa is the annotation by which Flux decides how it applies an object.
	ssa = "kustomize.toolkit.fluxcd.io/ssa"
)

// applier applies objects on the server, in somebody's name.
type applier struct {
	w       *live.World
	manager string
	// dry changes nothing, and force takes over what others own.
	dry, force bool
}

// apply applies an object: what is there then.
func (a applier) apply(t *testing.T, target *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	out, err := a.try(t, target)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (a applier) try(t *testing.T, target *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	t.Helper()
	out := target.DeepCopy()
	out.SetNamespace(a.w.Namespace)
	options := []client.ApplyOption{client.FieldOwner(a.manager)}
	if a.dry {
		options = append(options, client.DryRunAll)
	}
	if a.force {
		options = append(options, client.ForceOwnership)
	}
	err := a.w.Client.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(out), options...)
	return out, err
}

// flux is one interval of a Kustomization: whatever is not told otherwise is applied, and taken over.
func flux(t *testing.T, w *live.World, wanted []*unstructured.Unstructured) {
	t.Helper()
	for _, target := range wanted {
		if target.GetAnnotations()[ssa] == "IfNotPresent" && find(t, w, target) != nil {
			continue
		}
		applier{w: w, manager: fluxManager, force: true}.apply(t, target)
	}
}

// helm is a release on the client's side, as Helm 3 and "helm upgrade --server-side=false" make it: of a kind that it knows
// a merge of what it wrote before, what it writes now and what is there; of others the difference of the first two.
type helm struct {
	w      *live.World
	before []*unstructured.Unstructured
}

// upgrade goes from the manifests of the release before to those of this one.
func (h *helm) upgrade(t *testing.T, wanted []*unstructured.Unstructured) {
	t.Helper()
	for i, target := range wanted {
		there := find(t, h.w, target)
		if there == nil {
			made := target.DeepCopy()
			made.SetNamespace(h.w.Namespace)
			if err := h.w.Client.Create(t.Context(), made, client.FieldOwner(helmManager)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		kind, patch := types.MergePatchType, h.difference(t, h.before[i], target, h.before[i])
		if target.GetKind() == "Service" {
			kind, patch = types.StrategicMergePatchType, merged(t, h.before[i], target, there)
		}
		if err := h.w.Client.Patch(t.Context(), there, client.RawPatch(kind, patch), client.FieldOwner(helmManager)); err != nil {
			t.Fatal(err)
		}
	}
	h.before = wanted
}

func (h *helm) difference(t *testing.T, before, after, there *unstructured.Unstructured) []byte {
	t.Helper()
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(text(t, before), text(t, after), text(t, there))
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

func merged(t *testing.T, before, after, there *unstructured.Unstructured) []byte {
	t.Helper()
	meta, err := strategicpatch.NewPatchMetaFromStruct(corev1.Service{})
	if err != nil {
		t.Fatal(err)
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(text(t, before), text(t, after), text(t, there), meta, true)
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

func text(t *testing.T, object *unstructured.Unstructured) []byte {
	t.Helper()
	out, err := json.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
