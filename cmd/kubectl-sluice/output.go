package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// wideFormat is the -o of a table with more columns.
const wideFormat = "wide"

// output is where -o leads: to text for people, or to kubectl's printers of objects.
type output struct {
	flags *genericclioptions.PrintFlags
	// wide says that -o wide makes sense.
	wide bool
}

func newOutput(cmd *cobra.Command, wide bool) *output {
	o := &output{flags: genericclioptions.NewPrintFlags(""), wide: wide}
	o.flags.AddFlags(cmd)
	if wide {
		flag := cmd.Flags().Lookup("output")
		flag.Usage = strings.Replace(flag.Usage, "One of: (", "One of: (wide, ", 1)
	}
	formats := o.flags.AllowedFormats()
	if wide {
		formats = append(formats, wideFormat)
	}
	// It cannot fail: the flag has just been made, and has no other completion.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return o
}

// isWide says whether -o wide was asked for.
func (o *output) isWide() bool { return o.wide && *o.flags.OutputFormat == wideFormat }

// printer is nil when the output is for people.
func (o *output) printer(cmd *cobra.Command) (func(runtime.Object, io.Writer) error, error) {
	template := o.flags.TemplatePrinterFlags.TemplateArgument
	if o.isWide() || *o.flags.OutputFormat == "" && (template == nil || *template == "") {
		return nil, nil
	}
	p, err := o.flags.ToPrinter()
	if err != nil {
		return nil, usage(cmd, "%w", err)
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

// block writes a text and, when it is not the first, an empty line before it.
func block(w io.Writer, text string, first bool) {
	if !first {
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, text)
}
