package trafficrouting

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Best is a kind in the best version that the cluster serves, of versions of which the best comes first. The error is one of
// meta.IsNoMatchError for a kind that it does not serve. A mapper that asks the cluster again for what it does not know, as that
// of a manager does, finds kinds that are installed later.
func Best(served meta.RESTMapper, kind schema.GroupKind, versions ...string) (schema.GroupVersionKind, error) {
	known, err := served.RESTMappings(kind)
	if err != nil && !meta.IsNoMatchError(err) {
		return schema.GroupVersionKind{}, fmt.Errorf("looking for the versions of %s: %w", kind.Kind, err)
	}
	for _, version := range versions {
		for _, mapping := range known {
			if mapping.GroupVersionKind.Version == version {
				return mapping.GroupVersionKind, nil
			}
		}
	}
	// A mapper that has seen the group does not look for versions that have been added to it since, unless it is asked for one.
	for _, version := range versions {
		mapping, err := served.RESTMapping(kind, version)
		if err == nil {
			return mapping.GroupVersionKind, nil
		}
		if !meta.IsNoMatchError(err) {
			return schema.GroupVersionKind{}, fmt.Errorf("looking for %s of %s: %w", kind.Kind, version, err)
		}
	}
	return schema.GroupVersionKind{}, &meta.NoKindMatchError{GroupKind: kind, SearchedVersions: versions}
}
