package env

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// published is a file of definitions of a module that this one does not require, as no code of it is used. Its digest is here
// instead of in go.sum.
type published struct {
	module, sum, file string
	// names of the definitions that are used.
	names []string
}

// publishedDefinitions are those of the kinds that share traffic, beside routes of the Gateway API.
func publishedDefinitions() []published {
	return []published{
		{
			module: "istio.io/api@v1.24.2", sum: "h1:jYjcN6Iq0RPtQj/3KMFsybxmfqmjGN/dxhL7FGJEdIM=",
			file: "kubernetes/customresourcedefinitions.gen.yaml", names: []string{"virtualservices.networking.istio.io"},
		},
		{
			module: "github.com/traefik/traefik/v3@v3.6.12", sum: "h1:6pe4s7aaDTQs+AsF7KP3sM/xnq7zOVvibRQe5tw9eFo=",
			file:  "docs/content/reference/dynamic-configuration/traefik.io_traefikservices.yaml",
			names: []string{"traefikservices.traefik.io"},
		},
	}
}

// read gives the definitions that are used.
func (p published) read(ctx context.Context) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	folder, err := p.download(ctx)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(p.file)))
	if err != nil {
		return nil, err
	}
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, part := range bytes.Split(text, []byte("\n---\n")) {
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(part, definition); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", p.file, p.module, err)
		}
		if slices.Contains(p.names, definition.Name) {
			out = append(out, definition)
		}
	}
	if len(out) != len(p.names) {
		return nil, fmt.Errorf("%s of %s has %d of the definitions %s", p.file, p.module, len(out), strings.Join(p.names, ", "))
	}
	return out, nil
}

// download has the module in the module cache and gives its folder.
func (p published) download(ctx context.Context) (string, error) {
	command := exec.CommandContext(ctx, "go", "mod", "download", "-json", p.module)
	command.Dir = os.TempDir() // outside of any module, whose go.sum would be consulted
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	var got struct{ Dir, Sum, Error string }
	if e := json.Unmarshal(out, &got); e != nil || err != nil {
		return "", fmt.Errorf("download %s: %w: %s%s", p.module, err, got.Error, stderr.String())
	}
	if got.Sum != p.sum {
		return "", fmt.Errorf("download %s: its digest is %s instead of %s; do not use it", p.module, got.Sum, p.sum)
	}
	return got.Dir, nil
}
