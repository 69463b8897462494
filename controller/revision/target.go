package revision

import "slices"

// Known is a revision that has a ReplicaSet.
type Known struct {
	// Hash is what the revision is called.
	Hash string
	// Identity is the hash of the template, at a collision count of 0, of a revision whose ReplicaSet was adopted and has the hash
	// that somebody else gave it; empty for one that has its own.
	Identity string
	// Number orders revisions by age.
	Number int64
}

// Target is the revision that a template asks for, given as JSON, and the identity of that template. A template that has
// a ReplicaSet keeps its revision, also when a collision has changed the hash that a new ReplicaSet would get, or when the
// ReplicaSet was adopted: of two such, the one with the highest number. The error says that it is no template.
func Target(template []byte, known []Known, collisions int32) (target, identity string, err error) {
	if identity, err = Hash(template, 0); err != nil {
		return "", "", err
	}
	if hash := adopted(known, identity); hash != "" {
		return hash, identity, nil
	}
	for count := int32(0); ; count++ {
		if target, err = Hash(template, count); err != nil {
			return "", "", err
		}
		i := slices.IndexFunc(known, func(k Known) bool { return k.Hash == target })
		if i < 0 && count >= collisions || i >= 0 && known[i].Identity == "" { // one with an identity has another template
			return target, identity, nil
		}
	}
}

// adopted is the revision that was adopted with an identity, the latest of several; empty when there is none.
func adopted(known []Known, identity string) string {
	var found Known
	for _, k := range known {
		later := k.Number > found.Number || k.Number == found.Number && k.Hash < found.Hash
		if k.Identity == identity && (found.Hash == "" || later) {
			found = k
		}
	}
	return found.Hash
}
