package configuration

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// contents is a content and the hash that it has had since it was written down.
type contents struct {
	Name      string            `json:"name"`
	Hash      string            `json:"hash"`
	ConfigMap *corev1.ConfigMap `json:"configMap,omitempty"`
	Secret    *corev1.Secret    `json:"secret,omitempty"`
	Absent    string            `json:"absent,omitempty"`
}

// TestHashesOfContentNeverChange holds that an upgrade of the controller is no change of content: it would release every
// Rollout that tracks one. A pair may be added to the file, and none may ever change.
func TestHashesOfContentNeverChange(t *testing.T) {
	text, err := os.ReadFile("testdata/hashes.json")
	if err != nil {
		t.Fatal(err)
	}
	var pairs []contents
	if err := json.Unmarshal(text, &pairs); err != nil {
		t.Fatal(err)
	}
	if len(pairs) < 10 {
		t.Fatalf("%d pairs, want at least 10", len(pairs))
	}
	seen := map[string]string{}
	for _, pair := range pairs {
		var got string
		switch {
		case pair.ConfigMap != nil:
			got, err = HashConfigMap(pair.ConfigMap)
		case pair.Secret != nil:
			got, err = HashSecret(pair.Secret)
		default:
			got, err = HashAbsent(pair.Absent)
		}
		if err != nil || got != pair.Hash {
			t.Errorf("%s: hash %s, %v; want %s", pair.Name, got, err, pair.Hash)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same hash", pair.Name, other)
		}
		seen[got] = pair.Name
	}
}

// TestWhatIsNoContent holds that metadata does not count, nor whether an empty map was written.
func TestWhatIsNoContent(t *testing.T) {
	plain := &corev1.ConfigMap{Data: map[string]string{"a": "1"}}
	other := plain.DeepCopy()
	other.Name, other.UID, other.ResourceVersion, other.Labels = "x", "uid", "7", map[string]string{"a": "b"}
	other.BinaryData, other.Immutable = map[string][]byte{}, new(true)
	want, _ := HashConfigMap(plain)
	if got, err := HashConfigMap(other); err != nil || got != want {
		t.Errorf("hash %s, %v; want %s", got, err, want)
	}
}

