package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// subcommand refuses arguments of a command that only has subcommands, and names the subcommands that resemble them.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := ""
	if near := nearest(args[0], names); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return usage(cmd, "%q is no command of %q%s", args[0], cmd.CommandPath(), hint)
}

// oneRollout allows the name of exactly one Rollout.
func oneRollout(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usage(cmd, "the name of a rollout is missing; \"kubectl sluice list\" shows those there are")
	case len(args) > 1:
		return usage(cmd, "one rollout at a time: %s is too much", strings.Join(args[1:], " "))
	case nameOf(args[0]) == "" || strings.Contains(nameOf(args[0]), "/"):
		return usage(cmd, "%q is not the name of a rollout: write web or rollout/web", args[0])
	}
	return nil
}

// nothing allows no arguments.
func nothing(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd, "%q takes no arguments, and %s is one too many", cmd.CommandPath(), strings.Join(args, " "))
	}
	return nil
}

// nameOf is the name in an argument such as web, rollout/web or, as -o name prints it, rollout.sluice.dev/web.
func nameOf(argument string) string {
	kind, name, found := strings.Cut(argument, "/")
	if !found {
		return argument
	}
	switch strings.TrimSuffix(kind, ".sluice.dev") {
	case "rollout", "rollouts", "ro":
		return name
	}
	return argument
}
