//go:build apiserver

package gitops_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/test/apiserver/live"
)

const argoManager = "argocd-controller"

// argo is Argo CD with self-healing: each look compares what is there with what is wanted, and syncs when they differ.
type argo struct {
	w *live.World
	// serverSide says that it applies on the server, and takes over what others own.
	serverSide bool
	settings   application
}

// application is what of an Application decides.
type application struct {
	Spec struct {
		IgnoreDifferences []struct {
			Group                 string   `json:"group"`
			Kind                  string   `json:"kind"`
			JSONPointers          []string `json:"jsonPointers"`
			ManagedFieldsManagers []string `json:"managedFieldsManagers"`
		} `json:"ignoreDifferences"`
		SyncPolicy struct {
			SyncOptions []string `json:"syncOptions"`
		} `json:"syncPolicy"`
	} `json:"spec"`
}

// argoOf reads an Application; without one nothing is ignored.
func argoOf(t *testing.T, w *live.World, serverSide bool, text string) *argo {
	t.Helper()
	out := &argo{w: w, serverSide: serverSide}
	if err := yaml.Unmarshal([]byte(text), &out.settings); err != nil {
		t.Fatal(err)
	}
	return out
}

// look syncs what is not as it should be.
func (a *argo) look(t *testing.T, wanted []*unstructured.Unstructured) {
	t.Helper()
	respects := slices.Contains(a.settings.Spec.SyncPolicy.SyncOptions, "RespectIgnoreDifferences=true")
	for _, target := range wanted {
		live := find(t, a.w, target)
		if live == nil {
			a.apply(t, target, false)
			continue
		}
		normal := a.normalized(t, target, live)
		if inSync(live, a.apply(t, normal, true)) || find(t, a.w, target).GetResourceVersion() != live.GetResourceVersion() {
			continue // the comparison is of one moment: what has changed since is for the next look
		}
		if respects {
			target = normal
		}
		a.apply(t, target, false)
	}
}

// normalized is a target with the live values of what is to be ignored.
func (a *argo) normalized(t *testing.T, target, live *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	out := target.DeepCopy()
	for _, ignore := range a.settings.Spec.IgnoreDifferences {
		gvk := target.GroupVersionKind()
		if ignore.Group != gvk.Group || ignore.Kind != gvk.Kind {
			continue
		}
		for _, pointer := range ignore.JSONPointers {
			take(out, live, strings.Split(strings.TrimPrefix(pointer, "/"), "/"))
		}
		for _, entry := range live.GetManagedFields() {
			if !slices.Contains(ignore.ManagedFieldsManagers, entry.Manager) {
				continue
			}
			var fields map[string]any
			if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
				t.Fatal(err)
			}
			for _, path := range leaves(fields, nil) {
				if _, both, _ := unstructured.NestedFieldNoCopy(out.Object, path...); both { // what it changes of theirs
					take(out, live, path)
				}
			}
		}
	}
	return out
}

// take gives one object the value of a field of another one.
func take(into, from *unstructured.Unstructured, path []string) {
	value, found, _ := unstructured.NestedFieldCopy(from.Object, path...)
	if !found {
		unstructured.RemoveNestedField(into.Object, path...)
		return
	}
	_ = unstructured.SetNestedField(into.Object, value, path...) // what is no object has no such field
}

// leaves are the paths of managed fields that hold no others. Of a list by keys the list itself counts.
func leaves(fields map[string]any, path []string) [][]string {
	var out [][]string
	deeper := false
	for name, within := range fields {
		if !strings.HasPrefix(name, "f:") {
			continue
		}
		deeper = true
		nested, _ := within.(map[string]any)
		out = append(out, leaves(nested, append(slices.Clone(path), strings.TrimPrefix(name, "f:")))...)
	}
	if !deeper {
		return [][]string{path}
	}
	return out
}

// apply is a sync of one object: what is there then.
func (a *argo) apply(t *testing.T, target *unstructured.Unstructured, dry bool) *unstructured.Unstructured {
	t.Helper()
	if a.serverSide {
		return applier{w: a.w, manager: argoManager, dry: dry, force: true}.apply(t, target)
	}
	text, err := target.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"apply", "--field-manager", argoManager, "-o", "json", "-f", "-"}
	if dry {
		args = append(args, "--dry-run=server")
	}
	printed, err := a.w.Kubectl(t, string(text), args...)
	if err != nil {
		t.Fatal(err)
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON([]byte(printed)); err != nil {
		t.Fatal(err)
	}
	return out
}

// inSync says whether an object would stay as it is.
func inSync(live, predicted *unstructured.Unstructured) bool {
	return equality.Semantic.DeepEqual(live.Object["spec"], predicted.Object["spec"]) &&
		equality.Semantic.DeepEqual(live.GetLabels(), predicted.GetLabels())
}

// find reads what is there of an object; nil when there is nothing.
func find(t *testing.T, w *live.World, like *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(like.GroupVersionKind())
	err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: like.GetName()}, out)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
