package lifecycle

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/progress"
)

// lock makes the cluster's state folder and waits until nobody else changes the
// cluster. The folder itself is what is locked, and the one before us may have
// removed it, so it is looked up again once the lock is held.
func lock(c layout.Cluster, report *progress.Reporter) (unlock func(), err error) {
	for {
		if err := os.MkdirAll(c.StateDir, 0o755); err != nil {
			return nil, err
		}
		dir, err := os.Open(c.StateDir)
		if err != nil {
			return nil, err
		}
		if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			report.Say("wait for another launcher to finish with cluster %s", c.Name)
			if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
				return nil, err
			}
		}
		if isStill(dir, c.StateDir) {
			return func() { dir.Close() }, nil
		}
		dir.Close()
	}
}

// isStill reports whether an open folder is the one that path leads to.
func isStill(dir *os.File, path string) bool {
	opened, err := dir.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(path)
	return err == nil && os.SameFile(opened, found)
}
