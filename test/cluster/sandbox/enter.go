package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

// Do runs fn on a thread inside the cluster's namespaces. Processes that fn
// starts are inside too.
func Do(c layout.Cluster, fn func() error) error {
	return onThread(func() error {
		// A thread that shares its root and working folder with others may not
		// change its mount namespace.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return err
		}
		if err := join(c.NetworkNamespace(), unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := join(c.MountNamespace(), unix.CLONE_NEWNS); err != nil {
			return err
		}
		return fn()
	})
}

// DoNetwork runs fn on a thread inside the cluster's network that sees the
// machine's files.
func DoNetwork(c layout.Cluster, fn func() error) error {
	return onThread(func() error {
		if err := join(c.NetworkNamespace(), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return fn()
	})
}

// Dialer connects from inside the cluster's network. The signature is
// http.Transport's DialContext.
func Dialer(c layout.Cluster) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var conn net.Conn
		err := DoNetwork(c, func() error {
			// A literal address is dialled on the calling thread. A name would be
			// looked up on others, outside the namespace.
			var d net.Dialer
			var err error
			conn, err = d.DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
}

// onThread runs fn on a thread that nothing else ever uses.
func onThread(fn func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends here.
		result <- fn()
	}()
	return <-result
}

// join moves the calling thread into the namespace that path stands for.
func join(path string, kind int) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the cluster's namespaces are gone: %w", err)
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), kind); err != nil {
		return fmt.Errorf("join %s: %w", path, err)
	}
	return nil
}
