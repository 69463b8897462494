package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const ratioSample = sampleFiles + "/ratio-analysis-template.yaml"

func TestPower(t *testing.T) {
	for name, args := range map[string][]string{
		"steps": {"--rate", "100", "--bad", "0.2%", "--steps", "5:10m,20:10m,50:10m"},
		"busy":  {"--rate", "2000", "--bad", "12.5%", "--steps", "2.5:30m"},
		"quiet": {"--rate", "0.5", "--steps", "10:5m"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, interceptor.Funcs{})
			c.connect = func() (client.WithWatch, error) { return nil, fmt.Errorf("there is no cluster") }
			code := c.run(t, append([]string{"power", "-f", ratioSample}, args...)...)
			c.expectGolden(t, code, exitDone, "power-"+name)
		})
	}
}

func TestPowerSaysWhatIsWrong(t *testing.T) {
	good := map[string]string{"-f": ratioSample, "--rate": "100", "--bad": "0.1%", "--steps": "10:5m"}
	for _, row := range []struct{ flag, value, want string }{
		{"-f", "", "the templates are missing: give a file with -f"},
		{"--rate", "0", "--rate 0: write requests per second, such as 100"},
		{"--rate", "NaN", "--rate NaN: write requests per second, such as 100"},
		{"--bad", "0.1", "--bad 0.1: write a share of more than 0%, such as 0.1%"},
		{"--bad", "0%", "--bad 0%: write a share of more than 0%, such as 0.1%"},
		{"--bad", "many%", "--bad many%: write a share of more than 0%, such as 0.1%"},
		{"--steps", "", "--steps is missing: write <weight>:<duration> for each, such as 5:10m,20:10m,50:10m"},
		{"--steps", "10", "--steps 10: write a weight of more than 0 and less than 100 first, such as 5:10m"},
		{"--steps", "100:5m", "--steps 100:5m: write a weight of more than 0 and less than 100 first, such as 5:10m"},
		{"--steps", "10:soon", "--steps 10:soon: write a duration of at most a week behind the colon, such as 5:10m"},
		{"--steps", "10:0s", "--steps 10:0s: write a duration of at most a week behind the colon, such as 5:10m"},
		{"--steps", "10:9000h", "--steps 10:9000h: write a duration of at most a week behind the colon, such as 5:10m"},
	} {
		t.Run(row.flag+" "+row.value, func(t *testing.T) {
			args := []string{"power"}
			for flag, value := range good {
				if flag == row.flag {
					value = row.value
				}
				if value != "" {
					args = append(args, flag, value)
				}
			}
			c := newTerminal(t, interceptor.Funcs{})
			c.expect(t, c.run(t, args...), exitUsage, "", "error: "+row.want+"\nSee \"kubectl sluice power --help\".\n")
		})
	}
}

func TestPowerWithoutARatio(t *testing.T) {
	plain := sampleFiles + "/cluster-analysis-template.yaml"
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	template := `
apiVersion: sluice.dev/v1alpha1
kind: AnalysisTemplate
metadata: {name: t}
spec: {metrics: [{name: m, interval: 30s, ratio: {maxRelativeIncrease: much}}]}
`
	if err := os.WriteFile(wrong, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		plain: "error: " + plain + " has no metric with a ratio in an AnalysisTemplate (sluice.dev/v1alpha1): give a file with one\n",
		wrong: "error: AnalysisTemplate \"t\": ratio.maxRelativeIncrease: \"much\" is no percentage; write one such as \"25%\"\n",
	} {
		c := newTerminal(t, interceptor.Funcs{})
		c.expect(t, c.run(t, "power", "-f", file, "--rate", "1", "--steps", "10:5m"), exitFailed, "", want)
	}
}
