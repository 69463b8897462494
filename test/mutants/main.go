// Command mutants shows that the tests bite: it takes the lines that protect from the known bugs of rollout controllers out
// of the code, one at a time, and runs the test that must fail then.
//
//	go run ./test/mutants               # all of them, two at a time
//	go run ./test/mutants -run 'B0[1-4]' # those whose class or title matches
//
// The mutants are in list/*.txt; list.go describes how they are written. A mutant is built with `go test -overlay`, so that
// the tree is never touched. It is caught when the named test fails. It has survived when the test passes: then either
// the test is too weak, or the line protects from nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run does what the arguments ask for. The error says how many mutants were not caught.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	root := flags.String("root", ".", "folder of the module")
	list := flags.String("list", "test/mutants/list", "folder of the lists, below the root")
	pick := flags.String("run", "", "regular expression: only mutants whose class and title match")
	parallel := flags.Int("parallel", 2, "how many mutants are built and run at the same time")
	timeout := flags.Duration("timeout", time.Minute, "how long the test of one mutant may take")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*pick)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	mutants, err := readLists(os.DirFS(*root), *list)
	if err != nil {
		return err
	}
	lab, err := newLab(*root, *timeout)
	if err != nil {
		return err
	}
	defer lab.close()
	return report(ctx, lab, matching(mutants, wanted), max(1, *parallel), out)
}

// matching are the mutants whose class and title match.
func matching(mutants []mutant, wanted *regexp.Regexp) []mutant {
	var out []mutant
	for _, m := range mutants {
		if wanted.MatchString(m.class + " " + m.title) {
			out = append(out, m)
		}
	}
	return out
}

// report tries mutants, and prints one line for each as it is done, and the sum.
func report(ctx context.Context, lab *lab, mutants []mutant, parallel int, out io.Writer) error {
	begun := time.Now()
	if len(mutants) == 0 {
		return fmt.Errorf("no mutant matches")
	}
	if err := lab.passUnchanged(ctx, mutants); err != nil {
		return err
	}
	count := map[verdict]int{}
	for result := range lab.tryAll(ctx, mutants, parallel) {
		count[result.verdict]++
		fmt.Fprintf(out, "%-13s %-16s %5.1fs  %s (%s)\n", result.mutant.class, result.verdict, result.took.Seconds(),
			result.mutant.title, result.mutant.test)
		if result.verdict != caught {
			fmt.Fprintf(out, "%s\n", indent(result.output))
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d mutants: %d caught, %d survived, %d do not compile, %d hang; %s\n", len(mutants), count[caught],
		count[survived], count[broken], count[hangs], time.Since(begun).Round(time.Second))
	if left := len(mutants) - count[caught]; left > 0 {
		return fmt.Errorf("%d of %d mutants are not caught", left, len(mutants))
	}
	return nil
}
