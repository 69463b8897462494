// Package forward copies connections between the host and a cluster's network.
//
// The listening sockets are made on the host and inherited by a process inside
// the cluster's network. A socket belongs to the network it was made in, so
// that process accepts connections from the one and dials in the other, and
// needs no way across.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// firstListener is the first descriptor after standard input, output and error.
const firstListener = 3

// Serve accepts on the inherited descriptors 3 and up, the first for the first
// target and so on, and returns when one of them fails.
func Serve(ctx context.Context, targets []string) error {
	failed := make(chan error)
	for i, target := range targets {
		file := os.NewFile(uintptr(firstListener+i), "listener for "+target)
		listener, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("no socket was handed over for %s: %w", target, err)
		}
		file.Close()
		go func() { failed <- accept(ctx, listener, target) }()
	}
	return <-failed
}

// accept copies every connection to target.
func accept(ctx context.Context, listener net.Listener, target string) error {
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := join(ctx, client.(*net.TCPConn), target); err != nil {
				fmt.Fprintf(os.Stderr, "connection to %s: %v\n", target, err)
			}
		}()
	}
}

// join copies both ways until both sides are done. An end of sending is passed
// on by itself: the other direction may still have an answer to carry.
func join(ctx context.Context, client *net.TCPConn, target string) error {
	defer client.Close()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	server := conn.(*net.TCPConn)
	defer server.Close()

	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { errs[0] = copyHalf(server, client) })
	both.Go(func() { errs[1] = copyHalf(client, server) })
	both.Wait()
	return errors.Join(errs[:]...)
}

// copyHalf copies one direction. When it breaks, both ends are closed, so that
// the other direction does not wait for a peer that has gone.
func copyHalf(to, from *net.TCPConn) error {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return err
	}
	return to.CloseWrite()
}
