package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
)

// together is how far apart runs end that end for one reason: the failure of one stops the others.
const together = time.Minute

func newAnalysis(e *environment) *cobra.Command {
	watch, ascii := false, false
	cmd := &cobra.Command{
		Use:   "analysis NAME",
		Short: "Explain an analysis: what was counted, what it comes to, and what is missing",
		Long: `Explain an analysis: what was counted of both versions, how strong the evidence is and how it came about, how many requests
are still needed, and why measurements gave no figure.

NAME is that of an AnalysisRun, or of a Rollout: then it is about the analyses that are under way or, if none is, about those
that ended last. A mark of the evidence is as high as the evidence is near to failing, each step several times as much as
the one before.`,
		Example: `  kubectl sluice analysis web
  kubectl sluice analysis web --watch
  kubectl sluice analysis analysisrun/web-tp5zq6bhsr-1-background -o yaml`,
		GroupID:           groupSee,
		Args:              oneAnalysis,
		ValidArgsFunction: e.completeOneAnalysis,
	}
	o := newOutput(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "Explain it again whenever something changes.")
	addASCII(cmd, &ascii)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		show, err := o.printer(cmd)
		if err != nil {
			return err
		}
		if show != nil && watch {
			return usage(cmd, "--watch explains: leave -o out, or use \"kubectl get analysisruns --watch -o ...\"")
		}
		s, err := e.subject(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		s.view = render.View{Palette: e.screen.palette, Wide: o.isWide(), ASCII: ascii}
		switch {
		case show != nil:
			err = s.stored(cmd.Context(), show)
		case watch:
			err = e.watchPicture(cmd.Context(), s.client, moving{draw: s.draw, kinds: s.kinds(), gone: s.gone})
		default:
			err = s.once(cmd.Context())
		}
		return s.explain(cmd.Context(), err)
	}
	return cmd
}

// addASCII adds the flag for terminals that can show nothing else.
func addASCII(cmd *cobra.Command, ascii *bool) {
	cmd.Flags().BoolVar(ascii, "ascii", false, "Draw with ASCII characters only.")
}

// subject is what an analysis is asked for by: an AnalysisRun, or a Rollout.
type subject struct {
	*environment
	target
	// rollout says that the name is that of a Rollout.
	rollout bool
	view    render.View
}

// subject finds what a name means: an AnalysisRun, unless the name says otherwise or there is none, and else a Rollout.
func (e *environment) subject(ctx context.Context, argument string) (*subject, error) {
	kind, name := kindAndName(argument)
	t, err := e.target(name)
	if err != nil {
		return nil, err
	}
	s := &subject{environment: e, target: t, rollout: kind == v1alpha1.RolloutKind}
	if kind != "" {
		return s, nil
	}
	err = t.client.Get(ctx, t.key, &v1alpha1.AnalysisRun{})
	if s.rollout = apierrors.IsNotFound(err); s.rollout {
		err = nil
	}
	return s, t.explain(ctx, err)
}

// kindAndName splits an argument such as analysisrun/web or rollout/web; one without a kind may be either.
func kindAndName(argument string) (kind, name string) {
	if name := nameOf(argument); name != argument {
		return v1alpha1.RolloutKind, name
	}
	prefix, name, found := strings.Cut(argument, "/")
	switch strings.TrimSuffix(prefix, ".sluice.dev") {
	case "analysisrun", "analysisruns", "ar":
		if found {
			return v1alpha1.AnalysisRunKind, name
		}
	}
	return "", argument
}

// oneAnalysis allows the name of exactly one AnalysisRun or Rollout.
func oneAnalysis(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usage(cmd, "the name of an AnalysisRun or of a rollout is missing; \"kubectl get analysisruns\" shows those there are")
	case len(args) > 1:
		return usage(cmd, "one analysis at a time: %s is too much", strings.Join(args[1:], " "))
	}
	if _, name := kindAndName(args[0]); name == "" || strings.Contains(name, "/") {
		return usage(cmd, "%q is not the name of an analysis: write web, rollout/web or analysisrun/web-tp5zq6bhsr-1-step-1", args[0])
	}
	return nil
}

// completeOneAnalysis completes the name of an AnalysisRun or of a Rollout.
func (e *environment) completeOneAnalysis(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return e.complete(cmd, word, func(ctx context.Context, t target) ([]string, error) {
		scope := client.InNamespace(t.key.Namespace)
		rollouts, err := t.namesOf(ctx, &v1alpha1.RolloutList{}, scope)
		if err != nil {
			return nil, err
		}
		runs, err := t.namesOf(ctx, &v1alpha1.AnalysisRunList{}, scope)
		return append(rollouts, runs...), err
	})
}

