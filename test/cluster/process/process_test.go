package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-dev/sluice/test/cluster/process"
)

// long is more than any of these tests waits for.
const long = 10 * time.Second

func start(t *testing.T, argv ...string) process.Record {
	t.Helper()
	record, err := process.Start(process.Spec{
		Argv: argv,
		Env:  []string{"PATH=/usr/bin:/bin"},
		Dir:  t.TempDir(),
		Log:  filepath.Join(t.TempDir(), "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := record.End(0); err != nil {
			t.Error(err)
		}
	})
	return record
}

func TestEndEndsTheProcess(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		grace  time.Duration
	}{
		"by asking":                {"while :; do sleep 1; done", long},
		"by force":                 {"while :; do sleep 1; done", 0},
		"by force after asking":    {"trap '' TERM; echo ready; while :; do sleep 1; done", time.Millisecond},
		"though it ends by itself": {"exit 0", long},
	} {
		t.Run(name, func(t *testing.T) {
			record := start(t, "/bin/sh", "-c", c.script)
			if err := record.End(c.grace); err != nil {
				t.Fatal(err)
			}
			if record.Alive() {
				t.Error("it is still alive")
			}
			if gone, err := record.WaitGone(0); !gone || err != nil {
				t.Errorf("WaitGone = %v, %v", gone, err)
			}
		})
	}
}

func TestEndSparesASuccessor(t *testing.T) {
	record := start(t, "/bin/sleep", "60")
	predecessor := record.Identity
	predecessor.StartTicks--
	if err := predecessor.End(0); err != nil {
		t.Fatal(err)
	}
	if !record.Alive() {
		t.Error("the process that has the pid now was killed")
	}
}

func TestWaitGoneGivesUp(t *testing.T) {
	record := start(t, "/bin/sleep", "60")
	if gone, err := record.WaitGone(time.Millisecond); gone || err != nil {
		t.Errorf("WaitGone = %v, %v; want false", gone, err)
	}
}

func TestIdentifyOfNobody(t *testing.T) {
	if _, err := process.Identify(1 << 30); !errors.Is(err, process.ErrEnded) {
		t.Errorf("error %v, want ErrEnded", err)
	}
}

func TestStartPassesDescriptorsAndLogs(t *testing.T) {
	dir := t.TempDir()
	given := filepath.Join(dir, "given")
	if err := os.WriteFile(given, []byte("from descriptor 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(given)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log := filepath.Join(dir, "log")
	record, err := process.Start(process.Spec{
		Argv: []string{"/bin/sh", "-c", "cat <&3; echo complaint >&2; pwd"}, Dir: dir, Log: log, Files: []*os.File{file},
	})
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := record.WaitGone(long); !gone || err != nil {
		t.Fatal(gone, err)
	}
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"started by the launcher", "from descriptor 3\n", "complaint\n", dir + "\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the log lacks %q:\n%s", want, got)
		}
	}
}

func TestRecordSurvivesTheLauncher(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sleep.json")
	if r, err := process.Load(path); err != nil || r.PID != 0 {
		t.Fatalf("Load of a record that was never saved = %+v, %v", r, err)
	}
	record := start(t, "/bin/sleep", "60")
	if err := record.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := process.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Identity != record.Identity || !loaded.Alive() {
		t.Errorf("loaded %+v, want %+v, alive", loaded, record)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := process.Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Load of a broken record: error %v, want one that names the file", err)
	}
}
