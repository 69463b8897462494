package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/golden"
)

func TestUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"promote":              "the name of a rollout is missing; \"kubectl sluice list\" shows those there are\nSee \"kubectl sluice promote --help\".",
		"abort web db":         "one rollout at a time: db is too much\nSee \"kubectl sluice abort --help\".",
		"list web":             "\"kubectl sluice list\" takes no arguments, and web is one too many\nSee \"kubectl sluice list --help\".",
		"get web --foo":        "unknown flag: --foo\nSee \"kubectl sluice get --help\".",
		"get web -w -o json":   "--watch shows the tree: leave -o out, or use \"kubectl sluice list --watch -o ...\"\nSee \"kubectl sluice get --help\".",
		"status web -t soon":   "invalid argument \"soon\" for \"-t, --timeout\" flag: time: invalid duration \"soon\"\nSee \"kubectl sluice status --help\".",
		"prmote web":           "\"prmote\" is no command of \"kubectl sluice\"; did you mean \"promote\"?\nSee \"kubectl sluice --help\".",
		"wait web":             "\"wait\" is no command of \"kubectl sluice\"\nSee \"kubectl sluice --help\".",
		"set imag web":         "\"imag\" is no command of \"kubectl sluice set\"; did you mean \"image\"?\nSee \"kubectl sluice set --help\".",
		"set image":            "the name of a rollout is missing; \"kubectl sluice list\" shows those there are\nSee \"kubectl sluice set image --help\".",
		"set image web":        "what to set is missing: write <container>=<image>, such as app=shop/web:v2\nSee \"kubectl sluice set image --help\".",
		"set image web =v2":    "\"=v2\" is not <container>=<image>, such as app=shop/web:v2\nSee \"kubectl sluice set image --help\".",
		"set image web app=":   "\"app=\" is not <container>=<image>, such as app=shop/web:v2\nSee \"kubectl sluice set image --help\".",
		"version -o xml":       "-o xml: write json or yaml\nSee \"kubectl sluice version --help\".",
		"get deployment/web":   "\"deployment/web\" is not the name of a rollout: write web or rollout/web\nSee \"kubectl sluice get --help\".",
		"set image ro/ a=b":    "\"ro/\" is not the name of a rollout: write web or rollout/web\nSee \"kubectl sluice set image --help\".",
		"completion bash now":  "\"kubectl sluice completion bash\" takes no arguments, and now is one too many\nSee \"kubectl sluice completion bash --help\".",
		"completion csh":       "\"csh\" is no command of \"kubectl sluice completion\"; did you mean \"zsh\" or \"bash\" or \"fish\"?\nSee \"kubectl sluice completion --help\".",
		"analysis":             "the name of an AnalysisRun or of a rollout is missing; \"kubectl get analysisruns\" shows those there are\nSee \"kubectl sluice analysis --help\".",
		"analysis web api":     "one analysis at a time: api is too much\nSee \"kubectl sluice analysis --help\".",
		"analysis pod/web":     "\"pod/web\" is not the name of an analysis: write web, rollout/web or analysisrun/web-tp5zq6bhsr-1-step-1\nSee \"kubectl sluice analysis --help\".",
		"analysis a -w -oyaml": "--watch explains: leave -o out, or use \"kubectl get analysisruns --watch -o ...\"\nSee \"kubectl sluice analysis --help\".",
		"--foo":                "unknown flag: --foo\nSee \"kubectl sluice --help\".",
		"--to-revision=2 undo": "the name of a rollout is missing; \"kubectl sluice list\" shows those there are\nSee \"kubectl sluice undo --help\".",
	} {
		t.Run(line, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, rollout("web"))
			c.expect(t, c.run(t, strings.Fields(line)...), exitUsage, "", "error: "+want+"\n")
		})
	}
}

func TestExitCodes(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	silent := &url.Error{Op: "Get", URL: "https://api", Err: os.ErrDeadlineExceeded}
	untrusted := &url.Error{Op: "Get", URL: "https://api", Err: errors.New("certificate signed by unknown authority")}
	const unreachable = "error: no API server answers: see whether --context or --kubeconfig choose the right cluster: "
	for name, tc := range map[string]struct {
		err     error
		want    int
		wantErr string
	}{
		"none":           {want: exitDone},
		"any":            {err: errors.New("no luck"), want: exitFailed, wantErr: "error: no luck\n"},
		"refused":        {err: target{}.explain(t.Context(), fmt.Errorf("get: %w", refused)), want: exitFailed, wantErr: unreachable + "get: dial tcp: connection refused\n"},
		"no answer":      {err: target{}.explain(t.Context(), silent), want: exitFailed, wantErr: unreachable + "Get \"https://api\": i/o timeout\n"},
		"not trusted":    {err: target{}.explain(t.Context(), untrusted), want: exitFailed, wantErr: "error: Get \"https://api\": certificate signed by unknown authority\n"},
		"said already":   {err: &exitError{code: exitTimeout}, want: exitTimeout},
		"wrapped silent": {err: fmt.Errorf("status: %w", &exitError{code: exitFailed}), want: exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			c.expect(t, c.report(tc.err), tc.want, "", tc.wantErr)
		})
	}
}

