package configuration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

func configMap(name string) Object { return Object{Kind: v1alpha1.KindConfigMap, Name: name} }

func secret(name string) Object { return Object{Kind: v1alpha1.KindSecret, Name: name} }

// everyUse has each kind of use once, with names that say where they stand, and things that are no use.
const everyUse = `{"metadata":{"labels":{"app":"web"},"annotations":{"configMap":"a"}},"spec":{
	"imagePullSecrets":[{"name":"pull"}],"serviceAccountName":"a",
	"initContainers":[{"name":"a","envFrom":[{"configMapRef":{"name":"init-from"}}],"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"init-env","key":"k"}}}]}],
	"containers":[{"name":"a","image":"a",
		"envFrom":[{"prefix":"P_","configMapRef":{"name":"from","optional":true}},{"secretRef":{"name":"from-secret"}}],
		"env":[{"name":"A","value":"a"},{"name":"B","valueFrom":{"configMapKeyRef":{"key":"k","name":"env","optional":false}}},
			{"name":"C","valueFrom":{"secretKeyRef":{"name":"env-secret","key":"k"}}},{"name":"D","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]},
		{"name":"b","envFrom":[{"configMapRef":{"name":"from"}}]}],
	"volumes":[{"name":"v","configMap":{"name":"volume","items":[{"key":"a","path":"b"}]}},{"name":"w","secret":{"secretName":"volume-secret","optional":true}},
		{"name":"x","projected":{"sources":[{"configMap":{"name":"projected"}},{"secret":{"name":"projected-secret"}},{"serviceAccountToken":{"path":"t"}}]}},
		{"name":"y","csi":{"driver":"d","nodePublishSecretRef":{"name":"csi"}}},{"name":"z","emptyDir":{}}],
	"fromTheFuture":{"configMapRef":{"name":"from"}}}}`