// once explains what there is now.
func (s *subject) once(ctx context.Context) error {
	drawn, err := s.draw(ctx)
	if err != nil {
		return err
	}
	width := 0
	if s.screen.terminal {
		width, _ = s.screen.size()
	}
	_, err = fmt.Fprint(s.Out, drawn(s.clock.Now(), width))
	return err
}

// draw reads the runs, and explains them.
func (s *subject) draw(ctx context.Context) (picture, error) {
	runs, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return func(now time.Time, width int) string {
		if len(runs) == 0 {
			return fmt.Sprintf("Rollout %q has had no analysis yet.\n", s.key.Name)
		}
		view := s.view
		view.Width = width
		texts := make([]string, len(runs))
		for i := range runs {
			texts[i] = render.Run(&runs[i], now, view)
		}
		return strings.Join(texts, "\n")
	}, nil
}

// read reads the runs to explain.
func (s *subject) read(ctx context.Context) ([]v1alpha1.AnalysisRun, error) {
	if !s.rollout {
		run := v1alpha1.AnalysisRun{}
		err := s.client.Get(ctx, s.key, &run)
		return []v1alpha1.AnalysisRun{run}, err
	}
	r := &v1alpha1.Rollout{}
	if err := s.client.Get(ctx, s.key, r); err != nil {
		return nil, err
	}
	b, err := belongingsOf(r)
	if err != nil {
		return nil, err
	}
	if err := s.client.List(ctx, &b.analysisRuns, b.labelled...); err != nil {
		return nil, err
	}
	of := slices.DeleteFunc(b.analysisRuns.Items, func(run v1alpha1.AnalysisRun) bool { return run.Spec.Rollout != r.Name })
	return latest(of), nil
}

// latest are the runs under way or, if there are none, those that ended last, in the order in which they began.
func latest(runs []v1alpha1.AnalysisRun) []v1alpha1.AnalysisRun {
	var last time.Time
	ended := true
	for i := range runs {
		ended = ended && runs[i].Status.Phase.Ended()
		if at := runs[i].Status.CompletedAt.Time; at.After(last) {
			last = at
		}
	}
	chosen := slices.DeleteFunc(runs, func(run v1alpha1.AnalysisRun) bool {
		if !ended {
			return run.Status.Phase.Ended()
		}
		return last.Sub(run.Status.CompletedAt.Time) > together
	})
	slices.SortFunc(chosen, func(a, b v1alpha1.AnalysisRun) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return chosen
}

// kinds are the objects that may change what is shown.
func (s *subject) kinds() []watched {
	if !s.rollout {
		return []watched{only(s.key, &v1alpha1.AnalysisRunList{})}
	}
	return []watched{
		only(s.key, &v1alpha1.RolloutList{}),
		{&v1alpha1.AnalysisRunList{}, []client.ListOption{client.InNamespace(s.key.Namespace)}},
	}
}

// gone is the error for what was there a moment ago.
func (s *subject) gone() error {
	if s.rollout {
		return s.target.gone()
	}
	return fmt.Errorf("AnalysisRun %q was deleted", s.key.Name)
}

// explain turns errors of the API server into ones that say what to do.
func (s *subject) explain(ctx context.Context, err error) error {
	if err == nil || !apierrors.IsNotFound(err) {
		return s.target.explain(ctx, err)
	}
	where := fmt.Sprintf("there is no AnalysisRun %q in namespace %q", s.key.Name, s.key.Namespace)
	kinds := []client.ObjectList{&v1alpha1.AnalysisRunList{}}
	if s.rollout {
		where = fmt.Sprintf("there is neither a rollout nor an AnalysisRun %q in namespace %q", s.key.Name, s.key.Namespace)
		kinds = append(kinds, &v1alpha1.RolloutList{})
	}
	var names []string
	for _, list := range kinds {
		// That they cannot be listed is no reason to fail in another way.
		some, _ := s.namesOf(ctx, list, client.InNamespace(s.key.Namespace))
		names = append(names, some...)
	}
	if near := nearest(s.key.Name, names); len(near) > 0 {
		return fmt.Errorf("%s; did you mean %s?", where, strings.Join(near, " or "))
	}
	return errors.New(where)
}

// stored shows the runs as the API server has them: that with a name by itself, those of a Rollout in a list.
func (s *subject) stored(ctx context.Context, show func(runtime.Object, io.Writer) error) error {
	runs, err := s.read(ctx)
	if err != nil {
		return err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.AnalysisRunKind + "List"))
	for i := range runs {
		u := unstructured.Unstructured{}
		u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.AnalysisRunKind))
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(&runs[i]), &u); err != nil {
			return err
		}
		list.Items = append(list.Items, u)
	}
	if s.rollout {
		return show(list, s.Out)
	}
	return show(&list.Items[0], s.Out)
}
