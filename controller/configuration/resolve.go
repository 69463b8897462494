package configuration

import (
	"fmt"
	"slices"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
)

// Reference is an entry of spec.configuration.
type Reference struct {
	Object
	// OnChange says what a change of the object leads to.
	OnChange v1alpha1.ConfigurationChange
	// Version is the hash that the content is pinned to; empty to follow the object.
	Version string
	// Field is where the entry stands, such as "spec.configuration.configMaps[0]".
	Field string
}

// References lists spec.configuration, ConfigMaps first. There may be none.
func References(c *v1alpha1.Configuration) []Reference {
	if c == nil {
		return nil
	}
	var out []Reference
	add := func(kind, field string, list []v1alpha1.ConfigurationReference) {
		for i, r := range list {
			out = append(out, Reference{
				Object: Object{Kind: kind, Name: r.Name}, OnChange: r.OnChangeOrDefault(), Version: r.Version,
				Field: fmt.Sprintf("spec.configuration.%s[%d]", field, i),
			})
		}
	}
	add(v1alpha1.KindConfigMap, "configMaps", c.ConfigMaps)
	add(v1alpha1.KindSecret, "secrets", c.Secrets)
	return out
}

// Tracked says whether the content of the object matters at all.
func (r Reference) Tracked() bool { return r.OnChange != v1alpha1.ConfigurationChangeIgnore }

// Copied says whether each revision has a copy of the content.
func (r Reference) Copied() bool { return r.OnChange == v1alpha1.ConfigurationChangeRelease }

// CopyOf is the copy of a content that a Rollout makes for its revisions.
func CopyOf(o Object, rollout, hash string) Object {
	return Object{Kind: o.Kind, Name: revision.CopyName(o.Name, rollout, hash)}
}

// Problem is something that a person must mend.
type Problem struct {
	// Reason is a constant of v1alpha1.
	Reason string
	// Field is the path of the field that is wrong.
	Field string
	// Message says what is wrong and what to write instead.
	Message string
}

// Resolution is a pod template with its configuration.
type Resolution struct {
	// Template is the template to run: the one that was given, with the names of copies.
	Template []byte
	// Hashes are those of every tracked content that is known.
	Hashes map[Object]string
	// Versions are the hashes of the contents that are part of the revision.
	Versions map[Object]string
	// Problems are what is wrong. While there is one that keeps a name from being known, Template is nil.
	Problems []Problem
}

// Found is what is known of the content of an object.
type Found struct {
	// Hash of the content; empty when the object does not exist, or its content cannot be known.
	Hash string
	// Unknown says that it cannot be known whether the object exists: the reason is told elsewhere.
	Unknown bool
}

// Resolve finds the template to run for a Rollout of the given name, from its pod template as JSON, its references, and
// what is known of the contents of the tracked ones.
func Resolve(rollout string, template []byte, references []Reference, contents map[Object]Found) (Resolution, error) {
	uses, err := Uses(template)
	if err != nil {
		return Resolution{}, err
	}
	out := resolution{uses: uses, names: map[Object]string{}, complete: true}
	out.Hashes, out.Versions = map[Object]string{}, map[Object]string{}
	for _, r := range references {
		if err := out.add(rollout, r, contents[r.Object]); err != nil {
			return Resolution{}, err
		}
	}
	if out.complete {
		out.Template, err = rename(template, uses, out.names)
	}
	return out.Resolution, err
}

// resolution is a Resolution that is being made.
type resolution struct {
	Resolution
	uses     []Use
	names    map[Object]string // of copies
	complete bool              // every name is known
}

// add takes in one reference.
func (out *resolution) add(rollout string, r Reference, found Found) error {
	used, optional := usesOf(out.uses, r.Object)
	if !used {
		out.Problems = append(out.Problems, unused(r))
	}
	if !used || !r.Tracked() {
		return nil
	}
	hash, err := version(found, r, optional)
	if err != nil {
		return err
	}
	if hash == "" {
		out.complete = out.complete && !r.Copied()
		if !found.Unknown {
			out.Problems = append(out.Problems, notFound(r))
		}
		return nil
	}
	out.Hashes[r.Object] = hash
	if r.Copied() {
		out.Versions[r.Object] = hash
		out.names[r.Object] = CopyOf(r.Object, rollout, hash).Name
	}
	return nil
}

// WithVersions gives the template that a revision was made of, from its template as it was written and from the contents that
// it was made with, as v1alpha1.ConfigurationVersions gives them.
func WithVersions(rollout string, template []byte, versions map[string]string) ([]byte, error) {
	if len(versions) == 0 {
		return template, nil
	}
	uses, err := Uses(template)
	if err != nil {
		return nil, err
	}
	names := map[Object]string{}
	for _, use := range uses {
		if hash := versions[use.Key()]; hash != "" {
			names[use.Object] = CopyOf(use.Object, rollout, hash).Name
		}
	}
	return rename(template, uses, names)
}

// usesOf says whether a template uses an object, and whether pods start without it.
func usesOf(uses []Use, o Object) (used, optional bool) {
	optional = true
	for _, use := range uses {
		if use.Object == o {
			used, optional = true, optional && use.Optional
		}
	}
	return used, optional
}

// version is the hash of a content; empty when there is none and pods cannot do without it.
func version(found Found, r Reference, optional bool) (string, error) {
	absent, err := HashAbsent(r.Kind)
	if err != nil || found.Unknown {
		return "", err
	}
	if optional && (found.Hash == "" && r.Version == "" || r.Version == absent) {
		return absent, nil
	}
	return found.Hash, nil
}

func unused(r Reference) Problem {
	return Problem{Reason: v1alpha1.ReasonConfigurationInvalid, Field: r.Field + ".name", Message: fmt.Sprintf(
		"no part of spec.template uses %s %q: name it there in envFrom, in env or in a volume, or remove it here", r.Kind, r.Name)}
}

func notFound(r Reference) Problem {
	if r.Version != "" {
		return Problem{Reason: v1alpha1.ReasonConfigurationNotFound, Field: r.Field + ".version", Message: fmt.Sprintf(
			"there is no copy of %s %q with the hash %q: write one of status.configuration[].versions, or remove version to follow "+
				"the object", r.Kind, r.Name, r.Version)}
	}
	return Problem{Reason: v1alpha1.ReasonConfigurationNotFound, Field: r.Field + ".name", Message: fmt.Sprintf(
		"%s %q does not exist: create it, or mark its uses in spec.template as optional", r.Kind, r.Name)}
}

// Differing lists the objects of which two revisions have different contents, in the order of the references. It is empty
// when anything else tells the two apart as well: then it was not the content alone that changed. The revisions are given by
// their templates as written and by what v1alpha1.ConfigurationVersions says of them.
func Differing(references []Reference, from, to map[string]string) []string {
	copied := 0
	var out []string
	for _, r := range references {
		if !r.Copied() {
			continue
		}
		copied++
		old, known := from[r.Key()]
		switch {
		case !known:
			return nil // it has only just been named
		case old != to[r.Key()] && r.Version != "":
			return nil // a person chose the content
		case old != to[r.Key()]:
			out = append(out, r.String())
		}
	}
	if copied != len(from) {
		return nil
	}
	return slices.Clip(out)
}
