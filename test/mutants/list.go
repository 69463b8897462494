package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// mutant is one protection that is taken out of the code, and the test that must miss it. In a list it is a paragraph:
//
//	B15 A weight above 100 % reaches the route.
//	in trafficrouting/gatewayapi/router.go
//	| 	if weight < 0 ||
//	- weight > v1alpha1.MaxWeight {
//	+ weight > 2*v1alpha1.MaxWeight {
//	caught by trafficrouting/gatewayapi TestB15WeightsStayWithinTheLimits
//
// The lines after "- " are the text to be replaced, those after "+ " what takes its place, and those after "| " stand in
// both. The text must occur exactly once in the file; its first line may begin, and its last may end, within a line.
// Lines that begin with # are comments.
type mutant struct {
	// class is a class of bugs, B01 to B23, or the name of an invariant.
	class string
	// title says in one sentence what goes wrong without the protection.
	title string
	// file has the protection; its path is relative to the module, with slashes.
	file string
	// old is the text with the protection, and replacement the text without.
	old, replacement string
	// pkg is the folder of the package of the test, and test the name of its function.
	pkg, test string
}

// readLists reads all lists of a folder, in the order of their names.
func readLists(root fs.FS, folder string) ([]mutant, error) {
	names, err := fs.Glob(root, path.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	var out []mutant
	for _, name := range names {
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, err
		}
		mutants, err := parseList(string(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, mutants...)
	}
	return out, nil
}

// parseList reads the paragraphs of a list. The error names the first line of the paragraph that is wrong.
func parseList(text string) ([]mutant, error) {
	var out []mutant
	var paragraph []string
	for _, line := range append(strings.Split(text, "\n"), "") {
		switch {
		case strings.HasPrefix(line, "#"):
		case line != "":
			paragraph = append(paragraph, line)
		case len(paragraph) > 0:
			m, err := parseMutant(paragraph)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", paragraph[0], err)
			}
			out, paragraph = append(out, m), nil
		}
	}
	return out, nil
}

// parseMutant reads one paragraph.
func parseMutant(lines []string) (mutant, error) {
	var m mutant
	var old, replacement []string
	m.class, m.title, _ = strings.Cut(lines[0], " ")
	for _, line := range lines[1:] {
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "in":
			m.file = rest
		case "|":
			old, replacement = append(old, rest), append(replacement, rest)
		case "-":
			old = append(old, rest)
		case "+":
			replacement = append(replacement, rest)
		case "caught":
			m.pkg, m.test, _ = strings.Cut(strings.TrimPrefix(rest, "by "), " ")
		default:
			return mutant{}, fmt.Errorf("line %q begins with none of: in, |, -, +, caught by", line)
		}
	}
	m.old, m.replacement = strings.Join(old, "\n"), strings.Join(replacement, "\n")
	return m, m.complete()
}

// complete says what a paragraph lacks.
func (m mutant) complete() error {
	switch {
	case m.title == "":
		return errors.New(`the first line needs a class and a sentence, "B01 Traffic goes to no pods."`)
	case m.file == "":
		return errors.New(`there is no line "in FILE"`)
	case m.old == "" || m.old == m.replacement:
		return errors.New(`there is nothing to take out: write lines that begin with "- "`)
	case m.pkg == "" || m.test == "":
		return errors.New(`there is no line "caught by PACKAGE TEST"`)
	}
	return nil
}

// mutate takes the protection out of the text of the file.
func (m mutant) mutate(source string) (string, error) {
	if n := strings.Count(source, m.old); n != 1 {
		return "", fmt.Errorf("%s has this text %d times, and must have it once:\n%s", m.file, n, indent(m.old))
	}
	return strings.Replace(source, m.old, m.replacement, 1), nil
}

// indent sets a text off from what is around it.
func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
