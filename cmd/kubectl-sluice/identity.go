package main

import (
	"fmt"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/controller/revision"
)

// identityOf is the hash of the revision that a Rollout asks for: of its template with the ConfigMaps and Secrets that the
// controller has last seen. One that it has not seen yet counts as it is written.
func identityOf(r *v1alpha1.Rollout, collisions int32) (string, error) {
	template, err := configuration.WithVersions(r.Name, r.Spec.Template.Raw, versionsOf(r))
	if err != nil {
		return "", fmt.Errorf("rollout %q: %w", r.Name, err)
	}
	hash, err := revision.Hash(template, collisions)
	if err != nil {
		return "", fmt.Errorf("rollout %q: spec.template: %w", r.Name, err)
	}
	return hash, nil
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
