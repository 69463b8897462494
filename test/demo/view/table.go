package view

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/load/stats"
)

// Result is how one release went.
type Result struct {
	// Version that was released.
	Version string
	// Strategy by which; empty for the first version, which takes no steps.
	Strategy string
	// Outcome and Reason are those of the Rollout's history.
	Outcome v1alpha1.Outcome
	Reason  string
	// Took is the time from the start of the release to its outcome.
	Took time.Duration
	// Tally counts the requests that ended from the start of the release to the start of the next one.
	Tally stats.Tally
}

// OtherFailures are the requests that failed for any reason but an error of the faulty version's own.
func (r Result) OtherFailures(faulty string) int64 {
	return r.Tally.All.Bad() - r.Tally.Versions[faulty].AppErrors
}

// Table sums up the releases. Errors that the faulty version answered itself are told from all other failures.
func Table(results []Result, faulty string) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "VERSION\tRELEASED BY\tOUTCOME\tTOOK\tREQUESTS\tFAILED\tNOT BY %s ITSELF\n", strings.ToUpper(faulty))
	for _, r := range results {
		strategy := r.Strategy
		if strategy == "" {
			strategy = "first install"
		}
		outcome := string(r.Outcome)
		if r.Reason != "" && r.Reason != outcome {
			outcome += " (" + r.Reason + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Version, strategy, outcome, r.Took.Round(time.Second), requests(r, faulty))
	}
	_ = w.Flush()
	return out.String()
}

func requests(r Result, faulty string) string {
	if r.Tally.All.Requests == 0 {
		return "none\t-\t-"
	}
	return fmt.Sprintf("%d\t%d (%.2f %%)\t%s", r.Tally.All.Requests, r.Tally.All.Bad(), 100*r.Tally.All.BadShare(),
		strconv.FormatInt(r.OtherFailures(faulty), 10))
}
