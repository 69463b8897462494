package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
)

// expectation is what a release is expected to see, as flags.
type expectation struct {
	filename string
	rate     float64
	bad      string
	steps    []string
}

func newPower(e *environment) *cobra.Command {
	x := expectation{}
	cmd := &cobra.Command{
		Use:   "power",
		Short: "Tell what harm an analysis would find, how soon, and with what odds",
		Long: `Tell what harm the ratios of AnalysisTemplates would find, how soon, and with what odds, before a release shows it: for so
many requests a second, a share of bad ones that is usual, and the steps of the release.

The harm is there from the start of the analysis. Times count from there, with the 30s until the last samples are in. It is a
calculation: odds may be off by a tenth and times by a sixth, and both are rough where few bad requests are expected. No
cluster is needed.`,
		Example: `  kubectl sluice power -f template.yaml --rate 100 --bad 0.1% --steps 5:10m,20:10m,50:10m`,
		GroupID: groupSee,
	}
	cmd.Flags().StringVarP(&x.filename, "filename", "f", "", "The file with the AnalysisTemplates; - is the standard input.")
	cmd.Flags().Float64Var(&x.rate, "rate", 0, "Requests per second to both versions together.")
	cmd.Flags().StringVar(&x.bad, "bad", "0.1%", "The usual share of bad requests.")
	cmd.Flags().StringSliceVar(&x.steps, "steps", nil, "The steps: <weight>:<duration>, such as 5:10m,20:10m.")
	// This cannot fail: the flag has just been made, and has no other completion.
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	var traffic analysis.Traffic
	cmd.Args = func(cmd *cobra.Command, args []string) (err error) {
		if len(args) > 0 {
			return usage(cmd, "%q is too much: the templates come from a file, with -f", args[0])
		}
		traffic, err = x.traffic(cmd)
		return err
	}
	cmd.RunE = func(*cobra.Command, []string) error { return e.power(x.filename, traffic) }
	return cmd
}

// traffic reads the flags.
func (x *expectation) traffic(cmd *cobra.Command) (analysis.Traffic, error) {
	t := analysis.Traffic{Rate: x.rate}
	switch {
	case x.filename == "":
		return t, usage(cmd, "the templates are missing: give a file with -f")
	case !(x.rate > 0 && x.rate <= 1e9):
		return t, usage(cmd, "--rate %v: write requests per second, such as 100", x.rate)
	case len(x.steps) == 0:
		return t, usage(cmd, "--steps is missing: write <weight>:<duration> for each, such as 5:10m,20:10m,50:10m")
	}
	var err error
	if t.Bad, err = parseShare(x.bad); err != nil {
		return t, usage(cmd, "--bad %s: %w", x.bad, err)
	}
	for _, step := range x.steps {
		stage, err := parseStage(step)
		if err != nil {
			return t, usage(cmd, "--steps %s: %w", step, err)
		}
		t.Stages = append(t.Stages, stage)
	}
	return t, nil
}

// parseShare reads a share: 0.1%.
func parseShare(text string) (float64, error) {
	percent, found := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(percent, 64)
	if err != nil || !found || !(share > 0 && share < 100) {
		return 0, errors.New("write a share of more than 0%, such as 0.1%")
	}
	return share / 100, nil
}

// parseStage reads a step: 5:10m.
func parseStage(text string) (analysis.Stage, error) {
	weight, duration, found := strings.Cut(text, ":")
	percent, err := strconv.ParseFloat(weight, 64)
	if !found || err != nil || !(percent > 0 && percent < 100) {
		return analysis.Stage{}, errors.New("write a weight of more than 0 and less than 100 first, such as 5:10m")
	}
	length, err := time.ParseDuration(duration)
	if err != nil || length <= 0 || length > 7*24*time.Hour {
		return analysis.Stage{}, errors.New("write a duration of at most a week behind the colon, such as 5:10m")
	}
	return analysis.Stage{Share: percent / 100, For: length}, nil
}

// power shows what the ratios of each template in a file would find.
func (e *environment) power(filename string, traffic analysis.Traffic) error {
	m, err := e.readManifest(filename)
	if err != nil {
		return err
	}
	refs := make([]v1alpha1.AnalysisTemplateReference, 0, len(m.templates))
	for ref := range m.templates {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b v1alpha1.AnalysisTemplateReference) int {
		return strings.Compare(a.Name+"/"+a.Kind, b.Name+"/"+b.Kind)
	})
	var out []string
	for _, ref := range refs {
		found, err := analysis.Foresee(m.templates[ref].Metrics, traffic)
		if err != nil {
			return fmt.Errorf("%s %q: %w", ref.Kind, ref.Name, err)
		}
		for _, f := range found {
			out = append(out, render.Power(ref.Name, f, traffic))
		}
	}
	if len(out) == 0 {
		return fmt.Errorf("%s has no metric with a ratio in an AnalysisTemplate (%s): give a file with one", m.name, v1alpha1.GroupVersion)
	}
	_, err = fmt.Fprint(e.Out, strings.Join(out, "\n"))
	return err
}
