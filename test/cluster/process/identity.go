package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Identity is a process that cannot be mistaken for another. A pid alone can:
// the kernel hands it out again after the process ends, and every machine
// starts over after a boot.
type Identity struct {
	PID int `json:"pid"`
	// StartTicks is when the process began, in clock ticks since boot: field 22
	// of /proc/PID/stat.
	StartTicks uint64 `json:"startTicks"`
	// BootID is the boot that StartTicks counts from.
	BootID string `json:"bootID"`
}

// ErrEnded says that there is no such process, or no longer.
var ErrEnded = errors.New("process has ended")

// Identify reads the identity of a running process.
func Identify(pid int) (Identity, error) {
	boot, err := BootID()
	if err != nil {
		return Identity{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The second is what a read gives when the process ends after the opening.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return Identity{}, ErrEnded
	}
	if err != nil {
		return Identity{}, err
	}
	_, start, err := parseStat(stat)
	if err != nil {
		return Identity{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return Identity{PID: pid, StartTicks: start, BootID: boot}, nil
}

// Alive reports whether this very process still runs. One that has ended and
// waits for its parent to notice does not.
func (id Identity) Alive() bool {
	if id.PID <= 0 {
		return false
	}
	if boot, err := BootID(); err != nil || boot != id.BootID {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id.PID))
	if err != nil {
		return false
	}
	state, start, err := parseStat(stat)
	return err == nil && start == id.StartTicks && state != 'Z' && state != 'X'
}

// BootID names the machine's current boot.
func BootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// parseStat takes the state and the start time from a line of /proc/PID/stat.
// The second field is the command's name in parentheses, which may itself hold
// blanks and parentheses, so fields are counted from the last one.
func parseStat(line []byte) (state byte, startTicks uint64, err error) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return 0, 0, fmt.Errorf("no command name in %q", line)
	}
	// What follows begins at field 3, the state; field 22 is 19 further on.
	fields := strings.Fields(string(line[end+1:]))
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("only %d fields after the command name", len(fields))
	}
	startTicks, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], startTicks, err
}
