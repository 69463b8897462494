package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Groups of commands in the help.
const (
	groupSee    = "see"
	groupSteer  = "steer"
	groupChange = "change"
)

// newRoot is the command above all others.
func newRoot(e *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-sluice",
		Short: "See and steer the releases of Rollouts",
		Long: `See and steer the releases of Rollouts.

Every command says what it did and to which revision. On a Rollout in the wrong state it changes nothing, and says
which state that is and what would work.

Exit codes: 0 done, healthy; 1 failed, refused, aborted or degraded; 2 wrong command line; 124 timed out.
All of kubectl's flags about connections work here too, such as --as, --cluster, --server, --token and --user.`,
		Example: `  kubectl sluice list -A                      # every Rollout
  kubectl sluice get web --watch              # one Rollout with its revisions, pods and analyses, as they change
  kubectl sluice plan web --image app=web:v2  # what a release of another version will do
  kubectl sluice set image web app=web:v2     # release it
  kubectl sluice status web --timeout 10m     # wait until that is done, or has failed
  kubectl sluice why web                      # what it waits for, and what would move it
  kubectl sluice promote web                  # let it go on from where it waits
  kubectl sluice abort web                    # send all traffic back`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl sluice"},
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(e.In)
	root.SetOut(e.Out)
	root.SetErr(e.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%w", err) })
	root.AddGroup(
		&cobra.Group{ID: groupSee, Title: "See:"},
		&cobra.Group{ID: groupSteer, Title: "Steer a release:"},
		&cobra.Group{ID: groupChange, Title: "Change what is released:"},
	)
	e.flags.AddFlags(root.PersistentFlags())
	hideConnectionFlags(root.PersistentFlags())
	root.AddCommand(
		newList(e), newGet(e), newStatus(e), newPlan(e), newPower(e), newWhy(e), newAnalysis(e), newAnalyze(e), newVersion(e),
		newPromote(e), newAbort(e), newRetry(e), newPause(e), newResume(e), newRestart(e),
		newSet(e), newUndo(e), newMigrate(e), newEject(e),
	)
	addCompletion(e, root)
	return root
}

// hideConnectionFlags keeps the help short: two dozen flags of kubectl work without being listed by every command.
func hideConnectionFlags(flags *pflag.FlagSet) {
	flags.VisitAll(func(flag *pflag.Flag) {
		switch flag.Name {
		case "namespace", "context", "kubeconfig", "request-timeout":
		default:
			flag.Hidden = true
		}
	})
}
