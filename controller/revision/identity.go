// Package revision names things: the identity of a revision, and the objects that belong to one.
//
// A revision is one pod template. Its identity is a hash of the template as canonical JSON, taken from what the user
// wrote and not from a Go type: a field that this version does not know counts, and a new version of Sluice, or of the
// Kubernetes libraries, changes no hash. A controller that hashes a struct restarts every pod in the cluster on the day
// that the struct gains a field. A file of template and hash pairs in testdata holds this for ever.
//
// Every name follows from what it names, so that making an object twice gives one object.
package revision

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	stdjson "encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"
)

// HashLength is the number of characters of a hash.
const HashLength = 10

// alphabet has 27 characters: no vowels and nothing that looks like one, so that no hash is a word. Ten of them are
// 47.5 bits: a million revisions of one Rollout collide once in 400 times.
const alphabet = "bcdfghjklmnpqrstvwxz2456789"

// Hash is the identity of a pod template, given as JSON. Order of keys, white space, nulls and
// metadata.creationTimestamp (which some clients write as null, and some not at all) do not count; everything else does.
// A collision count above 0 gives another hash for the same template, for when a stranger's ReplicaSet has the name.
func Hash(template []byte, collisionCount int32) (string, error) {
	canonical, err := Canonical(template)
	if err != nil {
		return "", err
	}
	if collisionCount > 0 {
		canonical = fmt.Appendf(canonical, "#%d", collisionCount)
	}
	return encode(canonical), nil
}

// Canonical is a pod template as JSON with sorted keys, without white space, nulls and metadata.creationTimestamp.
func Canonical(template []byte) ([]byte, error) {
	if len(bytes.TrimSpace(template)) == 0 {
		return nil, errors.New("the template is empty")
	}
	var decoded any
	if err := json.Unmarshal(template, &decoded); err != nil {
		return nil, fmt.Errorf("the template is not JSON: %w", err)
	}
	object, ok := decoded.(map[string]any)
	if !ok {
		return nil, errors.New("the template is not an object")
	}
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "creationTimestamp")
	}
	var out bytes.Buffer
	encoder := stdjson.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(withoutNulls(object)); err != nil {
		return nil, fmt.Errorf("the template cannot be written as JSON: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// withoutNulls drops the keys of maps whose value is null. A null in a list stays: dropping it would move the others.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner == nil {
				delete(v, key)
				continue
			}
			v[key] = withoutNulls(inner)
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return value
}

// encode writes the first 8 bytes of the SHA-256 sum in the alphabet, its last digits first.
func encode(data []byte) string {
	sum := sha256.Sum256(data)
	n := binary.BigEndian.Uint64(sum[:8])
	out := make([]byte, HashLength)
	for i := range out {
		out[i] = alphabet[n%uint64(len(alphabet))]
		n /= uint64(len(alphabet))
	}
	return string(out)
}
