// Package progress tells a person what is going on, all the time: on a terminal
// in one line that is redrawn, elsewhere by a line every ten seconds.
package progress

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	redraw = 200 * time.Millisecond // On a terminal.
	repeat = 10 * time.Second       // In a log, which keeps every line.
)

// Reporter writes lines that begin with the seconds since it was made.
type Reporter struct {
	out      *os.File
	terminal bool
	start    time.Time
	mu       sync.Mutex
}

// New makes a reporter that writes to a file.
func New(out *os.File) *Reporter {
	_, err := unix.IoctlGetTermios(int(out.Fd()), unix.TCGETS)
	return &Reporter{out: out, terminal: err == nil, start: time.Now()}
}

// Say writes a line.
func (r *Reporter) Say(format string, args ...any) {
	r.write(fmt.Sprintf(format, args...), "\n")
}

// While keeps telling what is going on until the returned function is called.
func (r *Reporter) While(describe func() string) (stop func()) {
	every := repeat
	if r.terminal {
		every = redraw
	}
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				r.tell(describe())
			}
		}
	})
	return func() {
		close(done)
		ended.Wait()
		r.clear()
	}
}

// tell writes a line that the next one may replace.
func (r *Reporter) tell(line string) {
	if r.terminal {
		r.write(line, "")
		return
	}
	r.write(line, "\n")
}

// eraseLine returns to the start of a terminal's line and empties it.
const eraseLine = "\r\x1b[K"

func (r *Reporter) write(line, end string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line = fmt.Sprintf("%6.1fs  %s", time.Since(r.start).Seconds(), line)
	if r.terminal {
		fmt.Fprint(r.out, eraseLine)
	}
	if end == "" {
		line = r.fit(line)
	}
	fmt.Fprint(r.out, line, end)
}

// fit cuts a line that is redrawn to the terminal's width: one that wraps cannot
// be erased.
func (r *Reporter) fit(line string) string {
	size, err := unix.IoctlGetWinsize(int(r.out.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || len(line) < int(size.Col) {
		return line
	}
	return line[:size.Col-1]
}

func (r *Reporter) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.terminal {
		fmt.Fprint(r.out, eraseLine)
	}
}
