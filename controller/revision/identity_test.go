package revision

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goldenFile = "testdata/hashes.json"

// golden is a template and the hash it has had since it was written down.
type golden struct {
	Name           string          `json:"name"`
	CollisionCount int32           `json:"collisionCount,omitempty"`
	Hash           string          `json:"hash"`
	Template       json.RawMessage `json:"template"`
}

// A hash that changes restarts every pod of every Rollout when the controller is upgraded: a pair may be added to the
// file, and none may ever change.
func TestHashNeverChanges(t *testing.T) {
	pairs := readGolden(t)
	if len(pairs) < 28 {
		t.Fatalf("%s has %d pairs, want at least 28", goldenFile, len(pairs))
	}
	for _, pair := range pairs {
		t.Run(pair.Name, func(t *testing.T) {
			got, err := Hash(pair.Template, pair.CollisionCount)
			if err != nil {
				t.Fatal(err)
			}
			if got != pair.Hash {
				t.Errorf("Hash = %s, want %s: an upgrade would restart every pod", got, pair.Hash)
			}
		})
	}
}

func TestHashesOfTheFileDiffer(t *testing.T) {
	same := map[string]string{}
	for _, pair := range readGolden(t) {
		canonical, err := Canonical(pair.Template)
		if err != nil {
			t.Fatal(err)
		}
		other, ok := same[pair.Hash]
		if ok && other != string(canonical) {
			t.Errorf("%s: hash %s belongs to two templates", pair.Name, pair.Hash)
		}
		same[pair.Hash] = string(canonical)
	}
}

func readGolden(t *testing.T) []golden {
	t.Helper()
	data, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []golden
	if err := json.Unmarshal(data, &pairs); err != nil {
		t.Fatal(err)
	}
	return pairs
}

func TestHashOfEqualTemplates(t *testing.T) {
	const base = `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`
	want := mustHash(t, base, 0)
	if !regexp.MustCompile(`^[bcdfghjklmnpqrstvwxz2456789]{10}$`).MatchString(want) {
		t.Errorf("hash %q is not ten safe characters", want)
	}
	equal := map[string]string{
		"order of keys": `{"spec":{"containers":[{"image":"a:1","args":["<&>"],"name":"a"}]},"metadata":{"labels":{"app":"web"}}}`,
		"white space":   "{\n \"metadata\": {\"labels\": {\"app\": \"web\"}}, \"spec\": {\"containers\": [{\"name\": \"a\", \"image\": \"a:1\", \"args\": [\"<&>\"]}]}}",
		"nulls":         `{"metadata":{"labels":{"app":"web"},"annotations":null},"spec":{"volumes":null,"containers":[{"name":"a","image":"a:1","args":["<&>"],"env":null}]}}`,
		"null creation": `{"metadata":{"creationTimestamp":null,"labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`,
		"creation":      `{"metadata":{"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`,
		"escapes":       `{"metadata":{"labels":{"app":"\u0077eb"}},"spec":{"containers":[{"name":"a","image":"a:1","args":["\u003c\u0026\u003e"]}]}}`,
	}
	for name, template := range equal {
		if got := mustHash(t, template, 0); got != want {
			t.Errorf("%s: hash %s, want %s", name, got, want)
		}
	}
	different := map[string]string{
		"image":            `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"a:2","args":["<&>"]}]}}`,
		"unknown field":    `{"metadata":{"labels":{"app":"web"}},"spec":{"fromTheFuture":1,"containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`,
		"null in a list":   `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"a:1","args":["<&>",null]}]}}`,
		"empty list":       `{"metadata":{"labels":{"app":"web"}},"spec":{"volumes":[],"containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`,
		"inner creation":   `{"metadata":{"labels":{"app":"web"}},"spec":{"creationTimestamp":"x","containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`,
		"order in a list":  `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"a:1","args":[">&<"]}]}}`,
		"number as string": `{"metadata":{"labels":{"app":"web"}},"spec":{"priority":"1","containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`,
		"number":           `{"metadata":{"labels":{"app":"web"}},"spec":{"priority":1,"containers":[{"name":"a","image":"a:1","args":["<&>"]}]}}`,
	}
	seen := map[string]string{want: "base"}
	for name, template := range different {
		got := mustHash(t, template, 0)
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same hash %s", name, other, got)
		}
		seen[got] = name
	}
}

func TestHashCountsCollisions(t *testing.T) {
	const template = `{"spec":{}}`
	seen := map[string]int32{}
	for count := range int32(100) {
		got := mustHash(t, template, count)
		if other, ok := seen[got]; ok {
			t.Errorf("collision counts %d and %d give the same hash", count, other)
		}
		seen[got] = count
	}
}

func TestHashRefuses(t *testing.T) {
	tests := map[string]struct{ template, want string }{
		"nothing":    {template: " ", want: "the template is empty"},
		"a list":     {template: `[]`, want: "the template is not an object"},
		"null":       {template: `null`, want: "the template is not an object"},
		"broken":     {template: `{`, want: "the template is not JSON: unexpected end of JSON input"},
		"two values": {template: `{}{}`, want: "the template is not JSON: invalid character '{' after top-level value"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Hash([]byte(tt.template), 0)
			if err == nil {
				t.Fatal("want an error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func mustHash(t *testing.T, template string, collisionCount int32) string {
	t.Helper()
	hash, err := Hash([]byte(template), collisionCount)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestPairsOfTheFileThatMeanTheSame holds which ways of writing a template are one revision, and which only look alike.
func TestPairsOfTheFileThatMeanTheSame(t *testing.T) {
	hash := map[string]string{}
	for _, pair := range readGolden(t) {
		hash[pair.Name] = pair.Hash
	}
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"a whole number", "the same number with a fraction of zero", true},
		{"a whole number", "the same number with an exponent", true},
		{"letters of many alphabets", "the same letters, escaped", true},
		{"letters of many alphabets", "composed letters are others", false},
		{"smallest", "the smallest, with the defaults of the API server", false},
	} {
		if same := hash[row.a] == hash[row.b]; same != row.want {
			t.Errorf("%q and %q have one hash: %v, want %v", row.a, row.b, same, row.want)
		}
	}
}
