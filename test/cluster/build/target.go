// Package build builds the programs of a cluster from Go modules.
package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// KubernetesVersion is the version that the node and the API server report. It
// has to be that of kubernetes/go.mod: a module's version is not known to the
// program that is built from it.
const KubernetesVersion = "v1.36.3"

// Target is one program to build.
type Target struct {
	// Name is the program's file name.
	Name string
	// Module is the folder of its module.
	Module string
	// Package is what to build there.
	Package string
	// Flags are flags for go build.
	Flags []string
	// Links are names under which the program is called as well.
	Links []string
}

// Kubernetes is etcd and all of Kubernetes in one program.
func Kubernetes(source string) Target {
	const version = "k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	set := []string{
		"-s", "-w",
		"-X", version + "gitVersion=" + KubernetesVersion,
		"-X", version + "gitMajor=" + major,
		"-X", version + "gitMinor=" + minor,
		"-X", version + "gitTreeState=clean",
	}
	return Target{
		Name:    "kubernetes",
		Module:  filepath.Join(source, "kubernetes"),
		Package: ".",
		Flags:   []string{"-ldflags", strings.Join(set, " ")},
		Links: []string{
			"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
		},
	}
}

// Others are the programs that a whole cluster has beside Kubernetes.
func Others(source string) []Target {
	return []Target{
		{
			Name: "pause", Module: source, Package: "./pause",
			Flags: []string{"-ldflags", "-s -w"},
		},
		{
			Name: "prometheus", Module: filepath.Join(source, "prometheus"),
			Package: "github.com/prometheus/prometheus/cmd/prometheus",
			// Of some thirty ways to discover targets one is used; the others bring
			// every cloud's libraries.
			Flags: []string{"-tags", "remove_all_sd,enable_kubernetes_sd", "-ldflags", "-s -w"},
		},
		{
			Name: "traefik", Module: filepath.Join(source, "traefik"),
			Package: "github.com/traefik/traefik/v3/cmd/traefik",
			Flags:   []string{"-ldflags", "-s -w"},
		},
	}
}

// stamp is a digest of all that decides what a build gives: the compiler, the
// flags, the module's pinned dependencies and its own source. "go build" finds
// out by itself that there is nothing to do, but takes seconds of loading
// thousands of packages to do so.
func (t Target) stamp(goVersion string) (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, goVersion, t.Package, t.Flags)
	sources := []string{filepath.Join(t.Module, "go.mod"), filepath.Join(t.Module, "go.sum")}
	if strings.HasPrefix(t.Package, ".") {
		own, err := fs.Glob(os.DirFS(t.Module), filepath.Join(filepath.Clean(t.Package), "*.go"))
		if err != nil {
			return "", err
		}
		slices.Sort(own)
		for _, file := range own {
			sources = append(sources, filepath.Join(t.Module, file))
		}
	}
	for _, path := range sources {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(digest, len(data))
		digest.Write(data)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}
