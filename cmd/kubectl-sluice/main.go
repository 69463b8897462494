// Kubectl-sluice is the command line of Sluice, a plug-in of kubectl: "kubectl sluice". There is one file per verb.
//
// It shows Rollouts (list, get, status), foretells and explains their releases (plan, why), and steers them. Whatever it writes, it writes through controller/command.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// version is set by the linker for a release.
var version string

// programVersion is the version of a release, or what the Go command knows of one that it has installed; empty when
// neither says.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return ""
}

func main() {
	// Errors are returned and shown; nothing is logged.
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, processEnvironment(), os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code of the process.
func run(ctx context.Context, e *environment, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	return e.report(root.ExecuteContext(ctx))
}
