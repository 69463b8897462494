package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// verdict is what became of a mutant.
type verdict string

const (
	caught   verdict = "caught"
	survived verdict = "SURVIVED"
	broken   verdict = "DOES NOT COMPILE"
	hangs    verdict = "HANGS"
)

// result is one mutant and what became of it.
type result struct {
	mutant  mutant
	verdict verdict
	// output of the compiler or the test, for a mutant that was not caught.
	output string
	took   time.Duration
}

// lab builds and runs tests of a module. What it writes is in a folder of its own.
type lab struct {
	root    string
	scratch string
	timeout time.Duration
}

func newLab(root string, timeout time.Duration) (*lab, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "mutants")
	return &lab{root: root, scratch: scratch, timeout: timeout}, err
}

func (l *lab) close() { _ = os.RemoveAll(l.scratch) }

// passUnchanged runs the tests of the mutants on the code as it is: a test that fails anyway catches nothing.
func (l *lab) passUnchanged(ctx context.Context, mutants []mutant) error {
	tests := map[string][]string{}
	for _, m := range mutants {
		if !slices.Contains(tests[m.pkg], m.test) {
			tests[m.pkg] = append(tests[m.pkg], m.test)
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		output, err := l.test(ctx, pkg, "", tests[pkg]...)
		if err != nil {
			return fmt.Errorf("%s fails without any mutant: %w\n%s", pkg, err, indent(output))
		}
	}
	return nil
}

// tryAll tries mutants, so many at a time, and gives each result as it comes.
func (l *lab) tryAll(ctx context.Context, mutants []mutant, parallel int) iter.Seq[result] {
	return func(yield func(result) bool) {
		work, done := make(chan mutant), make(chan result)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var workers sync.WaitGroup
		for range parallel {
			workers.Go(func() {
				for m := range work {
					done <- l.try(ctx, m)
				}
			})
		}
		go func() {
			defer close(done)
			defer workers.Wait()
			defer close(work)
			for _, m := range mutants {
				select {
				case work <- m:
				case <-ctx.Done():
					return
				}
			}
		}()
		for r := range done {
			if ctx.Err() == nil && !yield(r) {
				cancel()
			}
		}
	}
}

// try builds one mutant and runs its test.
func (l *lab) try(ctx context.Context, m mutant) result {
	begun := time.Now()
	out := result{mutant: m}
	overlay, err := l.overlay(m)
	if err == nil {
		out.output, err = l.test(ctx, m.pkg, overlay, m.test)
	}
	out.verdict, out.took = judge(out.output, err), time.Since(begun)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		out.output = err.Error() + "\n" + out.output
	}
	return out
}

// errBuild says that a test could not be built.
var errBuild = errors.New("it does not compile")

// judge says what the end of a test means.
func judge(output string, err error) verdict {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return survived
	case strings.Contains(output, "panic: test timed out"):
		return hangs
	case errors.As(err, &exit) && !errors.Is(err, errBuild) && failed(output):
		return caught
	}
	return broken
}

// failed says whether a test has failed, or has ended the program, as a panic in a goroutine of its own does.
func failed(output string) bool {
	return strings.Contains(output, "--- FAIL: ") || strings.Contains("\n"+output, "\npanic: ")
}

// overlay writes the mutated file, and what tells the compiler to read it in place of the one in the tree.
func (l *lab) overlay(m mutant) (string, error) {
	original := filepath.Join(l.root, filepath.FromSlash(m.file))
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	mutated, err := m.mutate(string(source))
	if err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(l.scratch, m.class)
	if err != nil {
		return "", err
	}
	replacement, overlay := filepath.Join(folder, "mutant.go"), filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(replacement, []byte(mutated), 0o600); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replacement}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, data, 0o600)
}

// test builds the tests of a package and runs some of them. Building and running apart tells a mutant that does not
// compile from one whose test fails. The error wraps errBuild when it does not compile.
func (l *lab) test(ctx context.Context, pkg, overlay string, tests ...string) (string, error) {
	folder, err := os.MkdirTemp(l.scratch, "test")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }() // a test program has 60 MB
	program := filepath.Join(folder, "test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-o", program, "./"+pkg)
	build.Dir = l.root
	if output, err := build.CombinedOutput(); err != nil {
		return string(output), fmt.Errorf("%w: %w", errBuild, err)
	}
	run := exec.CommandContext(ctx, program, "-test.run=^("+strings.Join(tests, "|")+")$", "-test.failfast",
		"-test.timeout="+l.timeout.String())
	run.Dir = filepath.Join(l.root, filepath.FromSlash(pkg))
	output, err := run.CombinedOutput()
	return string(output), err
}
