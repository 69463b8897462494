package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
	"github.com/sluice-dev/sluice/controller/command"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
	"github.com/sluice-dev/sluice/trafficrouting/gatewayapi"
)

// settleTime is what gateways and kube-proxies are given after each change of traffic, unless the controller runs with
// another --settle-time or the gateway is one that is known to be slower.
const settleTime = 2 * time.Second

// planning is what to plan.
type planning struct {
	filename string
	images   []string
	podStart time.Duration
	format   dataFormat
}

func newPlan(e *environment) *cobra.Command {
	p := planning{}
	cmd := &cobra.Command{
		Use:   "plan [NAME]",
		Short: "Show what a release will do, step by step",
		Long: `Show what a release will do, step by step: the traffic and the pods of each revision, what it waits for, the most pods at
once, the least available, and how long it takes at the least.

With the name of a Rollout that is from where it stands now; --image plans the release of another image. A Rollout at rest
is planned as if its template changed. With -f no cluster is needed: the Rollout in the file is planned as a release over a
stable revision with all its pods. AnalysisTemplates in the same file say how long analyses take.

It is the controller's own planner that is asked, on a cluster in which everything goes well: pods become ready, gateways
accept, analyses pass after their least time, and people promote at once. Exit code 1 says that the release would not come
to its end even so.`,
		Example: `  kubectl sluice plan web --image web=shop/web:v2
  kubectl sluice plan -f rollout.yaml --pod-start 20s
  helm template shop | kubectl sluice plan -f - web -o json`,
		GroupID:           groupSee,
		ValidArgsFunction: e.completeOneRollout,
	}
	cmd.Flags().StringVarP(&p.filename, "filename", "f", "", "The file with the Rollout; - is the standard input.")
	cmd.Flags().StringArrayVar(&p.images, "image", nil, "Plan with another image: <container>=<image>. May be given several times.")
	cmd.Flags().DurationVar(&p.podStart, "pod-start", 0, "How long a pod takes to become ready.")
	p.format.addFlag(cmd)
	// These cannot fail: the flags have just been made, and have no other completion.
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	_ = cmd.RegisterFlagCompletionFunc("image", e.completeImageFlag)
	cmd.Args = p.check
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := ""
		if len(args) > 0 {
			name = nameOf(args[0])
		}
		if p.filename != "" {
			return e.planFile(p, name)
		}
		images, err := parseImages(cmd, p.images)
		if err != nil {
			return err
		}
		return e.planLive(cmd.Context(), p, name, images)
	}
	return cmd
}

// check refuses command lines that cannot be meant.
func (p *planning) check(cmd *cobra.Command, args []string) error {
	switch {
	case p.podStart < 0:
		return usage(cmd, "--pod-start %s: write a duration of 0 or more, such as 20s", p.podStart)
	case p.filename != "" && len(p.images) > 0:
		return usage(cmd, "--image is for a Rollout of the cluster: with -f, write the image into the file")
	case p.filename != "" && len(args) == 0:
		return p.format.check(cmd)
	case len(args) == 0:
		return usage(cmd, "what to plan is missing: give the name of a rollout, or a file with -f")
	}
	if err := oneRollout(cmd, args); err != nil {
		return err
	}
	return p.format.check(cmd)
}

// planFile plans the Rollout of a file.
func (e *environment) planFile(p planning, name string) error {
	m, err := e.readManifest(p.filename)
	if err != nil {
		return err
	}
	r, err := m.rollout(name)
	if err != nil {
		return err
	}
	start, err := m.start(r)
	if err != nil {
		return err
	}
	return e.foretell(p, r, start)
}

// planLive plans a Rollout of the cluster.
func (e *environment) planLive(ctx context.Context, p planning, name string, images []command.Image) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	r := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, r); err != nil {
		return t.explain(ctx, err)
	}
	r, holder, err := command.Resolve(ctx, t.client, r)
	if err != nil {
		return t.explain(ctx, err)
	}
	live := living{environment: e, target: t, rollout: r, seen: seen(r, holder)}
	if len(images) > 0 {
		changes, err := command.WithImages(r, images)
		if err != nil {
			return err
		}
		live.seen = live.seen && !slices.ContainsFunc(changes, func(c command.ImageChange) bool { return c.From != c.To })
	}
	start, err := live.start(ctx, len(images) == 0)
	if err != nil {
		return t.explain(ctx, err)
	}
	return e.foretell(p, r, start)
}

// seen says whether the status of a Rollout speaks of the template that its holder has: itself, or a Deployment.
func seen(r *v1alpha1.Rollout, holder client.Object) bool {
	if holder != client.Object(r) {
		w := r.Status.Workload
		if w == nil || w.ObservedGeneration != holder.GetGeneration() {
			return false
		}
	}
	return command.Observed(r) && r.Status.UpdateRevision != ""
}

// foretell shows the forecast of a Rollout, and fails when it has no good end.
func (e *environment) foretell(p planning, r *v1alpha1.Rollout, start forecast.Start) error {
	start.PodStart = p.podStart
	start.MinReady = time.Duration(r.Spec.MinReadySeconds) * time.Second
	f, err := forecast.Of(start)
	if err != nil {
		return fmt.Errorf("rollout %q: %w", r.Name, err)
	}
	f.Rollout = r.Name
	if p.format != "" {
		err = p.format.write(e.Out, f)
	} else {
		_, err = fmt.Fprint(e.Out, render.Plan(f, r.Spec.StrategyName(), e.screen.palette))
	}
	if err == nil && !f.Settled {
		return &exitError{exitFailed}
	}
	return err
}

// compiled checks and compiles the spec of a Rollout.
func compiled(r *v1alpha1.Rollout) (planner.Spec, error) {
	if errs := append(bounds(&r.Spec), v1alpha1.ValidateRollout(r)...); len(errs) > 0 {
		return planner.Spec{}, fmt.Errorf("rollout %q: %w", r.Name, errs.ToAggregate())
	}
	for _, p := range gatewayapi.CheckTemplates(r) {
		return planner.Spec{}, fmt.Errorf("rollout %q: %s: %s", r.Name, p.Field, p.Message)
	}
	spec, err := planner.Compile(&r.Spec, settleTime)
	if err != nil {
		return planner.Spec{}, fmt.Errorf("rollout %q: %w", r.Name, err)
	}
	return spec, nil
}