func TestUses(t *testing.T) {
	found, err := Uses([]byte(everyUse))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, use := range found {
		got = append(got, fmt.Sprintf("%s %s optional=%v", use.Object, use.Field, use.Optional))
	}
	want := []string{
		"ConfigMap init-from spec.initContainers[0].envFrom[0].configMapRef.name optional=false",
		"Secret init-env spec.initContainers[0].env[0].valueFrom.secretKeyRef.name optional=false",
		"ConfigMap from spec.containers[0].envFrom[0].configMapRef.name optional=true",
		"Secret from-secret spec.containers[0].envFrom[1].secretRef.name optional=false",
		"ConfigMap env spec.containers[0].env[1].valueFrom.configMapKeyRef.name optional=false",
		"Secret env-secret spec.containers[0].env[2].valueFrom.secretKeyRef.name optional=false",
		"ConfigMap from spec.containers[1].envFrom[0].configMapRef.name optional=false",
		"ConfigMap volume spec.volumes[0].configMap.name optional=false",
		"Secret volume-secret spec.volumes[1].secret.secretName optional=true",
		"ConfigMap projected spec.volumes[2].projected.sources[0].configMap.name optional=false",
		"Secret projected-secret spec.volumes[2].projected.sources[1].secret.name optional=false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestUsesOfOddTemplates holds that a template that is wrong, which the API server says better, is no reason to fail.
func TestUsesOfOddTemplates(t *testing.T) {
	for name, template := range map[string]string{
		"empty":              `{}`,
		"no list":            `{"spec":{"containers":{"envFrom":1},"volumes":"v"}}`,
		"null":               `{"spec":null}`,
		"no name":            `{"spec":{"volumes":[{"configMap":{}},{"configMap":null},{"configMap":{"name":1}},{"configMap":{"name":""}}]}}`,
		"another capital":    `{"spec":{"volumes":[{"configmap":{"name":"a"}},{"configMap":{"Name":"a"}}]}}`,
		"a list of a list":   `{"spec":{"volumes":[[{"configMap":{"name":"a"}}]]}}`,
		"optional is a word": `{"spec":{"volumes":[null,1,"configMap"]}}`,
	} {
		if found, err := Uses([]byte(template)); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	for name, template := range map[string]string{"nothing": ``, "broken": `{"spec":`, "two": `{}{}`, "cut": `[1,`, "no colon": `{"a"}`} {
		if _, err := Uses([]byte(template)); err == nil || !strings.Contains(err.Error(), "spec.template: it is not JSON") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestRenameKeepsEveryOtherByte(t *testing.T) {
	uses, err := Uses([]byte(everyUse))
	if err != nil {
		t.Fatal(err)
	}
	got, err := rename([]byte(everyUse), uses, map[Object]string{configMap("from"): "from-web-bcd", secret("volume-secret"): "volume-secret-web-fgh"})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		`"envFrom":[{"prefix":"P_","configMapRef":{"name":"from",`, `"envFrom":[{"prefix":"P_","configMapRef":{"name":"from-web-bcd",`,
		`"envFrom":[{"configMapRef":{"name":"from"}}]`, `"envFrom":[{"configMapRef":{"name":"from-web-bcd"}}]`,
		`"secretName":"volume-secret"`, `"secretName":"volume-secret-web-fgh"`).Replace(everyUse)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// TestRenameOfRandomTemplates writes templates with random white space, escapes, unknown fields and keys in any order, and
// holds that renaming there and back gives the same bytes, and that what is between was really renamed.
func TestRenameOfRandomTemplates(t *testing.T) {
	for seed := range uint64(2000) {
		w := writer{rand.New(rand.NewPCG(seed, 1))}
		template := w.template()
		uses, err := Uses([]byte(template))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, template)
		}
		if want := strings.Count(template, `"tracked"`) + strings.Count(template, `"\u0061other"`); len(uses) != want {
			t.Fatalf("seed %d: %d uses, want %d:\n%s", seed, len(uses), want, template)
		}
		there, err := rename([]byte(template), uses, map[Object]string{configMap("tracked"): "copy", secret("tracked"): "copy"})
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.ReplaceAll(template, `"tracked"`, `"copy"`); string(there) != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, there, want)
		}
		if !json.Valid(there) {
			t.Fatalf("seed %d: no JSON:\n%s", seed, there)
		}
	}
}

// writer writes JSON as people and programs do.
type writer struct{ *rand.Rand }

func (w writer) space() string {
	return []string{"", "", " ", "\n\t", "\r\n  "}[w.IntN(5)]
}

func (w writer) object(fields ...string) string {
	for range w.IntN(3) {
		fields = append(fields, []string{`"x,:":"{[\"\\\u00e9"`, `"y":[1e3,{"name":"other"},null]`, `"z":-0.50`, `"é":true`}[w.IntN(4)])
	}
	w.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return "{" + w.space() + strings.Join(fields, w.space()+","+w.space()) + w.space() + "}"
}

func (w writer) field(key, value string) string {
	return `"` + key + `"` + w.space() + ":" + w.space() + value
}

func (w writer) list(item func() string) string {
	var items []string
	for range w.IntN(4) {
		items = append(items, item())
	}
	return "[" + w.space() + strings.Join(items, w.space()+","+w.space()) + w.space() + "]"
}

func (w writer) template() string {
	name := func() string { return w.field("name", []string{`"tracked"`, `"\u0061other"`}[w.IntN(2)]) }
	source := func() string {
		return w.object(w.field([]string{"configMapRef", "secretRef"}[w.IntN(2)], w.object(name())))
	}
	variable := func() string {
		return w.object(w.field("valueFrom", w.object(w.field([]string{"configMapKeyRef", "secretKeyRef"}[w.IntN(2)], w.object(name())))))
	}
	container := func() string {
		return w.object(w.field("envFrom", w.list(source)), w.field("env", w.list(variable)))
	}
	volume := func() string { return w.object(w.field("configMap", w.object(name()))) }
	spec := w.object(w.field("containers", w.list(container)), w.field("initContainers", w.list(container)), w.field("volumes", w.list(volume)))
	return w.space() + w.object(w.field("spec", spec)) + w.space()
}
