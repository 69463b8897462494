package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/analysisrun/podlist"
)

// maxConditions is how many conditions a template can have: two for each of its metrics.
const maxConditions = 128

// trial is what to run against live metrics.
type trial struct {
	filename   string
	prometheus string
	// request has what flags say of the release: its names, its revisions and the values of arguments.
	request analysis.Request
	args    []string
	lasts   time.Duration
	ascii   bool
	format  dataFormat
}

func newAnalyze(e *environment) *cobra.Command {
	x := trial{request: analysis.Request{Gate: analysis.GateBackground}}
	cmd := &cobra.Command{
		Use:   "analyze [TEMPLATE]",
		Short: "Run an AnalysisTemplate against live metrics, without a release",
		Long: `Run an AnalysisTemplate of a file against live metrics, without a release: by the lines with which the controller measures
and judges. Nothing is written to any cluster, and without --rollout none is asked.

What a release knows comes from a Rollout of the cluster, with --rollout, or from flags: --candidate-hash and
--stable-hash are the two revisions, and --arg gives any other argument, such as --arg rollout=web. With --rollout and
both revisions no cluster is asked either.

It ends with the verdict: exit code 0 when the analysis passes, 1 when it fails or cannot be run as it is written, and 124
when it decides nothing: too little was seen, or the time of --for was up. Metrics without a count are measured for the
time of --for, and judged then. An interrupt shows what is known until then.`,
		Example: `  kubectl port-forward -n monitoring svc/prometheus 9090 &
  kubectl sluice analyze -f template.yaml --prometheus http://localhost:9090 --rollout web --for 10m
  kubectl sluice analyze -f template.yaml --prometheus http://localhost:9090 -n shop --arg rollout=web --candidate-hash tp5zq6bhsr`,
		GroupID: groupSee,
	}
	flags := cmd.Flags()
	flags.StringVarP(&x.filename, "filename", "f", "", "The file with the AnalysisTemplate; - is the standard input.")
	flags.StringVar(&x.prometheus, "prometheus", "", "The server to ask, in place of those that the template names: http://localhost:9090.")
	flags.StringVar(&x.request.Rollout, "rollout", "", "The Rollout that has the two revisions.")
	flags.StringVar(&x.request.CandidateHash, "candidate-hash", "", "The revision to judge: the pod-template-hash of its pods.")
	flags.StringVar(&x.request.StableHash, "stable-hash", "", "The revision to compare it with.")
	flags.StringArrayVar(&x.args, "arg", nil, "An argument: <name>=<value>. May be given several times.")
	flags.DurationVar(&x.lasts, "for", 0, "How long to measure; 0 is until the verdict.")
	addASCII(cmd, &x.ascii)
	x.format.addFlag(cmd)
	// These cannot fail: the flags have just been made, and have no other completion.
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	_ = cmd.RegisterFlagCompletionFunc("rollout", func(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return e.completeOneRollout(cmd, nil, word)
	})
	cmd.Args = x.check
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return e.analyze(cmd, x, strings.Join(args, ""))
	}
	return cmd
}

// check refuses command lines that cannot be meant, and reads the arguments.
func (x *trial) check(cmd *cobra.Command, args []string) error {
	switch {
	case x.filename == "":
		return usage(cmd, "the template is missing: give a file with -f")
	case len(args) > 1:
		return usage(cmd, "one template at a time: %s is too much", strings.Join(args[1:], " "))
	case x.lasts < 0:
		return usage(cmd, "--for %s: write a duration of 0 or more, such as 10m", x.lasts)
	}
	if x.prometheus != "" {
		if err := fetch.CheckAddress(x.prometheus, "http://localhost:9090"); err != nil {
			return usage(cmd, "--prometheus: %w", err)
		}
	}
	for _, arg := range x.args {
		name, value, found := strings.Cut(arg, "=")
		if !found || name == "" || value == "" {
			return usage(cmd, "--arg %s: write <name>=<value>, such as rollout=web", arg)
		}
		x.give(name, value)
	}
	return x.format.check(cmd)
}

// give sets an argument.
func (x *trial) give(name, value string) {
	r := &x.request
	switch name {
	case analysis.ArgRollout:
		// Without --rollout, no cluster is asked for it.
		r.Rollout = value
	case analysis.ArgNamespace:
		r.Namespace = value
	case analysis.ArgCandidateHash:
		r.CandidateHash = value
	case analysis.ArgStableHash:
		r.StableHash = value
	case analysis.ArgActiveService:
		r.ActiveService = value
	case analysis.ArgStandbyService:
		r.StandbyService = value
	default:
		r.Args = append(r.Args, v1alpha1.Argument{Name: name, Value: &value})
	}
}

// analyze runs a template of a file to its verdict.
func (e *environment) analyze(cmd *cobra.Command, x trial, name string) error {
	m, err := e.readManifest(x.filename)
	if err != nil {
		return err
	}
	template, err := m.template(name)
	if err != nil {
		return err
	}
	meter, err := newMeter()
	if err != nil {
		return err
	}
	x.request.Templates, x.request.Conditions = []analysis.Template{template}, meter.Conditions
	if err := e.fill(cmd, &x.request, &meter); err != nil {
		return err
	}
	if missing := x.missing(template.Spec.Metrics); missing != "" {
		return usage(cmd, "%s uses {{args.%s}}: %s", template, missing, hint(missing))
	}
	spec, err := analysis.Resolve(x.request)
	if err != nil {
		return err
	}
	spec.Gate = ""
	if err := x.fit(spec.Metrics); err != nil {
		return usage(cmd, "%w", err)
	}
	return e.try(cmd.Context(), x, spec, meter)
}

