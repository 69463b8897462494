package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// wideFormat is the -o that shows people more, and the only one that kubectl's printers do not know.
const wideFormat = "wide"

// output is where -o leads: to text for people, or to kubectl's printers of objects.
type output struct{ flags *genericclioptions.PrintFlags }

func newOutput(cmd *cobra.Command) *output {
	o := &output{flags: genericclioptions.NewPrintFlags("")}
	o.flags.AddFlags(cmd)
	flag := cmd.Flags().Lookup("output")
	flag.Usage = strings.Replace(flag.Usage, "One of: (", "One of: (wide, ", 1)
	// It cannot fail: the flag has just been made, and has no other completion.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(o.formats(), cobra.ShellCompDirectiveNoFileComp))
	return o
}

func (o *output) formats() []string { return append([]string{wideFormat}, o.flags.AllowedFormats()...) }

// isWide says whether -o wide was asked for.
func (o *output) isWide() bool { return *o.flags.OutputFormat == wideFormat }

// printer is nil when the output is for people.
func (o *output) printer(cmd *cobra.Command) (func(runtime.Object, io.Writer) error, error) {
	if o.isWide() || *o.flags.OutputFormat == "" && *o.flags.TemplatePrinterFlags.TemplateArgument == "" {
		return nil, nil
	}
	p, err := o.flags.ToPrinter()
	switch {
	case genericclioptions.IsNoCompatiblePrinterError(err):
		return nil, usage(cmd, "-o %s: write one of %s", *o.flags.OutputFormat, strings.Join(o.formats(), ", "))
	case err != nil:
		return nil, usage(cmd, "-o %s: %w", *o.flags.OutputFormat, err)
	}
	return p.PrintObj, nil
}

// rolloutAsStored is a Rollout to be read and printed just as the API server has it.
func rolloutAsStored() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind))
	return u
}

// rolloutsAsStored is a list of them.
func rolloutsAsStored() *unstructured.UnstructuredList {
	u := &unstructured.UnstructuredList{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.RolloutKind + "List"))
	return u
}
