package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluice-dev/sluice/test/cluster/cgroup"
	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/machine"
	"github.com/sluice-dev/sluice/test/cluster/process"
	"github.com/sluice-dev/sluice/test/cluster/progress"
	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

// Down takes a cluster down and leaves nothing of it. Nothing is asked to end
// gracefully, as everything it could save is thrown away.
func Down(c layout.Cluster, report *progress.Reporter) error {
	if !anythingOf(c) {
		report.Say("there is no cluster %s", c.Name)
		return nil
	}
	if err := machine.Check(); err != nil {
		return err
	}
	unlock, err := lock(c, report)
	if err != nil {
		return err
	}
	defer unlock()
	stop := report.While(func() string { return "take cluster " + c.Name + " down" })
	err = demolish(c)
	stop()
	if err != nil {
		return err
	}
	if err := os.Remove(c.StateDir); err != nil {
		return err
	}
	for _, parent := range []string{filepath.Dir(c.StateDir), filepath.Dir(c.RunDir)} {
		_ = os.Remove(parent) // Fails, as it should, while another cluster is below.
	}
	report.Say("cluster %s is down", c.Name)
	return nil
}

func anythingOf(c layout.Cluster) bool {
	for _, path := range []string{c.StateDir, c.RunDir} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// demolish ends every process of the cluster and empties its folders. The state
// goes last, so that an interrupted demolition can be repeated; its folder
// stays, as it is what the caller has locked.
func demolish(c layout.Cluster) error {
	if err := endRecorded(c); err != nil {
		return err
	}
	if err := endRest(c); err != nil {
		return err
	}
	if err := sandbox.Remove(c); err != nil {
		return err
	}
	if err := cgroup.Remove(c.CgroupRoot()); err != nil {
		return err
	}
	if err := os.RemoveAll(c.RunDir); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.StateDir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(c.State(entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// endRecorded kills the processes that were started and recorded.
func endRecorded(c layout.Cluster) error {
	files, err := filepath.Glob(c.Record("*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		record, err := process.Load(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		if err := record.End(0); err != nil {
			errs = append(errs, fmt.Errorf("end process %d of %s: %w", record.PID, file, err))
		}
	}
	return errors.Join(errs...)
}

// endRest kills what the components started in their turn: shims and container
// processes. A shim may be about to start another process, so this is repeated
// until a look finds none.
func endRest(c layout.Cluster) error {
	const limit = 20 * time.Second
	deadline := time.Now().Add(limit)
	for {
		pids, err := restOf(c)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v do not end; look at what holds them, then repeat", pids)
		}
		if err := endThose(c, pids); err != nil {
			return err
		}
	}
}

// restOf lists the processes that are the cluster's by where they are: in its
// mount namespace, or in its control group.
func restOf(c layout.Cluster) ([]int, error) {
	inside, err := sandbox.Processes(c)
	if err != nil {
		return nil, err
	}
	contained, err := cgroup.Processes(c.CgroupRoot())
	return append(inside, contained...), err
}

// endThose kills processes that were listed a moment ago. Their pids may have
// passed to others since, so they are identified and then looked for again: what
// is the cluster's in both lists is, or has ended.
func endThose(c layout.Cluster, pids []int) error {
	var ids []process.Identity
	for _, pid := range pids {
		id, err := process.Identify(pid)
		if errors.Is(err, process.ErrEnded) {
			continue
		}
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	still, err := restOf(c)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.Contains(still, id.PID) {
			continue
		}
		if err := id.End(0); err != nil {
			return fmt.Errorf("end process %d of cluster %s: %w", id.PID, c.Name, err)
		}
	}
	return nil
}
