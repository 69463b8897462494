package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

// completionTimeout is how long a shell waits for the cluster when the tabulator is pressed.
const completionTimeout = 3 * time.Second

// kubectlCompletion is the program that kubectl looks for to complete "kubectl sluice ...".
const kubectlCompletion = `#!/bin/sh
# Completes "kubectl sluice ...": make it executable and put it on the PATH as kubectl_complete-sluice.
exec kubectl sluice __complete "$@"
`

// addCompletion adds the command that prints completions, and the values of the flags that all commands have.
func addCompletion(e *environment, root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Args, cmd.RunE = subcommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.AddCommand(newCompletionKubectl(e))
		for _, shell := range cmd.Commands() {
			shell.Args = nothing
		}
	}
	// These cannot fail: the flags exist, and nothing else completes them.
	_ = root.RegisterFlagCompletionFunc("namespace", e.completeNamespaces)
	_ = root.RegisterFlagCompletionFunc("context", e.completeContexts)
}

func newCompletionKubectl(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl",
		Short: "Print the program with which kubectl completes \"kubectl sluice\"",
		Long: `Print the program with which kubectl completes "kubectl sluice", next to kubectl's own completion:

  kubectl sluice completion kubectl > ~/.local/bin/kubectl_complete-sluice
  chmod +x ~/.local/bin/kubectl_complete-sluice`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(e.Out, kubectlCompletion)
			return err
		},
	}
}

// completeOneRollout completes the only argument of a command: the name of a Rollout.
func (e *environment) completeOneRollout(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return e.complete(cmd, word, func(ctx context.Context, t target) ([]string, error) {
		return t.namesOf(ctx, &v1alpha1.RolloutList{}, client.InNamespace(t.key.Namespace))
	})
}

// completeImages completes the name of a Rollout, and then its containers up to the equals sign.
func (e *environment) completeImages(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return e.completeOneRollout(cmd, args, word)
	}
	completions, directive := e.complete(cmd, word, func(ctx context.Context, t target) ([]string, error) {
		r := &v1alpha1.Rollout{}
		if err := t.client.Get(ctx, client.ObjectKey{Namespace: t.key.Namespace, Name: nameOf(args[0])}, r); err != nil {
			return nil, err
		}
		r, _, err := command.Resolve(ctx, t.client, r)
		if err != nil {
			return nil, err
		}
		containers, err := command.Containers(r)
		for i, name := range containers {
			containers[i] = name + "="
		}
		return slices.DeleteFunc(containers, func(c string) bool { return isSet(args[1:], c) }), err
	})
	return completions, directive | cobra.ShellCompDirectiveNoSpace
}

// completeImageFlag completes the containers of the Rollout that was named, up to the equals sign.
func (e *environment) completeImageFlag(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return e.completeImages(cmd, args[:1], word)
}

// isSet says whether one of the arguments sets a container, given as "name=".
func isSet(args []string, container string) bool {
	return slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, container) })
}

func (e *environment) completeNamespaces(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return e.complete(cmd, word, func(ctx context.Context, t target) ([]string, error) {
		return t.namesOf(ctx, &corev1.NamespaceList{})
	})
}

func (e *environment) completeContexts(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	config, err := e.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return beginning(slices.Collect(maps.Keys(config.Contexts)), word), cobra.ShellCompDirectiveNoFileComp
}

// complete asks the cluster for words, and gives up on one that does not answer.
func (e *environment) complete(cmd *cobra.Command, word string, ask func(context.Context, target) ([]string, error),
) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	t, err := e.target("")
	var words []string
	if err == nil {
		words, err = ask(ctx, t)
	}
	if err != nil {
		cobra.CompDebugln(fmt.Sprintf("cannot complete %q: %v", word, err), false)
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return beginning(words, word), cobra.ShellCompDirectiveNoFileComp
}

// beginning are the words with a beginning, in order.
func beginning(words []string, start string) []cobra.Completion {
	var out []cobra.Completion
	for _, w := range words {
		if strings.HasPrefix(w, start) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}
