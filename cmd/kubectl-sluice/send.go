package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-dev/sluice/controller/command"
)

// answerTimeout is how long commands wait for the controller's answer, which takes well under a second when it runs.
const answerTimeout = 10 * time.Second

// sending is how a command is sent to the controller.
type sending struct {
	wait    bool
	timeout time.Duration
}

func (s *sending) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.wait, "wait", true, "Wait for the controller's answer.")
	cmd.Flags().DurationVar(&s.timeout, "timeout", answerTimeout, "How long to wait for the controller's answer; 0 is for ever.")
}

// steerer makes a command whose whole work is to send one action to the controller.
func steerer(e *environment, action string, cmd *cobra.Command) *cobra.Command {
	s := &sending{}
	cmd.GroupID = groupSteer
	cmd.Args = oneRollout
	cmd.ValidArgsFunction = e.completeOneRollout
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return e.send(cmd.Context(), nameOf(args[0]), action, *s)
	}
	s.addFlags(cmd)
	return cmd
}

// send sends an action, waits for the answer, and says what was done.
func (e *environment) send(ctx context.Context, name, action string, s sending) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	sent, err := command.Send(ctx, t.client, t.key, action, e.newID())
	if err != nil {
		return t.explain(ctx, err)
	}
	if !s.wait {
		fmt.Fprintf(e.Out, "rollout %q, revision %s: %s sent\n", name, sent.Revision, action)
		return nil
	}
	answer, err := e.follower(t).Await(ctx, t.key, sent, s.timeout)
	switch {
	case errors.Is(err, command.ErrTimeout):
		return fmt.Errorf("the controller has not answered the %s of revision %s of rollout %q within %s: see whether it runs "+
			"with \"kubectl sluice version\"; the command stands and is handled when it does: %w", action, sent.Revision, name,
			s.timeout, err)
	case apierrors.IsNotFound(err):
		return t.gone()
	case err != nil:
		return t.explain(ctx, err)
	}
	said := fmt.Sprintf("rollout %q: %s", name, answer.Message)
	if !strings.Contains(answer.Message, sent.Revision) {
		said = fmt.Sprintf("rollout %q, revision %s: %s", name, sent.Revision, answer.Message)
	}
	if !answer.Accepted {
		return errors.New(said)
	}
	fmt.Fprintln(e.Out, said)
	return nil
}
