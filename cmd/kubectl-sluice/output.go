package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/yaml"

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

// dataFormat is the -o of commands whose results are no objects of the API; empty for people.
type dataFormat string

func (f *dataFormat) addFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(f), "output", "o", "", "Output format. One of: (json, yaml).")
	// It cannot fail: the flag has just been made, and has no other completion.
	_ = cmd.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{"json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *dataFormat) check(cmd *cobra.Command) error {
	if *f != "" && *f != "json" && *f != "yaml" {
		return usage(cmd, "-o %s: write json or yaml", *f)
	}
	return nil
}

// write writes a value in a format that check has let through, and that is not empty.
func (f *dataFormat) write(out io.Writer, value any) error {
	if *f == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "    ")
		return encoder.Encode(value)
	}
	data, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}
