package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/controller/command"
)

// Exit codes of the process.
const (
	// exitDone: the command did what it was asked for; the Rollout is healthy.
	exitDone = 0
	// exitFailed: it could not, or was refused; the Rollout is aborted or degraded.
	exitFailed = 1
	// exitUsage: the command line is wrong; nothing was asked of the cluster.
	exitUsage = 2
	// exitTimeout: what was waited for did not come in time, as timeout(1) says it.
	exitTimeout = 124
	// exitInterrupted: a signal ended it, as a shell says it of SIGINT.
	exitInterrupted = 130
)

// usageError is a command line that is wrong.
type usageError struct {
	err error
	// command is what to ask for help about: "kubectl sluice promote".
	command string
}

func (u *usageError) Error() string { return u.err.Error() }

func (u *usageError) Unwrap() error { return u.err }

// usage makes the error for a command line of cmd that is wrong.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), command: cmd.CommandPath()}
}

// exitError ends the process with a code, with nothing to say that has not been said.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// report tells the user what went wrong, if anything did, and returns the exit code.
func (e *environment) report(err error) int {
	var silent *exitError
	var wrong *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &silent):
		return silent.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &wrong):
		fmt.Fprintf(e.ErrOut, "error: %s\nSee \"%s --help\".\n", message(err), wrong.command)
		return exitUsage
	case errors.Is(err, command.ErrTimeout):
		fmt.Fprintf(e.ErrOut, "error: %s\n", message(err))
		return exitTimeout
	default:
		fmt.Fprintf(e.ErrOut, "error: %s\n", message(err))
		return exitFailed
	}
}

// message is the text of an error without the end that a sentence would have.
func message(err error) string { return strings.TrimRight(err.Error(), " \n") }
