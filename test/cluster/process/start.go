// Package process starts processes that outlive the launcher, remembers them so
// that they cannot be mistaken for others, and ends exactly those.
package process

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Spec is a process to start.
type Spec struct {
	// Argv is the program's path and its arguments.
	Argv []string
	// Env is its whole environment.
	Env []string
	// Dir is its working folder.
	Dir string
	// Log is the file its output is appended to.
	Log string
	// Files become its descriptors 3 and up.
	Files []*os.File
}

// Start runs the process in a session of its own, so that neither the end of
// the launcher nor Ctrl-C in its terminal reaches it. It runs in the namespaces
// of the calling thread.
func Start(s Spec) (Record, error) {
	log, err := os.OpenFile(s.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return Record{}, err
	}
	defer log.Close()
	started := time.Now()
	fmt.Fprintf(log, "---- %s: started by the launcher: %q\n", started.Format(time.RFC3339), s.Argv)

	cmd := &exec.Cmd{
		Path:        s.Argv[0],
		Args:        s.Argv,
		Env:         s.Env,
		Dir:         s.Dir,
		Stdout:      log,
		Stderr:      log,
		ExtraFiles:  s.Files,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		return Record{}, fmt.Errorf("start %s: %w", s.Argv[0], err)
	}
	id, err := Identify(cmd.Process.Pid)
	if err != nil {
		// It ended before it could be looked at; its log says why.
		return Record{}, fmt.Errorf("%s ended at once: %w", s.Argv[0], cmd.Wait())
	}
	// While the launcher lives it is the parent, and must take note of the end or
	// the process stays behind as a zombie.
	go func() { _ = cmd.Wait() }()
	return Record{Identity: id, Argv: s.Argv, Started: started}, nil
}
