package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// patience is how much time a scenario may let pass without the need of a clock.
const patience = 5 * time.Second

// Load reads every scenario of a folder, by name.
func Load(folder fs.FS) ([]*Scenario, error) {
	names, err := fs.Glob(folder, "*.txt")
	if err != nil {
		return nil, err
	}
	var out []*Scenario
	var errs []error
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		s, err := Parse(name, string(text))
		out, errs = append(out, s), append(errs, err)
	}
	return out, errors.Join(errs...)
}

// Parse reads a scenario. The error has a line for each line that is wrong, with what to write instead.
func Parse(file, text string) (*Scenario, error) {
	p := parser{out: &Scenario{Name: strings.TrimSuffix(path.Base(file), ".txt"), Spec: initialSpec()}, needs: map[Need]bool{}}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(i+1, strings.TrimSpace(line)); err != nil {
			p.errs = append(p.errs, fmt.Errorf("%s:%d: %w", file, i+1, err))
		}
	}
	if p.out.About == "" {
		p.errs = append(p.errs, fmt.Errorf("%s:1: it does not say what it shows: begin with a line such as %q", file, "# A failed analysis aborts."))
	}
	if p.story == nil {
		p.errs = append(p.errs, fmt.Errorf("%s: nothing happens: write a line such as release v1 after the set-up", file))
	}
	if p.passed > patience && !p.needs[NeedClock] {
		p.errs = append(p.errs, fmt.Errorf("%s: %s pass, for which nobody waits: write needs clock, or at most %s in all", file, p.passed, patience))
	}
	for _, need := range AllNeeds() {
		if p.needs[need] {
			p.out.Needs = append(p.out.Needs, need)
		}
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return p.out, nil
}

// parser reads one file, line by line.
type parser struct {
	out *Scenario
	// story is nil until the set-up is over.
	story  *story
	needs  map[Need]bool
	passed time.Duration
	errs   []error
}

func (p *parser) line(number int, text string) error {
	if comment, ok := strings.CutPrefix(text, "#"); ok {
		p.comment(comment)
		return nil
	}
	words, err := split(text)
	if err != nil || len(words) == 0 {
		return err
	}
	if words[0] == "needs" {
		return p.need(words)
	}
	if p.story == nil {
		begun := story{spec: p.out.Spec}
		if _, _, err := read(begun.lines(), words); err != nil && opens(settings(), words[0]) {
			return p.set(words)
		}
	}
	return p.tell(number, text, words)
}

// comment takes what stands before the set-up as what the scenario shows.
func (p *parser) comment(text string) {
	if p.story == nil && len(p.needs) == 0 && p.out.Spec.Strategy == (v1alpha1.Strategy{}) {
		p.out.About = strings.TrimSpace(p.out.About + " " + strings.TrimSpace(text))
	}
}

// set reads a line of the set-up.
func (p *parser) set(words []string) error {
	set, need, err := read(settings(), words)
	if err != nil {
		return err
	}
	if need != "" {
		p.needs[need] = true
	}
	return set(&p.out.Spec)
}

// opens says whether one of the forms begins with a word.
func opens[T any](forms []form[T], word string) bool {
	return slices.ContainsFunc(forms, func(f form[T]) bool { return strings.Fields(f.words)[0] == word })
}

// need reads what a driver must have: only the clock is said, the others follow from the words.
func (p *parser) need(words []string) error {
	if p.story != nil || strings.Join(words, " ") != needsClock {
		return fmt.Errorf("write %s, before the first event; other needs follow from the words", needsClock)
	}
	p.needs[NeedClock] = true
	return nil
}

const needsClock = "needs clock"

// tell reads a line of the story.
func (p *parser) tell(number int, text string, words []string) error {
	if p.story == nil {
		if p.out.Spec.Strategy == (v1alpha1.Strategy{}) {
			return fmt.Errorf("there is no strategy: begin the set-up with a line such as strategy canary")
		}
		p.story = &story{spec: p.out.Spec}
	}
	line, need, err := read(p.story.lines(), words)
	if err != nil {
		return err
	}
	if need != "" {
		p.needs[need] = true
	}
	p.passed += line.Duration
	line.Number, line.Text = number, text
	p.out.Lines = append(p.out.Lines, line)
	return nil
}
