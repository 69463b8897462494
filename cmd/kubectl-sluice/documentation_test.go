package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
	"github.com/sluice-dev/sluice/test/golden"
)

const manual = "../../docs/cli.md"

func TestManualHasEveryCommandAndFlag(t *testing.T) {
	page, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	c := newTerminal(t, controller())
	for _, cmd := range commands(newRoot(c.environment)) {
		if cmd.HasSubCommands() {
			continue
		}
		row := "| `" + strings.TrimSuffix(strings.TrimPrefix(cmd.UseLine(), "kubectl sluice "), " [flags]") + "` |"
		_, text, found := strings.Cut(string(page), "\n"+row)
		if !found {
			t.Errorf("%s has no row %q", manual, row)
			continue
		}
		text, _, _ = strings.Cut(text, "\n")
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			// Those of every command, of every command with -o, and, below the table, of those that wait for an answer.
			shared := []string{"help", "template", "allow-missing-template-keys", "show-managed-fields"}
			if cmd.Flags().Lookup("wait") != nil {
				shared = append(shared, "wait", "timeout")
			}
			if !slices.Contains(shared, f.Name) && !strings.Contains(text, "--"+f.Name) {
				t.Errorf("%s does not say what --%s of %q does", manual, f.Name, cmd.CommandPath())
			}
		})
	}
}

// TestManualIsTrue runs the examples of the manual, each block on a namespace of its own.
func TestManualIsTrue(t *testing.T) {
	page, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "```console\n", "```\n"
	blocks := strings.Split(string(page), begin)
	for i, block := range blocks[1:] {
		example, rest, found := strings.Cut(block, end)
		if !found {
			t.Fatalf("example %d of %s does not end:\n%s", i+1, manual, block)
		}
		t.Run(fmt.Sprintf("example %d", i+1), func(t *testing.T) {
			t.Chdir("../..") // files are named as from the root of the repository
			blocks[i+1] = playExample(t, example) + end + rest
		})
	}
	golden.Compare(t, manual, strings.Join(blocks, begin))
}

// playExample runs the commands of an example, and returns them with what a person would see.
func playExample(t *testing.T, example string) string {
	t.Helper()
	c := newTerminal(t, controller(), manualNamespace()...)
	c.clock = hurried{clocktesting.NewFakeClock(now())}
	var seen bytes.Buffer
	c.Out, c.ErrOut = &seen, &seen
	for line := range strings.Lines(example) {
		prompt, isCommand := strings.CutPrefix(line, "$ kubectl sluice ")
		if !isCommand {
			continue
		}
		arguments, wantsCode := strings.CutSuffix(strings.TrimSpace(prompt), "; echo $?")
		seen.WriteString(line)
		if code := c.run(t, strings.Fields(arguments)...); wantsCode {
			fmt.Fprintln(&seen, code)
		}
	}
	return seen.String()
}

// manualNamespace is what the examples of the manual are run on.
func manualNamespace() []client.Object {
	checkout := rollout("checkout", image("shop/checkout:v7"))
	search := rollout("search", image("shop/search:v5"), aborted, func(r *v1alpha1.Rollout) {
		why := "analysis step-1 failed at step 1/2: success-rate: 0.81 failed result >= 0.95 in 3 of 3 measurements, limit 2"
		r.Status.Step, r.Status.Weight, r.Status.UpdatedReplicas, r.Status.State.Message = "1/2", "0", 0, why
		r.Status.Message = "revision " + candidate + " is aborted: " + why + "; stable is " + stable + "; retry it, or change the template"
		r.Status.State.Reason, r.Status.Conditions = v1alpha1.ReasonAnalysisFailed, because(v1alpha1.ReasonAnalysisFailed)
		r.Status.History = []v1alpha1.ReleaseRecord{{Revision: candidate, EndedAt: metav1.NewMicroTime(now().Add(-25 * time.Minute))}}
	})
	objects := append(services("checkout", stable, stable), checkout, search, compared(20))
	objects = append(objects, replicaSet(checkout, stable, 1, "shop/checkout:v7", 3)...)
	for _, object := range release() {
		if r, is := object.(*v1alpha1.Rollout); is {
			image("shop/web:v3")(r)
			r.Status.UpdatedReplicas = 1
			r.Status.State.GatesAt = metav1.NewMicroTime(now().Add(-7 * time.Minute))
			r.Status.Conditions = because(v1alpha1.ReasonAwaitingPromotion)
		}
		objects = append(objects, object)
	}
	return objects
}

// because is what conditions say of a Rollout that is not ready.
func because(reason string) []metav1.Condition {
	return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason}}
}

// image is the only one of a Rollout.
func image(reference string) func(*v1alpha1.Rollout) {
	return func(r *v1alpha1.Rollout) {
		r.Spec.Template = builder.Rollout(r.Name).Image(reference).Obj().Spec.Template
	}
}
