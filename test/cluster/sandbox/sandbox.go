// Package sandbox makes the namespaces a cluster runs in, so that nothing of it
// reaches the machine around it.
//
// The network namespace holds every address, route and firewall rule: two
// clusters use the same addresses side by side, and load tests stay inside.
//
// The mount namespace holds what the kubelet and containerd mount, and gives
// them an empty /run, /var/lib and /var/log. Both write to fixed places there
// whatever their flags say: device plug-in sockets, container log links, shim
// sockets, CNI results. In a namespace of their own two kubelets do not take
// each other's sockets, and all mounts vanish with the last process.
//
// Processes are started by a thread that has joined the namespaces. "ip netns
// exec" would not do: it mounts a fresh /sys that lacks the control groups, and
// the kubelet ends with "failed to find cgroup mounts".
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

// Exists reports whether the cluster's namespaces exist.
func Exists(c layout.Cluster) bool {
	return isNamespace(c.NetworkNamespace()) && isNamespace(c.MountNamespace())
}

// Create makes the namespaces and the network in them. The folders in visible
// stay visible inside even where they lie below one that is hidden.
func Create(ctx context.Context, c layout.Cluster, visible []string) error {
	if err := prepare(c); err != nil {
		return fmt.Errorf("prepare %s: %w", c.Namespaces(), err)
	}
	report := make(chan made)
	done := make(chan struct{})
	defer close(done)
	go func() {
		// The thread is never unlocked, so it ends with the goroutine and no other
		// goroutine ever runs in the namespaces.
		runtime.LockOSThread()
		err := unshare(visible)
		report <- made{thread: unix.Gettid(), err: err}
		<-done
	}()
	m := <-report
	if m.err != nil {
		return m.err
	}
	if err := keep(m.thread, "net", c.NetworkNamespace()); err != nil {
		return err
	}
	if err := keep(m.thread, "mnt", c.MountNamespace()); err != nil {
		return err
	}
	return Do(c, func() error { return setUpNetwork(ctx) })
}

// Remove lets go of the namespaces. They vanish, with everything in them, when
// the last process has left.
func Remove(c layout.Cluster) error {
	var errs []error
	for _, path := range []string{c.NetworkNamespace(), c.MountNamespace(), c.Namespaces()} {
		err := unix.Unmount(path, unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// made is what the thread that makes the namespaces reports.
type made struct {
	thread int
	err    error
}

// prepare makes the folder that keeps the namespaces. It is a mount of its own
// and private: the kernel keeps a mount namespace only in a mount that does not
// propagate into that namespace.
func prepare(c layout.Cluster) error {
	dir := c.Namespaces()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, path := range []string{c.NetworkNamespace(), c.MountNamespace()} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// keep binds a thread's namespace to a file, so that it outlives the thread.
func keep(thread int, kind, path string) error {
	from := fmt.Sprintf("/proc/self/task/%d/ns/%s", thread, kind)
	if err := unix.Mount(from, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("keep the %s namespace in %s: %w", kind, path, err)
	}
	return nil
}

// hidden are the folders that are empty inside the mount namespace.
func hidden() []string { return []string{"/run", "/var/lib", "/var/log"} }

// isHidden reports whether a path lies below a hidden folder.
func isHidden(path string) bool {
	for _, dir := range hidden() {
		if strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

// unshare moves the calling thread into new namespaces and sets up the mounts.
func unshare(visible []string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	// Slave rather than private: what the machine unmounts later also leaves the
	// namespace, so that the cluster keeps no disk busy.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("detach mounts from the machine's: %w", err)
	}
	trees := map[string]int{}
	for _, path := range visible {
		if !isHidden(path) {
			continue
		}
		tree, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return fmt.Errorf("keep %s visible: %w", path, err)
		}
		defer unix.Close(tree)
		trees[path] = tree
	}
	for _, path := range hidden() {
		if err := unix.Mount("tmpfs", path, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("hide %s: %w", path, err)
		}
	}
	for path, tree := range trees {
		if err := show(tree, path); err != nil {
			return fmt.Errorf("keep %s visible: %w", path, err)
		}
	}
	return nil
}

// show attaches a copy of a mount where it was before its parent was hidden.
func show(tree int, path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return unix.MoveMount(tree, "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// isNamespace reports whether a file stands for a namespace, rather than being
// the empty file that one is bound to.
func isNamespace(path string) bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(filepath.Clean(path), &fs); err != nil {
		return false
	}
	return fs.Type == unix.NSFS_MAGIC
}
