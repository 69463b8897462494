package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

func newSet(e *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set",
		Short:   "Change the template: set image",
		GroupID: groupChange,
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSetImage(e))
	return cmd
}

func newSetImage(e *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "image NAME CONTAINER=IMAGE...",
		Short: "Set images of containers, and so release another revision",
		Long: `Set images of containers and init containers, and so release another revision. Nothing else in the template changes.

The container * stands for all of them.`,
		Example: `  kubectl sluice set image web app=shop/web:v2
  kubectl sluice set image web app=shop/web:v2 proxy=proxy:v8`,
		Args:              rolloutAndImages,
		ValidArgsFunction: e.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			images, err := parseImages(cmd, args[1:])
			if err != nil {
				return err
			}
			return e.setImages(cmd.Context(), nameOf(args[0]), images)
		},
	}
}

func rolloutAndImages(cmd *cobra.Command, args []string) error {
	if err := oneRollout(cmd, args[:min(len(args), 1)]); err != nil {
		return err
	}
	if len(args) == 1 {
		return usage(cmd, "what to set is missing: write <container>=<image>, such as app=shop/web:v2")
	}
	return nil
}

func parseImages(cmd *cobra.Command, args []string) ([]command.Image, error) {
	images := make([]command.Image, 0, len(args))
	for _, arg := range args {
		container, image, found := strings.Cut(arg, "=")
		if !found || container == "" || image == "" {
			return nil, usage(cmd, "%q is not <container>=<image>, such as app=shop/web:v2", arg)
		}
		images = append(images, command.Image{Container: container, Image: image})
	}
	return images, nil
}

func (e *environment) setImages(ctx context.Context, name string, images []command.Image) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	changes, err := command.SetImages(ctx, t.client, t.key, images)
	if err != nil {
		return t.explain(ctx, err)
	}
	changed := false
	for _, c := range changes {
		if c.From == c.To {
			fmt.Fprintf(e.Out, "rollout %q: container %s has image %s already\n", name, c.Container, c.To)
			continue
		}
		changed = true
		fmt.Fprintf(e.Out, "rollout %q: container %s: %s is now %s\n", name, c.Container, c.From, c.To)
	}
	if changed {
		e.announce(ctx, t, "")
	}
	return nil
}

// announce says which revision an edit has asked for, by default the one that the template makes, and warns when
// something else deploys the Rollout. The edit is done: what cannot be found out now is left unsaid.
func (e *environment) announce(ctx context.Context, t target, hash string) {
	r := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, r); err != nil {
		return
	}
	// Once hashes have collided, that of a template depends on the ReplicaSets too, and is the controller's to say.
	if hash == "" && r.Status.State.CollisionCount == 0 {
		// A template that has no hash is refused by the controller, in the status.
		if resolved, _, err := command.Resolve(ctx, t.client, r); err == nil {
			hash, _ = targetOf(resolved, nil)
		}
	}
	switch {
	case hash == "":
	case r.Spec.Paused:
		fmt.Fprintf(e.Out, "rollout %q asks for revision %s, which spec.paused holds until \"kubectl sluice resume %s\"\n",
			r.Name, hash, r.Name)
	default:
		fmt.Fprintf(e.Out, "rollout %q asks for revision %s; \"kubectl sluice status %s\" waits for it\n", r.Name, hash, r.Name)
	}
	e.warnOfDeployer(r)
}
