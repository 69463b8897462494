package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

// Processes lists the processes in the cluster's mount namespace: every
// component, and what components start by themselves, such as the shims that
// outlive containerd. Containers are not in it; they have one each.
func Processes(c layout.Cluster) ([]int, error) {
	if !isNamespace(c.MountNamespace()) {
		return nil, nil // Never made, or removed: nobody can be told by it.
	}
	var want unix.Stat_t
	if err := unix.Stat(c.MountNamespace(), &want); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		var got unix.Stat_t
		if err := unix.Stat(filepath.Join("/proc", entry.Name(), "ns", "mnt"), &got); err != nil {
			continue // Ended meanwhile.
		}
		if got.Ino == want.Ino && got.Dev == want.Dev {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
