package render

import "strings"

// Paragraph breaks a text between words at a width; 0, and a width that is too narrow to read, leave it whole.
func Paragraph(text string, width int) string {
	text = oneLine(text)
	if width < narrowest {
		return text + "\n"
	}
	return strings.Join(wrap(text, width), "\n") + "\n"
}
