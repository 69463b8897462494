package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/sluice-dev/sluice/test/demo/view"
)

// screen shows views: on a terminal as a panel that is drawn over and over below the lines that stay, elsewhere as a line
// whenever something has changed.
type screen struct {
	out   io.Writer
	paint view.Paint
	// size gives the width of the terminal; nil where there is none.
	size func() int
	// drawn is how many lines of the panel are on the terminal, to be drawn over.
	drawn int
	// change is what was last worth a line.
	change string
}

func newScreen(file *os.File, noColour bool) *screen {
	s := &screen{out: file, paint: view.Mono}
	fd := int(file.Fd())
	if !term.IsTerminal(fd) {
		return s
	}
	s.size = func() int {
		if width, _, err := term.GetSize(fd); err == nil && width > 0 {
			return width
		}
		return 80
	}
	if !noColour {
		s.paint = view.Colour
	}
	return s
}

// show draws the view.
func (s *screen) show(v view.View) {
	changed := view.Change(v) != s.change
	s.change = view.Change(v)
	if s.size == nil {
		if changed {
			s.text(view.Line(v) + "\n")
		}
		return
	}
	s.erase()
	for _, line := range view.Panel(v, s.size(), s.paint) {
		fmt.Fprintln(s.out, line)
		s.drawn++
	}
}

// say writes a line that stays.
func (s *screen) say(style view.Style, line string) { s.text(s.paint(style, line) + "\n") }

// text writes text that stays.
func (s *screen) text(text string) {
	s.erase()
	fmt.Fprint(s.out, text)
}

// erase takes the panel off the terminal.
func (s *screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}
