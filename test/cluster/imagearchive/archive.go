// Package imagearchive makes a container image of one static program, without
// a container engine.
package imagearchive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nonroot is the user and group that images run as: the number that distroless
// images use. It is numeric because the kubelet cannot check runAsNonRoot
// against a name.
const nonroot = "65532:65532"

// certificatesPath is where Go's crypto/x509 looks first on Linux.
const certificatesPath = "etc/ssl/certs/ca-certificates.crt"

// Options say what to put in an image.
type Options struct {
	// Binary is the program's path. It becomes /NAME in the image, where NAME is
	// its base name.
	Binary string
	// Certificates is a file of certificate authorities, for a program that asks
	// https servers. Empty for none.
	Certificates string
}

// Image makes the image. The same binary and options give the same bytes:
// nothing in it depends on the time or the machine.
func Image(o Options) (v1.Image, error) {
	program, err := os.ReadFile(o.Binary)
	if err != nil {
		return nil, err
	}
	architecture, err := architectureOf(program)
	if err != nil {
		return nil, fmt.Errorf("%s %w", o.Binary, err)
	}
	files, err := certificates(o.Certificates)
	if err != nil {
		return nil, err
	}
	executable := filepath.Base(o.Binary)
	layer, err := layerOf(append(files, file{executable, 0o755, program}))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Created = v1.Time{Time: epoch()}
	config.Config.User = nonroot
	config.Config.Entrypoint = []string{"/" + executable}
	config.Config.WorkingDir = "/"
	return mutate.ConfigFile(image, config)
}

// WriteDocker writes the archive that "docker save" writes. containerd, docker
// load and kind load image-archive read it.
func WriteDocker(w io.Writer, reference string, image v1.Image) error {
	tag, err := parseTag(reference)
	if err != nil {
		return err
	}
	return tarball.Write(tag, image, w)
}

// parseTag reads an image's name and tag.
func parseTag(reference string) (name.Tag, error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return tag, fmt.Errorf("image name %q: use NAME:TAG, such as sluice.local/app:v1: %w", reference, err)
	}
	return tag, nil
}

// epoch is the time of everything in an image, so that equal content is equal.
func epoch() time.Time { return time.Unix(0, 0).UTC() }

// architectureOf tells what a program runs on, and refuses one that could not
// run in an image that holds nothing else.
func architectureOf(program []byte) (string, error) {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return "", fmt.Errorf("is no Linux program (%w); build it with GOOS=linux", err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return "", errors.New("needs a dynamic linker, which the image will not have; build it with CGO_ENABLED=0")
		}
	}
	switch file.Machine {
	case elf.EM_X86_64:
		return "amd64", nil
	case elf.EM_AARCH64:
		return "arm64", nil
	default:
		return "", fmt.Errorf("is built for %s; only amd64 and arm64 are supported", file.Machine)
	}
}

// file is a file, or a folder where the name ends in a slash, of an image.
type file struct {
	name    string
	mode    int64
	content []byte
}

// certificates reads the authorities that an image is to trust. The folders
// above them are written too: who unpacks decides the rights of those that are
// not, and nobody must be able to enter them.
func certificates(path string) ([]file, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificates in PEM form", path)
	}
	return []file{
		{"etc/", 0o755, nil},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{certificatesPath, 0o644, pem},
	}, nil
}

// layerOf makes the one layer of an image.
func layerOf(files []file) (v1.Layer, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, f := range files {
		// The slash at the end of a name makes it a folder.
		header := tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: f.mode, ModTime: epoch(), Format: tar.FormatPAX}
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil }
	// The archive goes to a disk nearby, not over a network: compressing harder
	// costs seconds and saves nothing.
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithMediaType(types.OCILayer))
}
