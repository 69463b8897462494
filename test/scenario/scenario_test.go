package scenario

import (
	"fmt"
	"os"
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
		rollout.Spec.Template = builder.Rollout(Name).Obj().Spec.Template
		if err := v1alpha1.ValidateRollout(rollout).ToAggregate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

// words are all sentences with what they mean, by section.
func words() []section {
	s := story{}
	return []section{
		{"Set-up", "", described(settings())},
		{"Parts of a step", "step ", described(stepParts())},
		{"Changes of steps, after `change`", "change ", described(stepChanges())},
		{"Waits and checks", "", described(checks())},
		{"What a user does", "", described(s.edits())},
		{"What others do", "", described(accidents())},
		{"Conditions", "", described(conditions())},
		{"Objects", "", described(objectForms())},
	}
}

type section struct {
	title, before string
	forms         []sentence
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
		"<version>", "<count>", "<percent>", "<limit>", "<duration>", "<step>", "<strategy>", "<action>", "<phase>",
		"<verdict>", "<gate>", "<type>", "<truth>", "<reason>", "<text>",
	} {
		fmt.Fprintf(&b, "- `%s`: %s\n", name, kinds[name].write)
		delete(kinds, name)
	}
	for name := range kinds {
		t.Errorf("the gap %s is not listed", name)
	}
	golden.Compare(t, folder+"/WORDS.md", b.String())
}
