package view

// Style is what a line means to the eye.
type Style int

// Styles of lines.
const (
	// Plain is most of the text.
	Plain Style = iota
	// Strong is what one looks at first.
	Strong
	// Faint is what one need not look at.
	Faint
	// Good is what one hoped for.
	Good
	// Bad is what one did not.
	Bad
)

// Paint puts a line into a style.
type Paint func(Style, string) string

// Mono leaves every line as it is: for files, and for terminals that ask for no colour.
func Mono(_ Style, line string) string { return line }

// Colour uses the eight colours that every terminal has.
func Colour(style Style, line string) string {
	var code string
	switch style {
	case Strong:
		code = "1"
	case Faint:
		code = "2"
	case Good:
		code = "32"
	case Bad:
		code = "31"
	case Plain:
	}
	if code == "" || line == "" {
		return line
	}
	return "\x1b[" + code + "m" + line + "\x1b[0m"
}
