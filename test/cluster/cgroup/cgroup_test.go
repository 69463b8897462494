package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestParseMounts(t *testing.T) {
	for name, c := range map[string]struct {
		mountinfo string
		want      []hierarchy
	}{
		"version 2": {
			"24 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
				"31 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
			[]hierarchy{{"/sys/fs/cgroup", true}},
		},
		"version 1, with the unified tree beside it": {
			"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"34 31 0:31 / /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory\n" +
				"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			[]hierarchy{
				{"/sys/fs/cgroup/cpu,cpuacct", false},
				{"/sys/fs/cgroup/memory", false},
				{"/sys/fs/cgroup/unified", true},
			},
		},
		"mounted twice":   {"1 2 0:1 / /c rw - cgroup2 a rw\n3 2 0:1 / /c rw - cgroup2 a rw\n", []hierarchy{{"/c", true}}},
		"none, or broken": {"24 1 8:1 / / rw - ext4 /dev/sda1 rw\nnonsense\n\n", nil},
	} {
		if got := parseMounts(c.mountinfo); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestHandGivesAGroupWhatItsParentHas(t *testing.T) {
	parent := t.TempDir()
	child := filepath.Join(parent, "child")
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string]string{
		filepath.Join(parent, "cpuset.cpus"):            "0-1\n",
		filepath.Join(parent, "cpuset.mems"):            "0\n",
		filepath.Join(child, "cpuset.cpus"):             "",
		filepath.Join(child, "cpuset.mems"):             "",
		filepath.Join(parent, "cgroup.controllers"):     "cpu memory\n",
		filepath.Join(parent, "cgroup.subtree_control"): "",
	} {
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range []hierarchy{{parent, false}, {parent, true}} {
		if err := h.hand(parent, child); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(child, "cpuset.cpus"):             "0-1\n",
		filepath.Join(child, "cpuset.mems"):             "0\n",
		filepath.Join(parent, "cgroup.subtree_control"): "+cpu +memory",
	} {
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
		}
	}
}

func TestHandLeavesOtherHierarchiesAlone(t *testing.T) {
	dir := t.TempDir()
	if err := (hierarchy{path: dir}).hand(dir, dir); err != nil {
		t.Error(err)
	}
}
