package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// pins are the lines of a patch that give a revision its content back: each ConfigMap and Secret that it was made with is
// pinned to the version that it had, unless that is what the spec asks for already.
func pins(r *v1alpha1.Rollout, target Revision) []operation {
	var out []operation
	versions := maps.Clone(target.Configuration)
	c := r.Spec.Configuration
	if c == nil {
		c = &v1alpha1.Configuration{}
	}
	for _, list := range []pinned{
		{v1alpha1.KindConfigMap, "/spec/configuration/configMaps", c.ConfigMaps},
		{v1alpha1.KindSecret, "/spec/configuration/secrets", c.Secrets},
	} {
		out = append(out, list.pin(r, versions)...)
	}
	if r.Spec.Configuration == nil && len(out) > 0 {
		out = append([]operation{{Op: "add", Path: "/spec/configuration", Value: map[string]any{}}}, out...)
	}
	return out
}

// pinned is one of the lists in spec.configuration.
type pinned struct {
	kind, path string
	references []v1alpha1.ConfigurationReference
}

// pin gives the lines for one list. What the revision has of its kind and the spec does not name any more is named again.
func (p pinned) pin(r *v1alpha1.Rollout, versions map[string]string) []operation {
	var out []operation
	named := map[string]bool{}
	for i, ref := range p.references {
		key := p.kind + "/" + ref.Name
		want := versions[key]
		named[key] = true
		asked := ref.Version
		if asked == "" {
			asked = asksFor(r, p.kind, ref.Name)
		}
		if want == "" || want == asked || ref.OnChangeOrDefault() != v1alpha1.ConfigurationChangeRelease {
			continue
		}
		out = append(out, operation{Op: "add", Path: fmt.Sprintf("%s/%d/version", p.path, i), Value: want})
	}
	exists := len(p.references) > 0
	for _, key := range slices.Sorted(maps.Keys(versions)) {
		name, ours := strings.CutPrefix(key, p.kind+"/")
		if !ours || named[key] {
			continue
		}
		if !exists {
			out = append(out, operation{Op: "add", Path: p.path, Value: []any{}})
			exists = true
		}
		out = append(out, operation{Op: "add", Path: p.path + "/-", Value: v1alpha1.ConfigurationReference{
			Name: name, OnChange: v1alpha1.ConfigurationChangeRelease, Version: versions[key],
		}})
	}
	return out
}

// asksFor is the content that the controller last saw of an object.
func asksFor(r *v1alpha1.Rollout, kind, name string) string {
	for _, c := range r.Status.Configuration {
		if c.Kind == kind && c.Name == name {
			return c.Hash
		}
	}
	return ""
}
