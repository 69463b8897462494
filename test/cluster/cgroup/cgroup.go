// Package cgroup keeps the control group that a cluster's pods live under.
//
// The kubelet makes a group per pod, always below /kubepods of the root it is
// given. A root per cluster keeps two kubelets apart, and tells at the end
// which processes were the cluster's containers.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Create makes the group in every hierarchy.
func Create(root string) error {
	mounts, err := hierarchies()
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		dir := mount.path
		for part := range strings.SplitSeq(strings.Trim(root, "/"), "/") {
			parent := dir
			dir = filepath.Join(parent, part)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("make control group: %w", err)
			}
			if err := mount.hand(parent, dir); err != nil {
				return fmt.Errorf("set up control group %s: %w", dir, err)
			}
		}
	}
	return nil
}

// Processes lists the processes in the group and below.
func Processes(root string) ([]int, error) {
	pids := map[int]bool{} // A process is in one group of every hierarchy.
	err := walk(root, func(dir string) error {
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			// 0 stands for a process that cannot be seen from here.
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
				pids[pid] = true
			}
		}
		return nil
	})
	return slices.Collect(maps.Keys(pids)), err
}

// Remove removes the group, deepest first, and the parent it shares with other
// clusters when it is the last.
func Remove(root string) error {
	var dirs []string
	err := walk(root, func(dir string) error {
		dirs = append(dirs, dir)
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		if e := unix.Rmdir(dirs[i]); e != nil && !errors.Is(e, unix.ENOENT) {
			err = errors.Join(err, fmt.Errorf("remove control group %s: %w", dirs[i], e))
		}
	}
	mounts, e := hierarchies()
	for _, mount := range mounts {
		// Fails, as it should, while another cluster is below.
		_ = unix.Rmdir(filepath.Join(mount.path, filepath.Dir(root)))
	}
	return errors.Join(err, e)
}

// walk calls visit for the group and all below it, in every hierarchy, parents
// first. Groups that vanish meanwhile are passed over.
func walk(root string, visit func(dir string) error) error {
	mounts, err := hierarchies()
	for _, mount := range mounts {
		e := filepath.WalkDir(filepath.Join(mount.path, root), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = visit(path)
			}
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
				return nil
			}
			return err
		})
		err = errors.Join(err, e)
	}
	return err
}

// hierarchy is one mounted tree of control groups.
type hierarchy struct {
	path    string
	unified bool // Version 2: one tree for all controllers.
}

// hierarchies lists the mounted trees. A machine of version 1 may have the
// unified tree of version 2 as well, without controllers; runc makes groups
// there too.
func hierarchies() ([]hierarchy, error) {
	mountinfo, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(mountinfo)), nil
}

// parseMounts finds the control group trees in the text of a mountinfo file.
func parseMounts(mountinfo string) []hierarchy {
	var found []hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 {
			continue
		}
		kind, _, _ := strings.Cut(after, " ")
		if kind != "cgroup" && kind != "cgroup2" {
			continue
		}
		h := hierarchy{path: fields[4], unified: kind == "cgroup2"}
		if !slices.Contains(found, h) {
			found = append(found, h)
		}
	}
	return found
}

// hand gives a new group what its parent has: in version 2 the controllers, in
// version 1 the processors and memory nodes, without which no process can
// enter it.
func (h hierarchy) hand(parent, dir string) error {
	if h.unified {
		return enableControllers(parent)
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // Not the hierarchy with the cpuset controller.
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0); err != nil {
			return err
		}
	}
	return nil
}

// enableControllers makes all controllers of a version 2 group available to the
// groups below it.
func enableControllers(parent string) error {
	controllers, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var enable []string
	for name := range strings.FieldsSeq(string(controllers)) {
		enable = append(enable, "+"+name)
	}
	if len(enable) == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte(strings.Join(enable, " ")), 0)
}
