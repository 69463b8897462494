package build

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module writes a small module and gives a target in it.
func module(t *testing.T) Target {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module m\n")
	write(t, filepath.Join(dir, "go.sum"), "")
	write(t, filepath.Join(dir, "main.go"), "package main\n")
	return Target{Name: "m", Module: dir, Package: ".", Flags: []string{"-tags", "a"}}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStampChangesWithAllThatDecidesABuild(t *testing.T) {
	stamps := map[string]string{}
	record := func(why string, target Target, version string) {
		stamp, err := target.stamp(version)
		if err != nil {
			t.Fatal(err)
		}
		if before, seen := stamps[stamp]; seen {
			t.Errorf("%s: the same stamp as %s", why, before)
		}
		stamps[stamp] = why
	}
	target := module(t)
	record("at first", target, "go1.26.8")
	record("another compiler", target, "go1.26.9")
	other := target
	other.Flags = []string{"-tags", "b"}
	record("other flags", other, "go1.26.8")
	for _, file := range []string{"go.mod", "go.sum", "main.go"} {
		write(t, filepath.Join(target.Module, file), "changed")
		record(file+" changed", target, "go1.26.8")
	}
	write(t, filepath.Join(target.Module, "second.go"), "package main\n")
	record("a second file", target, "go1.26.8")
}

func TestStampDoesNotChangeByItself(t *testing.T) {
	target := module(t)
	a, errA := target.stamp("go1.26.8")
	b, errB := target.stamp("go1.26.8")
	if errA != nil || errB != nil || a != b {
		t.Errorf("%s, %v and %s, %v", a, errA, b, errB)
	}
}

func TestFollowTellsPackagesFromComplaints(t *testing.T) {
	var c compilation
	if got := c.String(); got != "loading packages" {
		t.Errorf("before anything was said: %q", got)
	}
	complaints := c.follow(strings.NewReader(strings.Join([]string{
		"go: downloading k8s.io/kubernetes v1.36.3",
		"internal/cpu",
		"k8s.io/api/core/v1",
		"# k8s.io/kubernetes/cmd",
		"main.go:1:2: undefined: x",
	}, "\n")))
	if want := []string{"# k8s.io/kubernetes/cmd", "main.go:1:2: undefined: x"}; !slices.Equal(complaints, want) {
		t.Errorf("complaints %q, want %q", complaints, want)
	}
	if got := c.String(); !strings.HasPrefix(got, "2 packages compiled") {
		t.Errorf("it says %q, want 2 packages", got)
	}
}

func TestLinkReplacesWhatIsInTheWay(t *testing.T) {
	b := Builder{BinDir: t.TempDir()}
	target := Target{Name: "kubernetes", Links: []string{"etcd", "kubectl", "kubelet"}}
	write(t, filepath.Join(b.BinDir, "etcd"), "an older program")
	if err := os.Symlink("elsewhere", filepath.Join(b.BinDir, "kubectl")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.link(target); err != nil {
			t.Fatal(err)
		}
		for _, name := range target.Links {
			if to, err := os.Readlink(filepath.Join(b.BinDir, name)); err != nil || to != "kubernetes" {
				t.Errorf("%s leads to %q, %v", name, to, err)
			}
		}
	}
}

// The version that is set in the program has to be the one that is built.
func TestKubernetesVersionIsTheModules(t *testing.T) {
	mod, err := os.ReadFile("../kubernetes/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "k8s.io/kubernetes " + KubernetesVersion + "\n"; !strings.Contains(string(mod), want) {
		t.Errorf("kubernetes/go.mod does not require %s", want)
	}
	flags := strings.Join(Kubernetes("/source").Flags, " ")
	for _, want := range []string{"gitVersion=v1.36.3", "gitMajor=1 ", "gitMinor=36 "} {
		if !strings.Contains(flags, want) {
			t.Errorf("the flags lack %q: %s", want, flags)
		}
	}
}

func TestSourceIsFoundFromBelow(t *testing.T) {
	got, err := Source() // The working folder of a test is its package's.
	want, errWant := filepath.Abs("..")
	if err != nil || errWant != nil || got != want {
		t.Errorf("Source() = %s, %v; want %s", got, err, want)
	}
}

func TestSourceIsNotFoundElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	if got, err := Source(); err == nil {
		t.Errorf("Source() = %s", got)
	}
}
