package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// startTimeout is generous: on two busy cores the API server has taken 20 seconds.
	startTimeout = 2 * time.Minute
	// startGlance is how often a process that starts is asked whether it is ready.
	startGlance = 100 * time.Millisecond
	// logTail is how much of the log of a process that did not start is shown, in bytes.
	logTail = 2000
)

// Process is a program that can be killed, and started again as it was: with the same ports and the same data.
type Process struct {
	path    string
	args    []string
	log     string
	healthy func(context.Context) error

	command *exec.Cmd
	ended   chan struct{}
}

// Start starts the program and waits until it is ready to serve.
func (p *Process) Start(ctx context.Context) error {
	if err := p.launch(); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Wait waits until the program is ready to serve.
func (p *Process) Wait(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, startGlance, startTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended:
			return false, errors.New("it has ended")
		default:
		}
		last = p.healthy(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("start %s: %w: %w: %s", filepath.Base(p.path), err, last, p.tail())
	}
	return nil
}

func (p *Process) launch() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	//nolint:noctx // it outlives the test that starts it, and ends by Kill.
	p.command = exec.Command(p.path, p.args...)
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return errors.Join(err, log.Close())
	}
	ended, command := make(chan struct{}), p.command
	p.ended = ended
	go func() {
		_ = command.Wait() // how it ends is of no interest: it is killed
		_ = log.Close()
		close(ended)
	}()
	return nil
}

// Kill kills the program, which notices nothing of it, and waits until it is gone. It does nothing when it does not run.
func (p *Process) Kill() error {
	if p == nil || p.command == nil {
		return nil
	}
	if err := p.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// tail is the end of the log.
func (p *Process) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-logTail):])
}