func TestReferences(t *testing.T) {
	got := References(&v1alpha1.Configuration{
		ConfigMaps: []v1alpha1.ConfigurationReference{{Name: "a"}, {Name: "b", OnChange: v1alpha1.ConfigurationChangeIgnore}},
		Secrets:    []v1alpha1.ConfigurationReference{{Name: "c", OnChange: v1alpha1.ConfigurationChangeRelease, Version: "bcd"}},
	})
	want := []Reference{
		{Object: configMap("a"), OnChange: v1alpha1.ConfigurationChangeRelease, Field: "spec.configuration.configMaps[0]"},
		{Object: configMap("b"), OnChange: v1alpha1.ConfigurationChangeIgnore, Field: "spec.configuration.configMaps[1]"},
		{Object: secret("c"), OnChange: v1alpha1.ConfigurationChangeRelease, Version: "bcd", Field: "spec.configuration.secrets[0]"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := References(nil); got != nil {
		t.Errorf("of nothing %v", got)
	}
}

func TestResolve(t *testing.T) {
	const (
		required = `{"spec":{"containers":[{"envFrom":[{"configMapRef":{"name":"a"}}]}]}}`
		optional = `{"spec":{"containers":[{"envFrom":[{"configMapRef":{"name":"a","optional":true}}]}]}}`
		mixed    = `{"spec":{"containers":[{"envFrom":[{"configMapRef":{"name":"a","optional":true}},{"configMapRef":{"name":"a"}}]}]}}`
	)
	absent, err := HashAbsent(v1alpha1.KindConfigMap)
	if err != nil {
		t.Fatal(err)
	}
	reference := func(change v1alpha1.ConfigurationChange, version string) Reference {
		return Reference{Object: configMap("a"), OnChange: change, Version: version, Field: "spec.configuration.configMaps[0]"}
	}
	release, restart, ignore := v1alpha1.ConfigurationChangeRelease, v1alpha1.ConfigurationChangeRestart, v1alpha1.ConfigurationChangeIgnore
	copied := func(template, hash string) string {
		return strings.ReplaceAll(template, `"name":"a"`, fmt.Sprintf(`"name":"a-web-%s"`, hash))
	}
	for name, tt := range map[string]struct {
		template  string
		reference Reference
		found     Found
		want      string // the template; empty when it cannot be known
		problem   string
	}{
		"released":                      {required, reference(release, ""), Found{Hash: "bcd"}, copied(required, "bcd"), ""},
		"every use of it":               {mixed, reference(release, ""), Found{Hash: "bcd"}, copied(mixed, "bcd"), ""},
		"pinned":                        {required, reference(release, "bcd"), Found{Hash: "bcd"}, copied(required, "bcd"), ""},
		"restarted":                     {required, reference(restart, ""), Found{Hash: "bcd"}, required, ""},
		"ignored":                       {required, reference(ignore, ""), Found{}, required, ""},
		"missing":                       {required, reference(release, ""), Found{}, "", `spec.configuration.configMaps[0].name: ConfigMap "a" does not exist: create it`},
		"missing, of a restart":         {required, reference(restart, ""), Found{}, required, `ConfigMap "a" does not exist: create it`},
		"missing and optional":          {optional, reference(release, ""), Found{}, copied(optional, absent), ""},
		"missing and optional, restart": {optional, reference(restart, ""), Found{}, optional, ""},
		"missing, one use needs it":     {mixed, reference(release, ""), Found{}, "", `ConfigMap "a" does not exist`},
		"pinned to nothing":             {optional, reference(release, absent), Found{Hash: "bcd"}, copied(optional, absent), ""},
		"pinned to nothing, needed":     {required, reference(release, absent), Found{}, "", `spec.configuration.configMaps[0].version: there is no copy`},
		"pinned to what is gone":        {optional, reference(release, "fgh"), Found{}, "", "or remove version to follow the object"},
		"not to be read":                {required, reference(release, ""), Found{Unknown: true}, "", ""},
		"not to be read, optional":      {optional, reference(release, ""), Found{Unknown: true}, "", ""},
		"unused":                        {`{"spec":{}}`, reference(release, ""), Found{Hash: "bcd"}, `{"spec":{}}`, `spec.configuration.configMaps[0].name: no part of spec.template uses ConfigMap "a": name it there`},
		"unused and ignored":            {`{"spec":{}}`, reference(ignore, ""), Found{}, `{"spec":{}}`, "or remove it here"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve("web", []byte(tt.template), []Reference{tt.reference}, map[Object]Found{tt.reference.Object: tt.found})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got.Template)); diff != "" {
				t.Error(diff)
			}
			told := ""
			for _, p := range got.Problems {
				told += p.Field + ": " + p.Message
			}
			if !strings.Contains(told, tt.problem) || tt.problem == "" && told != "" {
				t.Errorf("problem %q, want %q", told, tt.problem)
			}
		})
	}
	if _, err := Resolve("web", []byte(`{`), nil, nil); err == nil {
		t.Error("a template that is no JSON passes")
	}
}

func TestCopyOf(t *testing.T) {
	if got, want := CopyOf(configMap("web-config"), "web", "bcdfghjklm"), configMap("web-config-web-bcdfghjklm"); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	long := strings.Repeat("a", 253)
	got := CopyOf(secret(long), long, "bcdfghjklm").Name
	if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 || !strings.HasSuffix(got, "-bcdfghjklm") {
		t.Errorf("%q: %v", got, problems)
	}
}

func TestDiffering(t *testing.T) {
	references := func(versions ...string) []Reference {
		out := []Reference{{Object: secret("restarted"), OnChange: v1alpha1.ConfigurationChangeRestart}}
		for i, version := range versions {
			out = append(out, Reference{Object: configMap([]string{"a", "b"}[i]), OnChange: v1alpha1.ConfigurationChangeRelease, Version: version})
		}
		return out
	}
	old := map[string]string{"ConfigMap/a": "1", "ConfigMap/b": "1"}
	for name, tt := range map[string]struct {
		references []Reference
		from, to   map[string]string
		want       []string
	}{
		"nothing":         {references("", ""), old, old, nil},
		"one":             {references("", ""), old, map[string]string{"ConfigMap/a": "1", "ConfigMap/b": "2"}, []string{"ConfigMap b"}},
		"both":            {references("", ""), old, map[string]string{"ConfigMap/a": "2", "ConfigMap/b": "2"}, []string{"ConfigMap a", "ConfigMap b"}},
		"newly named":     {references("", ""), map[string]string{"ConfigMap/a": "1"}, map[string]string{"ConfigMap/a": "2", "ConfigMap/b": "2"}, nil},
		"named no more":   {references(""), old, map[string]string{"ConfigMap/a": "2"}, nil},
		"chosen":          {references("2", ""), old, map[string]string{"ConfigMap/a": "2", "ConfigMap/b": "2"}, nil},
		"chosen the same": {references("1", ""), old, map[string]string{"ConfigMap/a": "1", "ConfigMap/b": "2"}, []string{"ConfigMap b"}},
	} {
		if diff := cmp.Diff(tt.want, Differing(tt.references, tt.from, tt.to)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
