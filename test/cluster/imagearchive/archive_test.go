package imagearchive_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/sluice-dev/sluice/test/cluster/imagearchive"
)

// program writes the smallest file that counts as a Linux program: a header,
// and one segment if a kind is given.
func program(t *testing.T, machine elf.Machine, segments ...elf.ProgType) string {
	t.Helper()
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{
			0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT),
		},
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(segments)), Shentsize: 64,
	}
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, header); err != nil {
		t.Fatal(err)
	}
	for _, kind := range segments {
		if err := binary.Write(&out, binary.LittleEndian, elf.Prog64{Type: uint32(kind)}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(path, out.Bytes(), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func image(t *testing.T, o imagearchive.Options) v1.Image {
	t.Helper()
	img, err := imagearchive.Image(o)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestImageHoldsTheProgramAndNothingElse(t *testing.T) {
	img := image(t, imagearchive.Options{Binary: program(t, elf.EM_AARCH64, elf.PT_LOAD)})
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v; want 1", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files := tar.NewReader(content)
	header, err := files.Next()
	if err != nil || header.Name != "app" || header.Mode != 0o755 {
		t.Errorf("first file %+v, %v; want app, mode 755", header, err)
	}
	if _, err := files.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the program comes %v, want the end", err)
	}
}

// authorities writes a file with one certificate authority.
func authorities(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	path := filepath.Join(t.TempDir(), "authorities.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whoever runs it is nobody, and has to be able to enter the folders and read
// the file.
func TestImageHoldsCertificates(t *testing.T) {
	img := image(t, imagearchive.Options{Binary: program(t, elf.EM_X86_64), Certificates: authorities(t)})
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v; want 1", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var got []string
	files := tar.NewReader(content)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%v %s", header.FileInfo().Mode(), header.Name))
	}
	want := []string{
		"drwxr-xr-x etc/", "drwxr-xr-x etc/ssl/", "drwxr-xr-x etc/ssl/certs/",
		"-rw-r--r-- etc/ssl/certs/ca-certificates.crt", "-rwxr-xr-x app",
	}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestImageRefusesCertificatesThatAreNone(t *testing.T) {
	path := program(t, elf.EM_X86_64)
	_, err := imagearchive.Image(imagearchive.Options{Binary: path, Certificates: path})
	if err == nil || !strings.Contains(err.Error(), "no certificates") {
		t.Errorf("error %v, want one that says so", err)
	}
}

func TestImageRunsTheProgramAsNobody(t *testing.T) {
	img := image(t, imagearchive.Options{Binary: program(t, elf.EM_AARCH64)})
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "arm64" || config.Config.User != "65532:65532" ||
		!slices.Equal(config.Config.Entrypoint, []string{"/app"}) {
		t.Errorf("config %+v", config)
	}
}

func TestArchivesAreReproducible(t *testing.T) {
	o := imagearchive.Options{Binary: program(t, elf.EM_X86_64), Certificates: authorities(t)}
	for kind, write := range map[string]func(io.Writer, string, v1.Image) error{
		"docker": imagearchive.WriteDocker, "oci": imagearchive.WriteOCI,
	} {
		var first, second bytes.Buffer
		for _, out := range []*bytes.Buffer{&first, &second} {
			if err := write(out, "sluice.local/app:v1", image(t, o)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("two %s archives of the same differ", kind)
		}
	}
}

func TestDockerArchiveCanBeRead(t *testing.T) {
	var out bytes.Buffer
	img := image(t, imagearchive.Options{Binary: program(t, elf.EM_X86_64)})
	if err := imagearchive.WriteDocker(&out, "sluice.local/app:v1", img); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("sluice.local/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	read, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil }, &tag)
	if err != nil {
		t.Fatal(err)
	}
	want, errWant := img.ConfigName()
	got, errGot := read.ConfigName()
	if errWant != nil || errGot != nil || got != want {
		t.Errorf("read back %v (%v), want %v (%v)", got, errGot, want, errWant)
	}
}

func TestOCIArchiveNamesTheImage(t *testing.T) {
	var out bytes.Buffer
	img := image(t, imagearchive.Options{Binary: program(t, elf.EM_X86_64)})
	if err := imagearchive.WriteOCI(&out, "sluice.local/app:v1", img); err != nil {
		t.Fatal(err)
	}
	files := untar(t, &out)
	if !strings.Contains(files["index.json"], `"io.containerd.image.name": "sluice.local/app:v1"`) {
		t.Errorf("index.json does not name the image:\n%s", files["index.json"])
	}
	if _, ok := files["oci-layout"]; !ok {
		t.Error("there is no file oci-layout")
	}
}

// untar reads an archive's files, by name.
func untar(t *testing.T, archive io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(data)
	}
}

func TestImageRefusesWhatCannotRun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string]string{
		"CGO_ENABLED=0":        program(t, elf.EM_X86_64, elf.PT_INTERP),
		"GOOS=linux":           script,
		"only amd64 and arm64": program(t, elf.EM_S390),
		"no such file":         filepath.Join(t.TempDir(), "absent"),
	} {
		_, err := imagearchive.Image(imagearchive.Options{Binary: path})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one with %q and the path", err, want)
		}
	}
}

func TestWriteDockerExplainsABadName(t *testing.T) {
	img := image(t, imagearchive.Options{Binary: program(t, elf.EM_X86_64)})
	if err := imagearchive.WriteDocker(io.Discard, "Not A Name", img); err == nil || !strings.Contains(err.Error(), "NAME:TAG") {
		t.Errorf("error %v, want one that says what a name looks like", err)
	}
}