// newMeter asks servers wherever they are: whoever runs the command has the rights of its process, and no more.
func newMeter() (analysis.Meter, error) {
	conditions, err := analysis.NewConditions(maxConditions)
	if err != nil {
		return analysis.Meter{}, err
	}
	set, err := providers.New(providers.Options{Rules: fetch.Rules{AllowLocal: true}})
	return analysis.Meter{Provider: set, Conditions: conditions}, err
}

// fill takes from the cluster what flags do not say of a release.
func (e *environment) fill(cmd *cobra.Command, r *analysis.Request, meter *analysis.Meter) error {
	ctx := cmd.Context()
	r.Rollout = nameOf(r.Rollout)
	if r.Namespace == "" {
		namespace, err := e.namespace()
		if err != nil {
			return err
		}
		r.Namespace = namespace
	}
	if !cmd.Flags().Changed("rollout") || r.CandidateHash != "" && r.StableHash != "" {
		return nil
	}
	t, err := e.target(r.Rollout)
	if err != nil {
		return err
	}
	t.key.Namespace = r.Namespace
	rollout := &v1alpha1.Rollout{}
	if err := t.client.Get(ctx, t.key, rollout); err != nil {
		return t.explain(ctx, err)
	}
	r.Rollout = rollout.Name
	meter.Pods = podlist.In(t.client, rollout.Namespace)
	return e.fillFrom(rollout, r)
}

// fillFrom takes what a Rollout knows of its release, as far as flags do not say otherwise.
func (e *environment) fillFrom(rollout *v1alpha1.Rollout, r *analysis.Request) error {
	status := &rollout.Status
	r.Fields = analysis.FieldsOf(rollout)
	if r.CandidateHash == "" {
		r.CandidateHash = status.UpdateRevision
	}
	if r.StableHash == "" {
		r.StableHash = status.StableRevision
	}
	if services := rollout.Spec.Services; services != nil && r.ActiveService == "" && r.StandbyService == "" {
		r.ActiveService, r.StandbyService = services.Active, services.StandbyName()
	}
	switch r.CandidateHash {
	case "":
		return fmt.Errorf("rollout %q has no revision yet, as the controller has not looked at it: give --candidate-hash", rollout.Name)
	case r.StableHash:
		fmt.Fprintf(e.ErrOut, "Warning: rollout %q is at rest: revision %s is compared with itself\n", rollout.Name, r.StableHash)
	}
	return nil
}

// missing is an argument that is always there in a release, that metrics use, and that nobody gave; empty when there is none.
func (x *trial) missing(metrics []v1alpha1.Metric) string {
	r := x.request
	for _, name := range analysis.Used(metrics) {
		value, builtin := map[string]string{
			analysis.ArgRollout: r.Rollout, analysis.ArgNamespace: r.Namespace, analysis.ArgCandidateHash: r.CandidateHash,
			analysis.ArgStableHash: r.StableHash, analysis.ArgActiveService: r.ActiveService, analysis.ArgStandbyService: r.StandbyService,
		}[name]
		if builtin && value == "" {
			return name
		}
	}
	return ""
}

// hint says how to give an argument.
func hint(name string) string {
	switch name {
	case analysis.ArgCandidateHash, analysis.ArgStableHash:
		return fmt.Sprintf("give --%s, or --rollout to take it from a Rollout of the cluster", name)
	}
	return fmt.Sprintf("give --arg %s=<value>, or --rollout to take it from a Rollout of the cluster", name)
}

// fit gives metrics the server to ask, and those without an end the one that --for gives them.
func (x *trial) fit(metrics []v1alpha1.Metric) error {
	for i := range metrics {
		m := &metrics[i]
		if p := m.Provider.Prometheus; p != nil && x.prometheus != "" {
			p.Address = x.prometheus
		} else if p != nil && p.Address == "" {
			return fmt.Errorf("metric %q names no server: give --prometheus, such as http://localhost:9090", m.Name)
		}
		if m.Count == nil && m.Interval != nil {
			if err := x.limit(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// limit gives a metric with an interval and no count as many measurements as fit into --for.
func (x *trial) limit(m *v1alpha1.Metric) error {
	first := m.FirstAfter()
	switch {
	case x.lasts == 0 && m.ConsecutiveSuccessLimit != nil:
		return nil
	case x.lasts == 0:
		return fmt.Errorf("metric %q has an interval and no count, and is measured until it is stopped: give --for, such as 10m", m.Name)
	case first > x.lasts:
		return fmt.Errorf("--for %s is too short: metric %q is measured first %s after the start", x.lasts, m.Name, first)
	}
	count := int32(1 + (x.lasts-first)/max(m.Interval.Duration, time.Second))
	m.Count = &count
	return nil
}

// unusable are the reasons of measurements that fail for as long as nothing is written differently.
func unusable(reason string) bool {
	return slices.Contains([]string{
		v1alpha1.ReasonAddressInvalid, v1alpha1.ReasonQueryInvalid, v1alpha1.ReasonAmbiguous, v1alpha1.ReasonConditionInvalid,
		v1alpha1.ReasonArgumentInvalid,
	}, reason)
}

// misfit is why an analysis cannot be run as it is written; nil when it can.
func misfit(status v1alpha1.AnalysisRunStatus) error {
	for _, result := range status.Metrics {
		if n := len(result.Measurements); n > 0 {
			last := result.Measurements[n-1]
			if last.State == v1alpha1.MeasurementError && unusable(last.Reason) {
				return fmt.Errorf("metric %q cannot be measured: %s", result.Name, last.Message)
			}
		}
	}
	return nil
}
