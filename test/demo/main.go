// Command demo shows a release go out by itself, and a bad one come back, on a real cluster.
//
// It installs version v1 of a sample app behind a gateway and sends it steady load. It releases v2 as a canary with an
// analysis at each step, then v3, which answers one request in five with an error, and then v4 by blue/green. It draws
// what happens, sums it up in a table whose figures are counters of the load generator, and ends with an error unless
// v2 and v4 were promoted without a failed request, and v3 was aborted by itself without a failure that it did not
// answer itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluice-dev/sluice/test/demo/view"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:], newScreen(os.Stdout, os.Getenv("NO_COLOR") != ""))
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

// run tells the whole story and says what was not as it should be.
func run(ctx context.Context, args []string, screen *screen) error {
	options, err := parse(args)
	if err != nil {
		return err
	}
	cluster, err := connect(options)
	if err != nil {
		return err
	}
	if err := cluster.check(ctx); err != nil {
		return err
	}
	s := &story{cluster: cluster, options: options, screen: screen, startedAt: cluster.clock.Now()}
	err = s.tell(ctx)
	if len(s.results) > 0 {
		screen.text("\n" + view.Table(s.results, faulty))
	}
	if err != nil {
		return err
	}
	if err := verdict(s.results, s.afterAbort); err != nil {
		return err
	}
	screen.text(options.closing(s.endsAt))
	return nil
}
