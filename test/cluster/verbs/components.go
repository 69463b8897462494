package verbs

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/test/cluster/lifecycle"
)

func newStart() *cobra.Command {
	return onComponent("start", "Start a component that was stopped, and wait until it answers",
		func(ctx context.Context, m *lifecycle.Manager, component string) error {
			return m.Start(ctx, component)
		})
}

func newStop() *cobra.Command {
	return onComponent("stop", "Ask a component to end, and wait until it has",
		func(_ context.Context, m *lifecycle.Manager, component string) error { return m.Stop(component) })
}

func newKill() *cobra.Command {
	return onComponent("kill", "End a component without warning, as a crash would",
		func(_ context.Context, m *lifecycle.Manager, component string) error { return m.Kill(component) })
}

// oneComponent wants the name of a component and nothing else.
func oneComponent(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one component, not %d; \"cluster status\" lists them", len(args))
	}
	return nil
}

// onComponent makes a command that does something to one component.
func onComponent(verb, short string, do func(context.Context, *lifecycle.Manager, string) error) *cobra.Command {
	var t target
	cmd := &cobra.Command{
		Use:   verb + " COMPONENT",
		Short: short,
		Long:  short + ".\n\n\"cluster status\" lists the components.",
		Args:  oneComponent,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, _, err := t.work()
			if err != nil {
				return err
			}
			return do(cmd.Context(), m, args[0])
		},
	}
	t.addTo(cmd)
	return cmd
}
