package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
)

// versions are those of what works together, as -o prints them.
type versions struct {
	// Client is the version of this program.
	Client string `json:"client"`
	// Platform is what it was built with and for.
	Platform string `json:"platform"`
	// API is the version of the API that the cluster serves.
	API string `json:"api,omitempty"`
	// Controllers are those that run in the cluster.
	Controllers []string `json:"controllers,omitempty"`
}

func newVersion(e *environment) *cobra.Command {
	var clientOnly bool
	var format dataFormat
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the versions of this program, the API and the controller",
		GroupID: groupSee,
		Args:    nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := format.check(cmd); err != nil {
				return err
			}
			v := e.clientVersion()
			var err error
			if !clientOnly {
				err = e.clusterVersions(cmd.Context(), &v)
			}
			if printErr := e.printVersions(v, format, clientOnly || err != nil); printErr != nil {
				return printErr
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "Do not ask the cluster.")
	format.addFlag(cmd)
	return cmd
}

func (e *environment) clientVersion() versions {
	v := versions{Client: e.version, Platform: fmt.Sprintf("%s, %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)}
	if v.Client == "" {
		v.Client = "unknown"
	}
	return v
}

// clusterVersions asks the cluster. Not being allowed to see the controller is an answer as well.
func (e *environment) clusterVersions(ctx context.Context, v *versions) error {
	// No name: it is not about one Rollout.
	t, err := e.target("")
	if err != nil {
		return err
	}
	kind := v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind)
	if _, err := t.client.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version); err != nil {
		return t.explain(ctx, err)
	}
	v.API = v1alpha1.GroupVersion.String()
	deployments := &appsv1.DeploymentList{}
	if err := t.client.List(ctx, deployments, client.MatchingLabels{
		"app.kubernetes.io/name": "sluice", "app.kubernetes.io/component": "controller",
	}); err != nil {
		v.Controllers = []string{"unknown: " + message(err)}
		return nil
	}
	for i := range deployments.Items {
		v.Controllers = append(v.Controllers, controllerVersion(&deployments.Items[i]))
	}
	return nil
}

// controllerVersion is the image of a controller, and how much of it runs.
func controllerVersion(d *appsv1.Deployment) string {
	images := make([]string, 0, len(d.Spec.Template.Spec.Containers))
	for i := range d.Spec.Template.Spec.Containers {
		images = append(images, d.Spec.Template.Spec.Containers[i].Image)
	}
	desired := int32(1)
	if d.Spec.Replicas != nil {
		desired = *d.Spec.Replicas
	}
	return fmt.Sprintf("%s (%s/%s, %d of %d ready)", strings.Join(images, ", "), d.Namespace, d.Name,
		d.Status.ReadyReplicas, desired)
}

func (e *environment) printVersions(v versions, format dataFormat, clientOnly bool) error {
	if format != "" {
		return format.write(e.Out, v)
	}
	rows := [][]render.Cell{{{Text: "Client:"}, {Text: fmt.Sprintf("%s (%s)", v.Client, v.Platform)}}}
	if !clientOnly {
		controllers := v.Controllers
		if len(controllers) == 0 {
			controllers = []string{"none found"}
		}
		rows = append(rows, []render.Cell{{Text: "API:"}, {Text: v.API}})
		for _, controller := range controllers {
			rows = append(rows, []render.Cell{{Text: "Controller:"}, {Text: controller}})
		}
	}
	table := render.Table{}
	_, err := fmt.Fprint(e.Out, table.Rows(rows))
	return err
}
