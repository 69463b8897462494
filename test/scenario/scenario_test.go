package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden"
)

func TestMain(m *testing.M) { golden.Main(m) }

const folder = "../scenarios"

// Every file can be read, and its Rollout is one that the API server accepts.
func TestFiles(t *testing.T) {
	scenarios, err := Load(os.DirFS(folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		rollout := builder.Rollout(Name).Obj()
		s.Spec.DeepCopyInto(&rollout.Spec)
		if rollout.Spec.WorkloadRef == nil {
			rollout.Spec.Template = builder.Rollout(Name).Obj().Spec.Template
		}
		if err := v1alpha1.ValidateRollout(rollout).ToAggregate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

// words are all sentences with what they mean, by section.
func words() []section {
	s := story{}
	return []section{
		{title: "Set-up", forms: described(settings())},
		{title: "Parts of a step", within: true, forms: described(stepParts())},
		{title: "Changes of steps, after `change`", from: 1, forms: described(stepChanges())},
		{title: "Waits and checks", forms: described(checks())},
		{title: "What a user does", forms: described(s.edits())},
		{title: "What others do", forms: described(accidents())},
		{title: "Conditions", from: 1, forms: described(conditions())},
		{title: "Objects", from: -1, forms: described(objectForms())},
	}
}

// section is a list of sentences that stand in the same place.
type section struct {
	title string
	forms []sentence
	// from is the word of a line at which they begin; -1 for anywhere. Those within a line need not end it.
	from   int
	within bool
}

type sentence struct {
	words, about string
	need         Need
}

func described[T any](forms []form[T]) []sentence {
	out := make([]sentence, 0, len(forms))
	for _, f := range forms {
		out = append(out, sentence{f.words, f.about, f.need})
	}
	return out
}

// WORDS.md lists every word. It is written by this test.
func TestEveryWordIsListed(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Words of scenarios\n\nMade from `test/scenario` by `go test ./test/scenario -rewrite`. README.md says how they go together.\n")
	for _, s := range words() {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		for _, f := range s.forms {
			fmt.Fprintf(&b, "- `%s`", f.words)
			if f.about != "" {
				fmt.Fprintf(&b, ": %s", f.about)
			}
			if f.need != "" {
				fmt.Fprintf(&b, " *(needs %s)*", f.need)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n## Gaps\n\n")
	kinds := gapKinds()
	for _, name := range []string{
		"<version>", "<arm>", "<count>", "<percent>", "<limit>", "<duration>", "<step>", "<strategy>", "<action>", "<phase>",
		"<verdict>", "<gate>", "<type>", "<truth>", "<reason>", "<when>", "<word>", "<text>",
	} {
		fmt.Fprintf(&b, "- `%s`: %s\n", name, kinds[name].write)
		delete(kinds, name)
	}
	for name := range kinds {
		t.Errorf("the gap %s is not listed", name)
	}
	golden.Compare(t, folder+"/WORDS.md", b.String())
}

// Every sentence is in at least one file: the language has no word that nothing needs.
func TestEveryWordIsUsed(t *testing.T) {
	used := map[string]bool{}
	files, err := filepath.Glob(folder + "/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			words, err := split(line)
			if err != nil {
				t.Fatal(err)
			}
			use(used, words)
		}
	}
	for _, s := range words() {
		for _, f := range s.forms {
			if !used[s.title+f.words] {
				t.Errorf("%s: no scenario has %q", s.title, f.words)
			}
		}
	}
}

// use notes the sentences that a line is read by: whole lines, what follows their first word, and parts of steps.
func use(used map[string]bool, line []string) {
	for _, s := range words() {
		for from := range line {
			for to := from + 1; to <= len(line); to++ {
				if s.within || to == len(line) && (from == s.from || s.from < 0) {
					mark(used, s, line[from:to])
				}
			}
		}
	}
}

// mark notes the first sentence of a section that reads the words.
func mark(used map[string]bool, s section, words []string) {
	for _, f := range s.forms {
		if _, _, instead := match(f.words, words); instead == "" {
			used[s.title+f.words] = true
			return
		}
	}
}
