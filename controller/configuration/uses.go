package configuration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Object names a ConfigMap or a Secret in the namespace of a Rollout.
type Object struct {
	// Kind is ConfigMap or Secret.
	Kind string
	// Name of the object.
	Name string
}

// String is for people: "ConfigMap web-config".
func (o Object) String() string { return o.Kind + " " + o.Name }

// Key is for maps in annotations and for indexes: "ConfigMap/web-config".
func (o Object) Key() string { return o.Kind + "/" + o.Name }

// Use is one place in a pod template that refers to a ConfigMap or a Secret.
type Use struct {
	Object
	// Field is where, such as "spec.volumes[0].configMap.name".
	Field string
	// Optional says that a pod starts without the object.
	Optional bool
	// start and end are where the name stands in the JSON, with its quotes.
	start, end int
}

// Uses finds every place in a pod template, given as JSON, that refers to a ConfigMap or a Secret for what containers
// read: envFrom, env and volumes, of init containers too. Credentials for pulling images and for mounting other kinds of
// volumes are not read by containers, and are no configuration.
func Uses(template []byte) ([]Use, error) {
	root, err := parse(template)
	if err != nil {
		return nil, fmt.Errorf("spec.template: %w", err)
	}
	spec := root.at("spec")
	f := finder{}
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for i, c := range spec.at(list).items {
			f.container(c, fmt.Sprintf("spec.%s[%d]", list, i))
		}
	}
	for i, v := range spec.at("volumes").items {
		f.volume(v, fmt.Sprintf("spec.volumes[%d]", i))
	}
	return f.found, nil
}

// finder gathers uses.
type finder struct{ found []Use }

func (f *finder) container(c *node, path string) {
	for i, source := range c.at("envFrom").items {
		at := fmt.Sprintf("%s.envFrom[%d]", path, i)
		f.reference(v1alpha1.KindConfigMap, source.at("configMapRef"), "name", at+".configMapRef")
		f.reference(v1alpha1.KindSecret, source.at("secretRef"), "name", at+".secretRef")
	}
	for i, variable := range c.at("env").items {
		from, at := variable.at("valueFrom"), fmt.Sprintf("%s.env[%d].valueFrom", path, i)
		f.reference(v1alpha1.KindConfigMap, from.at("configMapKeyRef"), "name", at+".configMapKeyRef")
		f.reference(v1alpha1.KindSecret, from.at("secretKeyRef"), "name", at+".secretKeyRef")
	}
}

func (f *finder) volume(v *node, path string) {
	f.reference(v1alpha1.KindConfigMap, v.at("configMap"), "name", path+".configMap")
	f.reference(v1alpha1.KindSecret, v.at("secret"), "secretName", path+".secret")
	for i, source := range v.at("projected").at("sources").items {
		at := fmt.Sprintf("%s.projected.sources[%d]", path, i)
		f.reference(v1alpha1.KindConfigMap, source.at("configMap"), "name", at+".configMap")
		f.reference(v1alpha1.KindSecret, source.at("secret"), "name", at+".secret")
	}
}

// reference notes a reference that names something.
func (f *finder) reference(kind string, ref *node, key, path string) {
	name := ref.at(key)
	text, ok := name.scalar().(string)
	if !ok || text == "" {
		return
	}
	optional, _ := ref.at("optional").scalar().(bool)
	f.found = append(f.found, Use{
		Object: Object{Kind: kind, Name: text}, Field: path + "." + key, Optional: optional, start: name.start, end: name.end,
	})
}

// rename writes other names in the places of some uses; every other byte stays.
func rename(template []byte, uses []Use, names map[Object]string) ([]byte, error) {
	sorted := slices.Clone(uses)
	slices.SortFunc(sorted, func(a, b Use) int { return a.start - b.start })
	var out bytes.Buffer
	last := 0
	for _, use := range sorted {
		name, ok := names[use.Object]
		if !ok {
			continue
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		out.Write(template[last:use.start])
		out.Write(quoted)
		last = use.end
	}
	out.Write(template[last:])
	return out.Bytes(), nil
}

// node is a value of a JSON text, and where it stands there. A missing value is nil, and every method works on it.
type node struct {
	fields     map[string]*node
	items      []*node
	value      any
	start, end int
}

// missing is what is found where there is nothing.
func missing() *node { return &node{} }

func (n *node) at(key string) *node {
	if found, ok := n.fields[key]; ok {
		return found
	}
	return missing()
}

func (n *node) scalar() any { return n.value }

// parse reads a JSON text. Of a key that stands twice the last counts, as for the API server.
func parse(text []byte) (*node, error) {
	p := parser{text: text, decoder: json.NewDecoder(bytes.NewReader(text))}
	p.decoder.UseNumber()
	root, err := p.next()
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := p.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is not JSON: there is more than one value")
	}
	return root, nil
}

type parser struct {
	text    []byte
	decoder *json.Decoder
}

// next reads one value.
func (p *parser) next() (*node, error) {
	start := int(p.decoder.InputOffset())
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	// Before a value stand white space and the comma or colon that leads to it.
	start += len(p.text[start:]) - len(bytes.TrimLeft(p.text[start:], " \t\r\n,:"))
	n := &node{start: start}
	switch token {
	case json.Delim('{'):
		err = p.object(n)
	case json.Delim('['):
		err = p.list(n)
	default:
		n.value = token
	}
	n.end = int(p.decoder.InputOffset())
	return n, err
}

func (p *parser) object(n *node) error {
	n.fields = map[string]*node{}
	for p.decoder.More() {
		key, err := p.decoder.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("%v is no key", key)
		}
		if n.fields[name], err = p.next(); err != nil {
			return err
		}
	}
	_, err := p.decoder.Token()
	return err
}

func (p *parser) list(n *node) error {
	for p.decoder.More() {
		item, err := p.next()
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	_, err := p.decoder.Token()
	return err
}
