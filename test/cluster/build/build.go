package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sluice-dev/sluice/test/cluster/progress"
)

// Builder builds targets into one folder.
type Builder struct {
	// BinDir is where programs go.
	BinDir string
	// Report tells how it is going.
	Report *progress.Reporter
}

// Build builds the targets that are missing or out of date. Builders of the
// same folder take turns, in this process and in others.
func (b Builder) Build(ctx context.Context, targets ...Target) error {
	if err := os.MkdirAll(b.BinDir, 0o755); err != nil {
		return err
	}
	unlock, err := b.lock()
	if err != nil {
		return err
	}
	defer unlock()
	version, err := goVersion(ctx)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := b.buildOne(ctx, t, version); err != nil {
			return fmt.Errorf("build %s: %w", t.Name, err)
		}
	}
	return nil
}

func (b Builder) buildOne(ctx context.Context, t Target, version string) error {
	stamp, err := t.stamp(version)
	if err != nil {
		return err
	}
	if !b.current(t.Name, stamp) {
		if err := b.compile(ctx, t); err != nil {
			return err
		}
	}
	if err := b.link(t); err != nil {
		return err
	}
	return os.WriteFile(b.stampFile(t.Name), []byte(stamp+"\n"), 0o644)
}

// current reports whether a program is there and was built from the same.
func (b Builder) current(name, stamp string) bool {
	if _, err := os.Stat(filepath.Join(b.BinDir, name)); err != nil {
		return false
	}
	was, err := os.ReadFile(b.stampFile(name))
	return err == nil && strings.TrimSpace(string(was)) == stamp
}

func (b Builder) stampFile(name string) string { return filepath.Join(b.BinDir, "."+name+".stamp") }

// compile runs go build and follows what it prints.
func (b Builder) compile(ctx context.Context, t Target) error {
	path := filepath.Join(b.BinDir, t.Name)
	args := append([]string{"build", "-v", "-trimpath", "-buildvcs=false", "-o", path}, t.Flags...)
	cmd := goCommand(ctx, append(args, t.Package)...)
	cmd.Dir = t.Module
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	b.Report.Say("build %s; the first time takes minutes", t.Name)
	if err := cmd.Start(); err != nil {
		return err
	}
	var seen compilation
	stop := b.Report.While(func() string { return "build " + t.Name + ": " + seen.String() })
	complaints := seen.follow(output)
	err = cmd.Wait()
	stop()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(complaints, "\n"))
	}
	b.Report.Say("built %s", t.Name)
	return nil
}

// link makes the target's other names. Symbolic, so that a rebuilt program is
// at once behind all of them.
func (b Builder) link(t Target) error {
	for _, name := range t.Links {
		path := filepath.Join(b.BinDir, name)
		if to, err := os.Readlink(path); err == nil && to == t.Name {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(t.Name, path); err != nil {
			return err
		}
	}
	return nil
}

// lock waits for the folder to be free. The kernel frees it when the process
// ends, however that happens.
func (b Builder) lock() (unlock func(), err error) {
	dir, err := os.Open(b.BinDir)
	if err != nil {
		return nil, err
	}
	if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		b.Report.Say("wait for another build into %s to end", b.BinDir)
		if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
			return nil, err
		}
	}
	return func() { dir.Close() }, nil
}

// goCommand prepares a go command that depends on nothing but the module it
// runs in: no workspace around it, no C compiler.
func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=")
	return cmd
}

// goVersion asks which compiler there is.
func goVersion(ctx context.Context) (string, error) {
	out, err := goCommand(ctx, "env", "GOVERSION").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("the cluster's programs are built with Go, and there is no go in PATH; install it or add it")
	}
	return strings.TrimSpace(string(out)), err
}

// compilation is what go build -v has said so far.
type compilation struct {
	mu       sync.Mutex
	packages int
	last     string
}

// follow reads what go build prints: "go: downloading …", the path of each
// package it begins to compile, and complaints, which it returns.
func (c *compilation) follow(output io.Reader) (complaints []string) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		line := lines.Text()
		isPackage := !strings.ContainsAny(line, " \t:")
		c.mu.Lock()
		c.last = line
		if isPackage {
			c.packages++
		}
		c.mu.Unlock()
		if !isPackage && !strings.HasPrefix(line, "go: downloading ") {
			complaints = append(complaints, line)
		}
	}
	return complaints
}

// String says what is being built.
func (c *compilation) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == "" {
		return "loading packages"
	}
	return fmt.Sprintf("%d packages compiled, now %s", c.packages, c.last)
}
