package render

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Frame draws a text again and again at the same place of a terminal.
type Frame struct {
	lines int
}

// Next is what to write to put a text in the place of the one before. Lines are cut at the width of the terminal and the
// text at its height, for what has scrolled away cannot be drawn over. A width or height of 0 is not known.
func (f *Frame) Next(text string, width, height int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if height > 1 && len(lines) > height-1 {
		hidden := len(lines) - (height - 2)
		lines = append(lines[:height-2], fmt.Sprintf("… %d more lines", hidden))
	}
	var out strings.Builder
	if f.lines > 0 {
		// Up to the first line of the last frame, and to its first column.
		fmt.Fprintf(&out, "\x1b[%dA\r", f.lines)
	}
	for _, line := range lines {
		out.WriteString(cut(line, width))
		// Clear what the last frame left on the right.
		out.WriteString("\x1b[K\n")
	}
	// Clear what it left below.
	out.WriteString("\x1b[J")
	f.lines = len(lines)
	return out.String()
}

// cut ends a line at a width. Colour sequences take no room, and the last one is closed.
func cut(line string, width int) string {
	if width <= 0 || utf8.RuneCountInString(line) <= width {
		return line
	}
	var out strings.Builder
	room, coloured, inSequence := width, false, false
	for _, c := range line {
		switch {
		case c == '\x1b':
			inSequence, coloured = true, true
		case inSequence:
			inSequence = c != 'm'
		case room == 0:
			return closed(out.String(), coloured)
		default:
			room--
		}
		out.WriteRune(c)
	}
	return out.String()
}

func closed(line string, coloured bool) string {
	if coloured {
		return line + "\x1b[0m"
	}
	return line
}
