// Command crdgen writes the CustomResourceDefinitions of Sluice from its Go types.
//
//	go run ./crdgen ../../api/v1alpha1 ../../config/crd
//
// It reads the same markers as controller-gen, with which it shares the parser, and does three things more:
//
//   - spec.template of a Rollout, raw JSON in Go, gets the schema of a pod template, with the keys of its lists, so that
//     server-side apply can own one container's image; and every object in it keeps fields that this version does not
//     know;
//   - rules that many fields need (a duration, a weight, a name) are one marker each, with the CEL expression in one
//     place;
//   - label selectors get bounds, without which the API server would reckon the rules over them as too expensive.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: crdgen <folder of the Go types> <folder of the definitions>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "crdgen:", err)
		os.Exit(1)
	}
}

// run writes one file per kind into out, and removes those of kinds that are no more.
func run(types, out string) error {
	files, err := Generate(types)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no kinds: name the folder of the Go types", types)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := removeOld(out, files); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(out, name), files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeOld removes the definitions of kinds that are no more. Only files of a group that is written are such: another
// folder that is named by mistake loses nothing.
func removeOld(out string, files map[string][]byte) error {
	groups := map[string]bool{}
	for name := range files {
		group, _, _ := strings.Cut(name, "_")
		groups[group] = true
	}
	old, err := filepath.Glob(filepath.Join(out, "*_*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range old {
		name := filepath.Base(path)
		group, _, _ := strings.Cut(name, "_")
		if _, stays := files[name]; stays || !groups[group] {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
