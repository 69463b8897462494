package render

import (
	"strings"
	"unicode/utf8"

	"k8s.io/cli-runtime/pkg/printers"
)

// Style says what a text means; a Palette knows how that looks.
type Style int

const (
	// Plain means nothing in particular.
	Plain Style = iota
	// Good is as it should be.
	Good
	// Busy moves by itself.
	Busy
	// Waiting waits for a person or a time.
	Waiting
	// Bad needs a look.
	Bad
	// Faint is in the background.
	Faint
)

// Palette gives styles their colours.
type Palette bool

const (
	// Monochrome has no colours, for files, pipes and those who asked for none.
	Monochrome Palette = false
	// Colour is for terminals.
	Colour Palette = true
)

// code is the terminal's sequence for a style; empty for none.
func (s Style) code() string {
	switch s {
	case Good:
		return "\x1b[32m"
	case Busy:
		return "\x1b[36m"
	case Waiting:
		return "\x1b[33m"
	case Bad:
		return "\x1b[31m"
	case Faint:
		return "\x1b[2m"
	case Plain:
	}
	return ""
}

// Paint puts a text into the colour of a style.
func (p Palette) Paint(style Style, text string) string {
	code := style.code()
	if !bool(p) || code == "" || text == "" {
		return text
	}
	return code + text + "\x1b[0m"
}

// Cell is a text in a table or a tree.
type Cell struct {
	// Text of the cell. Line breaks and control characters are made harmless when it is written.
	Text string
	// Style of the text.
	Style Style
}

// none stands for a value that is not there.
const none = "-"

// cell makes a plain cell; nothing becomes a dash.
func cell(text string) Cell {
	if text == "" {
		return Cell{Text: none, Style: Faint}
	}
	return Cell{Text: text}
}

// safe is the text on one line, without what a terminal would obey: it comes from objects that others write.
func (c Cell) safe() string { return oneLine(c.Text) }

func oneLine(text string) string {
	return printers.EscapeTerminal(strings.NewReplacer("\n", " ", "\r", " ", "\t", " ", "\f", " ", "\v", " ").Replace(text))
}

func (c Cell) width() int { return utf8.RuneCountInString(c.safe()) }