func TestConnectionsThatCannotBeMade(t *testing.T) {
	broken := errors.New("no such context")
	for _, args := range [][]string{{"list"}, {"get", "web"}, {"status", "web"}, {"plan", "web"}, {"why", "web"}, {"analysis", "web"}, {"abort", "web"}, {"pause", "web"}, {"undo", "web"}, {"set", "image", "web", "a=b"}, {"version"}} {
		t.Run(args[0], func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			c.connect = func() (client.WithWatch, error) { return nil, broken }
			if code := c.run(t, args...); code != exitFailed || c.err.String() != "error: no such context\n" {
				t.Errorf("exit code %d, error output %q", code, c.err.String())
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bank"}}
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"rollouts":              {args: []string{"promote", ""}, want: []string{"admin", "new", "web", ":4"}},
		"rollouts that begin":   {args: []string{"get", "w"}, want: []string{"web", ":4"}},
		"of another namespace":  {args: []string{"abort", "-n", "bank", ""}, want: []string{"payments", ":4"}},
		"only one":              {args: []string{"undo", "web", ""}, want: []string{":4"}},
		"containers":            {args: []string{"set", "image", "web", ""}, want: []string{"web=", ":6"}},
		"containers once":       {args: []string{"set", "image", "web", "web=v2", ""}, want: []string{":6"}},
		"containers of nothing": {args: []string{"set", "image", "none", ""}, want: []string{":6"}},
		"rollouts to set":       {args: []string{"set", "image", "a"}, want: []string{"admin", ":4"}},
		"containers to plan":    {args: []string{"plan", "web", "--image", ""}, want: []string{"web=", ":6"}},
		"containers of none":    {args: []string{"plan", "--image", ""}, want: []string{":4"}},
		"rollouts to ask":       {args: []string{"why", "n"}, want: []string{"new", ":4"}},
		"analyses":              {args: []string{"analysis", "w"}, want: []string{"web", "web-tp5zq6bhsr-1-step-2", ":4"}},
		"only one analysis":     {args: []string{"analysis", "web", ""}, want: []string{":4"}},
		"rollouts to plan":      {args: []string{"plan", "n"}, want: []string{"new", ":4"}},
		"files to plan":         {args: []string{"plan", "-f", ""}, want: []string{"yaml", "yml", "json", ":8"}},
		"namespaces":            {args: []string{"get", "--namespace", ""}, want: []string{"bank", ":4"}},
		"formats":               {args: []string{"version", "-o", ""}, want: []string{"json", "yaml", ":4"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{}, append(shop(), namespace, gated("step-2", v1alpha1.AnalysisFailed, 0))...)
			if code := c.run(t, append([]string{cobra.ShellCompNoDescRequestCmd}, tc.args...)...); code != exitDone {
				t.Fatalf("exit code %d: %s", code, c.err.String())
			}
			if diff := cmp.Diff(tc.want, strings.Fields(c.out.String())); diff != "" {
				t.Errorf("completions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompletionScripts(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": "__start_kubectl-sluice", "zsh": "#compdef kubectl-sluice", "fish": "complete -c kubectl-sluice",
		"powershell": "Register-ArgumentCompleter", "kubectl": "exec kubectl sluice __complete",
	} {
		t.Run(shell, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			if code := c.run(t, "completion", shell); code != exitDone || !strings.Contains(c.out.String(), want) {
				t.Errorf("exit code %d, no %q in\n%.300s", code, want, c.out.String())
			}
		})
	}
}

// commands are all commands that are ours.
func commands(root *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" && cmd.Name() != "completion" {
			out = append(append(out, cmd), commands(cmd)...)
		}
	}
	return out
}

func TestHelp(t *testing.T) {
	c := newTerminal(t, interceptor.Funcs{})
	c.expect(t, c.run(t, "--help"), exitDone, c.out.String(), "")
	golden.Compare(t, "testdata/help.txt", c.out.String())
	for _, cmd := range commands(newRoot(c.environment)) {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			if code := c.run(t, append(strings.Fields(cmd.CommandPath())[2:], "--help")...); code != exitDone {
				t.Fatalf("exit code %d", code)
			}
			for i, line := range strings.Split(c.out.String(), "\n") {
				if strings.Contains(line, "kubectl-sluice") {
					t.Errorf("line %d is not what a user of the plug-in types: %s", i+1, line)
				}
			}
			if !strings.Contains(c.out.String(), "Usage:\n  "+cmd.CommandPath()) {
				t.Errorf("no usage of %q in\n%s", cmd.CommandPath(), c.out.String())
			}
		})
	}
}
