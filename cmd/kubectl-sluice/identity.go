package main

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/controller/revision"
)

// targetOf is the revision that a Rollout asks for: of its template with the ConfigMaps and Secrets that the controller has
// last seen. One that it has not seen yet counts as it is written.
func targetOf(r *v1alpha1.Rollout, known []revision.Known) (string, error) {
	template, err := configuration.WithVersions(r.Name, r.Spec.Template.Raw, versionsOf(r))
	if err != nil {
		return "", fmt.Errorf("rollout %q: %w", r.Name, err)
	}
	target, _, err := revision.Target(template, known, r.Status.State.CollisionCount)
	if err != nil {
		return "", fmt.Errorf("rollout %q: spec.template: %w", r.Name, err)
	}
	return target, nil
}

// versionsOf are the contents that the spec asks for, as far as they are known.
func versionsOf(r *v1alpha1.Rollout) map[string]string {
	seen := map[string]string{}
	for _, c := range r.Status.Configuration {
		seen[c.Kind+"/"+c.Name] = c.Hash
	}
	out := map[string]string{}
	for _, ref := range configuration.References(r.Spec.Configuration) {
		if !ref.Copied() {
			continue
		}
		out[ref.Key()] = seen[ref.Key()]
		if ref.Version != "" {
			out[ref.Key()] = ref.Version
		}
	}
	return out
}
