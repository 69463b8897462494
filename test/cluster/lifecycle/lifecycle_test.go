package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/test/cluster/component"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/progress"
)

func temporary(t *testing.T) layout.Cluster {
	t.Helper()
	dir := t.TempDir()
	return layout.Cluster{Name: "test", StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run")}
}

func TestSettingsAreKept(t *testing.T) {
	c := temporary(t)
	if _, exists, err := LoadSettings(c); exists || err != nil {
		t.Fatalf("before there is a cluster: exists %v, %v", exists, err)
	}
	s, err := newSettings(t.Context(), component.Host{BinDir: "/bin-dir"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.StateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.save(c); err != nil {
		t.Fatal(err)
	}
	got, exists, err := LoadSettings(c)
	if !exists || err != nil || got != s {
		t.Errorf("loaded %+v, %v, %v; want %+v", got, exists, err, s)
	}
	if s.BootID == "" {
		t.Error("the boot is not remembered")
	}
}

func TestPortsDiffer(t *testing.T) {
	p, err := freePorts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.APIServer == 0 || p.APIServer == p.Gateway || p.Gateway == p.Prometheus || p.APIServer == p.Prometheus {
		t.Errorf("%+v", p)
	}
}

func TestOpenSaysHowToStartACluster(t *testing.T) {
	_, err := Open(temporary(t), progress.New(os.Stderr))
	if err == nil || !strings.Contains(err.Error(), "cluster up --name test") {
		t.Errorf("error %v", err)
	}
}

// Two launchers work on a cluster one after the other, also when the first
// removes the folder that is locked.
func TestLockSurvivesTheFolder(t *testing.T) {
	c, report := temporary(t), progress.New(os.Stderr)
	unlock, err := lock(c, report)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		unlock, err := lock(c, report)
		if err == nil {
			unlock()
		}
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("the second did not wait: %v", err)
	default:
	}
	if err := os.RemoveAll(c.StateDir); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.StateDir); err != nil {
		t.Errorf("the second holds a folder that is gone: %v", err)
	}
}

func TestIsTrue(t *testing.T) {
	conditions := []condition{{"Ready", "True", ""}, {"Accepted", "False", "no such class"}}
	for kind, want := range map[string]string{
		"Ready":    "",
		"Accepted": "Accepted is False: no such class",
		"Other":    "Other is not reported yet",
	} {
		got := ""
		if err := isTrue(conditions, kind); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("isTrue(%s) = %q, want %q", kind, got, want)
		}
	}
}

func TestTailStartsAtALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got := tail(path)
	if len(got) > tailBytes || !strings.HasPrefix(got, "line ") || !strings.HasSuffix(got, "\nline 999") {
		t.Errorf("%d bytes: %.20q … %q", len(got), got, got[len(got)-20:])
	}
}

func TestHopelessKeepsItsCause(t *testing.T) {
	cause := errors.New("cause")
	if err := fmt.Errorf("around: %w", hopeless{cause}); !errors.Is(err, cause) || !errors.As(err, new(hopeless)) {
		t.Errorf("%v is not found in %v", cause, err)
	}
}

func TestDownOfNothing(t *testing.T) {
	if err := Down(temporary(t), progress.New(os.Stderr)); err != nil {
		t.Error(err)
	}
}
