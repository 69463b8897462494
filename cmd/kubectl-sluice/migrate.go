package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/command"
)

// takeoverTimeout is how long each wait of a takeover may take: for the controller, and for the garbage collector.
const takeoverTimeout = time.Minute

// migration is what the flags of migrate say.
type migration struct {
	command.Migration
	strategy, filename, dryRun string
	timeout                    time.Duration
	format                     dataFormat
}

func newMigrate(e *environment) *cobra.Command {
	m := migration{}
	cmd := &cobra.Command{
		Use:   "migrate deployment/NAME",
		Short: "Put a Rollout in the place of a Deployment, pods and all",
		Long: `Put a Rollout in the place of a Deployment, pods and all: none ends and no request is lost.

The Rollout is made first, and held, so that the API server and the controller have found nothing wrong with it; then
autoscalers are pointed at it, the Deployment is deleted without its pods, and the Rollout adopts them. Whatever cuts this
short, the same command goes on from there. "kubectl sluice eject" is the way back.`,
		Example: `  kubectl sluice migrate deployment/web
  kubectl sluice migrate deployment/web --strategy canary --route web
  kubectl sluice migrate deployment/web -f strategy.yaml --dry-run=client -o yaml`,
		GroupID: groupChange,
		Args:    oneDeployment,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := m.check(cmd); err != nil {
				return err
			}
			if err := e.readStrategy(&m); err != nil {
				return err
			}
			return e.migrate(cmd.Context(), deploymentName(args[0]), &m)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&m.strategy, "strategy", "", "Strategy of the Rollout: canary, blueGreen or rollingUpdate. Without it, that of the Deployment.")
	flags.StringVarP(&m.filename, "filename", "f", "", "File with spec.strategy of the Rollout, such as \"canary: {steps: …}\"; - is the standard input.")
	flags.StringVar(&m.Active, "active-service", "", "Service that callers use. Found by its selector when a strategy or a route needs one.")
	flags.StringVar(&m.Route, "route", "", "HTTPRoute to share traffic by.")
	flags.BoolVar(&m.WorkloadRef, "workload-ref", false, "Leave the template in the Deployment, which stays, and scale it to 0 in the end.")
	flags.StringVar(&m.dryRun, "dry-run", "none", "client prints the Rollout and changes nothing.")
	flags.DurationVar(&m.timeout, "timeout", takeoverTimeout, "How long each wait may take.")
	m.format.addFlag(cmd)
	return cmd
}

// oneDeployment allows the name of exactly one Deployment, written with its kind.
func oneDeployment(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || deploymentName(args[0]) == "" {
		return usage(cmd, "write the one deployment to migrate as deployment/web")
	}
	return nil
}

// deploymentName is the name in an argument such as deployment/web; empty for any other.
func deploymentName(argument string) string {
	kind, name, _ := strings.Cut(argument, "/")
	switch kind {
	case "deployment", "deployments", "deploy", "deployment.apps", "deployments.apps":
		return name
	}
	return ""
}

// check refuses command lines that cannot be meant.
func (m *migration) check(cmd *cobra.Command) error {
	switch {
	case m.dryRun != "none" && m.dryRun != "client":
		return usage(cmd, "--dry-run=%s: write client, or leave it out", m.dryRun)
	case m.format != "" && m.dryRun != "client":
		return usage(cmd, "-o prints the rollout of a dry run: add --dry-run=client")
	case m.strategy != "" && m.filename != "":
		return usage(cmd, "--strategy and -f both say what the strategy is: write one of them")
	case m.timeout <= 0:
		return usage(cmd, "--timeout %s: write a duration above 0, such as 1m", m.timeout)
	}
	if err := m.chooseStrategy(cmd); err != nil {
		return err
	}
	return m.format.check(cmd)
}

// chooseStrategy fills in the strategy that is named. Canary and blueGreen wait for a person before they go on.
func (m *migration) chooseStrategy(cmd *cobra.Command) error {
	switch m.strategy {
	case "", v1alpha1.StrategyRollingUpdate:
	case v1alpha1.StrategyBlueGreen:
		m.Strategy.BlueGreen = &v1alpha1.BlueGreenStrategy{AutoPromote: ptr.To(false)}
	case v1alpha1.StrategyCanary:
		m.Strategy.Canary = &v1alpha1.CanaryStrategy{Steps: []v1alpha1.CanaryStep{
			{Weight: ptr.To(intstr.FromInt32(10)), Pause: &v1alpha1.Pause{}},
			{Weight: ptr.To(intstr.FromInt32(50)), Pause: &v1alpha1.Pause{}},
		}}
	default:
		return usage(cmd, "--strategy %s: write canary, blueGreen or rollingUpdate", m.strategy)
	}
	return nil
}

// readStrategy reads the strategy of a file.
func (e *environment) readStrategy(m *migration) error {
	if m.filename == "" {
		return nil
	}
	data, err := io.ReadAll(e.In)
	if m.filename != "-" {
		data, err = os.ReadFile(m.filename)
	}
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(data, &m.Strategy); err != nil {
		return fmt.Errorf("%s is not a strategy: write what stands below spec.strategy of a Rollout, such as canary: %w", m.filename, err)
	}
	return nil
}

func (e *environment) takeover(c client.Client, timeout time.Duration) command.Takeover {
	return command.Takeover{Client: c, Clock: e.clock, Timeout: timeout, Say: func(format string, args ...any) {
		fmt.Fprintf(e.Out, format+"\n", args...)
	}}
}

func (e *environment) migrate(ctx context.Context, name string, m *migration) error {
	t, err := e.target(name)
	if err != nil {
		return err
	}
	move := e.takeover(t.client, m.timeout)
	if err := move.FindService(ctx, t.key, &m.Migration); err != nil {
		return t.explain(ctx, err)
	}
	if m.dryRun == "client" {
		return e.showMigration(ctx, t, m)
	}
	deployment := &appsv1.Deployment{}
	if t.client.Get(ctx, t.key, deployment) == nil {
		if deployer := command.Deployer(deployment); deployer != "" {
			fmt.Fprintf(e.ErrOut, "Warning: %s deploys deployment %q and will make it again: put the rollout there in its place\n", deployer, name)
		}
	}
	return t.explain(ctx, move.Migrate(ctx, t.key, m.Migration))
}

// showMigration prints the Rollout that would be made.
func (e *environment) showMigration(ctx context.Context, t target, m *migration) error {
	d, whole := &appsv1.Deployment{}, &unstructured.Unstructured{}
	whole.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	for _, object := range []client.Object{d, whole} {
		if err := t.client.Get(ctx, t.key, object); err != nil {
			return err
		}
	}
	r, err := m.Rollout(whole, d)
	if err != nil {
		return err
	}
	if m.format == "" {
		m.format = "yaml"
	}
	r.Annotations, r.Spec.Paused = nil, false // as it will be when all is done
	return m.format.write(e.Out, struct {
		APIVersion string               `json:"apiVersion"`
		Kind       string               `json:"kind"`
		Metadata   map[string]string    `json:"metadata"`
		Spec       v1alpha1.RolloutSpec `json:"spec"`
	}{r.APIVersion, r.Kind, map[string]string{"name": r.Name, "namespace": r.Namespace}, r.Spec})
}
