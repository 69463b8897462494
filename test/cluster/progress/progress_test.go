package progress_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/sluice-dev/sluice/test/cluster/progress"
)

func TestALogGetsWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	report := progress.New(file)
	report.Say("built %s", "etcd")
	stop := report.While(func() string { return "too short to be told" })
	stop()
	report.Say("done")

	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`^ +\d+\.\ds  built etcd\n +\d+\.\ds  done\n$`); !want.Match(got) {
		t.Errorf("the log holds %q", got)
	}
}
