package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// served is a Prometheus whose targets count requests at a steady pace and are scraped every 15 s. An instant query gives
// the pace of the first text that it holds.
type served struct {
	t     *testing.T
	paces map[string]float64
	// status of all answers, when it is not 200.
	status int
}

func (s *served) address() string {
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)
	return server.URL
}

// pace is that of the longest text that a query holds.
func (s *served) pace(query string) (pace float64, found bool) {
	longest := ""
	for text := range s.paces {
		if strings.Contains(query, text) && len(text) > len(longest) {
			longest = text
		}
	}
	pace, found = s.paces[longest]
	return pace, found
}

// ServeHTTP answers a query of samples, or of one number.
func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	pace, found := s.pace(query)
	data := fmt.Sprintf(`{"resultType":"scalar","result":[%s,"%g"]}`, r.FormValue("time"), pace)
	if selector, length, ranged := strings.Cut(strings.TrimSuffix(query, "ms]"), "["); ranged {
		var milliseconds, at float64
		if _, err := fmt.Sscan(length+" "+r.FormValue("time"), &milliseconds, &at); err != nil {
			s.t.Errorf("asked %q: %v", query, err)
		}
		var values []string
		begin := float64(now().Add(-time.Hour).Unix())
		for when := begin; when <= at; when += 15 {
			if when > at-milliseconds/1000 {
				values = append(values, fmt.Sprintf(`[%f,"%d"]`, when, int(pace*(when-begin))))
			}
		}
		data = `{"resultType":"matrix","result":[]}`
		if found && selector != "" {
			data = fmt.Sprintf(`{"resultType":"matrix","result":[{"metric":{"job":"web","instance":"a"},"values":[%s]}]}`, strings.Join(values, ","))
		}
	}
	if s.status != 0 {
		w.WriteHeader(s.status)
		data = `null,"errorType":"bad_data","error":"parse error"`
	}
	_, _ = fmt.Fprintf(w, `{"status":%q,"data":%s}`, map[bool]string{true: "success", false: "error"}[s.status == 0], data)
}

// marching is a clock that goes on by as much as one waits for it.
type marching struct{ *clocktesting.FakeClock }

func (m marching) After(d time.Duration) <-chan time.Time {
	m.Step(d)
	c := make(chan time.Time, 1)
	c <- m.Now()
	return c
}

// atTerminal has a Prometheus to ask and a clock that does not wait.
func atTerminal(t *testing.T, objects ...client.Object) *terminal {
	t.Helper()
	c := newTerminal(t, interceptor.Funcs{}, objects...)
	c.clock = marching{clocktesting.NewFakeClock(now())}
	if len(objects) == 0 {
		c.connect = func() (client.WithWatch, error) { return nil, fmt.Errorf("there is no cluster") }
	}
	return c
}

const thresholdTemplate = `
apiVersion: sluice.dev/v1alpha1
kind: AnalysisTemplate
metadata: {name: success-rate}
spec:
  args: [{name: least, value: "0.99"}]
  metrics:
  - name: success-rate
    interval: 30s
    count: 3
    successCondition: result >= {{args.least}}
    provider: {prometheus: {query: 'rate{pod=~"{{args.candidate-hash}}-.*"}'}}
`

// template writes a file.
func template(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// paces of both versions: requests and errors per second, of which stable has one in a thousand.
func paces(candidateErrors float64) map[string]float64 {
	return map[string]float64{
		`web-` + candidate + `-.*"}`: 100, `web-` + candidate + `-.*", status=~"5.."}`: candidateErrors,
		`web-` + stable + `-.*"}`: 900, `web-` + stable + `-.*", status=~"5.."}`: 0.9,
	}
}

func TestAnalyze(t *testing.T) {
	revisions := []string{"--candidate-hash", candidate, "--stable-hash", stable}
	compare := append([]string{"-f", ratioSample, "--rollout", "web"}, revisions...)
	threshold := []string{"-f", "THRESHOLD", "--candidate-hash", candidate}
	for name, tc := range map[string]struct {
		args     []string
		paces    map[string]float64
		objects  []client.Object
		terminal bool
		template string
		want     int
	}{
		"failed":       {args: append(compare, "--for", "10m"), paces: paces(5), want: exitFailed},
		"passed":       {args: append(compare, "--for", "20m"), paces: paces(0.1), want: exitDone},
		"too-few":      {args: append(compare, "--for", "2m"), paces: paces(0.1), want: exitTimeout},
		"no-traffic":   {args: append(compare, "--for", "2m", "--ascii"), paces: map[string]float64{`web-` + stable + `-.*"}`: 900}, want: exitTimeout},
		"of-a-rollout": {args: []string{"-f", ratioSample, "--rollout", "rollout/web", "--for", "10m"}, paces: paces(5), objects: release(), want: exitFailed},
		"threshold":    {args: threshold, template: thresholdTemplate, paces: map[string]float64{"rate": 0.995}, want: exitDone},
		"argument":     {args: append(threshold, "--arg", "least=0.999"), template: thresholdTemplate, paces: map[string]float64{"rate": 0.995}, want: exitFailed},
		"drawn":        {args: threshold, template: strings.Replace(thresholdTemplate, "30s", "1s", 1), paces: map[string]float64{"rate": 0.995}, terminal: true, want: exitDone},
	} {
		t.Run(name, func(t *testing.T) {
			c := atTerminal(t, tc.objects...)
			c.screen.terminal = tc.terminal
			args := append([]string{"analyze", "--prometheus", (&served{t: t, paces: tc.paces}).address()}, tc.args...)
			for i := range args {
				if args[i] == "THRESHOLD" {
					args[i] = template(t, tc.template)
				}
			}
			c.expectGolden(t, c.run(t, args...), tc.want, "analyze-"+name)
		})
	}
}

// TestAnalyzeAsData has lines of progress apart from the result.
func TestAnalyzeAsData(t *testing.T) {
	c := atTerminal(t)
	server := &served{t: t, paces: map[string]float64{"rate": 0.995}}
	code := c.run(t, "analyze", "-f", template(t, thresholdTemplate), "--prometheus", server.address(), "--candidate-hash", "7f9", "-o", "json")
	if code != exitDone || !strings.HasPrefix(c.out.String(), "{\n    \"kind\": \"AnalysisRun\"") || !strings.Contains(c.out.String(), `"phase": "Passed"`) {
		t.Errorf("exit code %d:\n%s", code, c.out.String())
	}
	if want := "2026-08-20T12:01:00Z Passed: success-rate: 3 of 3 measurements succeeded"; !strings.Contains(c.err.String(), want) {
		t.Errorf("no %q in\n%s", want, c.err.String())
	}
}

// TestAnalyzeInterrupted shows what is known.
func TestAnalyzeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := atTerminal(t)
	server := &served{t: t, paces: map[string]float64{"rate": 0.995}}
	c.out.after = []func(){func() {}, cancel}
	code := run(ctx, c.environment, []string{"analyze", "-f", template(t, thresholdTemplate), "--prometheus", server.address(), "--candidate-hash", "7f9"})
	c.expectGolden(t, code, exitInterrupted, "analyze-interrupted")
}

// TestAnalyzeRefused ends at once when a query is none.
func TestAnalyzeRefused(t *testing.T) {
	c := atTerminal(t)
	server := &served{t: t, status: http.StatusBadRequest}
	code := c.run(t, "analyze", "-f", template(t, thresholdTemplate), "--prometheus", server.address(), "--candidate-hash", "7f9")
	c.expect(t, code, exitFailed, c.out.String(), "error: metric \"success-rate\" cannot be measured: spec.metrics[0].provider.prometheus.query: "+
		"the server refuses the query: parse error\n")
}

func TestAnalyzeOfARolloutAtRest(t *testing.T) {
	c := atTerminal(t, rollout("web"))
	server := &served{t: t, paces: map[string]float64{"rate": 1}}
	code := c.run(t, "analyze", "-f", template(t, thresholdTemplate), "--prometheus", server.address(), "--rollout", "web")
	c.expect(t, code, exitDone, c.out.String(), "Warning: rollout \"web\" is at rest: revision "+stable+" is compared with itself\n")
}

func TestAnalyzeSaysWhatIsWrong(t *testing.T) {
	file := template(t, thresholdTemplate)
	two := template(t, thresholdTemplate+"---"+strings.Replace(thresholdTemplate, "name: success-rate", "name: other", 1))
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no file":         {nil, exitUsage, "the template is missing: give a file with -f"},
		"two names":       {[]string{"a", "b", "-f", file}, exitUsage, "one template at a time: b is too much"},
		"time":            {[]string{"-f", file, "--for", "-1s"}, exitUsage, "--for -1s: write a duration of 0 or more, such as 10m"},
		"server":          {[]string{"-f", file, "--prometheus", "localhost:9090"}, exitUsage, "--prometheus: \"localhost:9090\" does not begin with http:// or https://; write it as \"http://localhost:9090\""},
		"argument":        {[]string{"-f", file, "--arg", "least"}, exitUsage, "--arg least: write <name>=<value>, such as rollout=web"},
		"format":          {[]string{"-f", file, "-o", "wide"}, exitUsage, "-o wide: write json or yaml"},
		"no revision":     {[]string{"-f", file}, exitUsage, "AnalysisTemplate \"success-rate\" uses {{args.candidate-hash}}: give --candidate-hash, or --rollout to take it from a Rollout of the cluster"},
		"no rollout":      {[]string{"-f", ratioSample, "--candidate-hash", "a", "--stable-hash", "b"}, exitUsage, "AnalysisTemplate \"compared-errors\" uses {{args.rollout}}: give --arg rollout=<value>, or --rollout to take it from a Rollout of the cluster"},
		"no server":       {[]string{"-f", file, "--candidate-hash", "a"}, exitUsage, "metric \"success-rate\" names no server: give --prometheus, such as http://localhost:9090"},
		"no end":          {[]string{"-f", ratioSample, "--candidate-hash", "a", "--stable-hash", "b", "--arg", "rollout=web", "--prometheus", "http://localhost:1"}, exitUsage, "metric \"errors\" has an interval and no count, and is measured until it is stopped: give --for, such as 10m"},
		"too short":       {[]string{"-f", ratioSample, "--candidate-hash", "a", "--stable-hash", "b", "--arg", "rollout=web", "--prometheus", "http://localhost:1", "--for", "30s"}, exitUsage, "--for 30s is too short: metric \"errors\" is measured first 1m0s after the start"},
		"which template":  {[]string{"-f", two}, exitFailed, two + " has 2 AnalysisTemplates: give the name of one of other, success-rate"},
		"no such":         {[]string{"latency", "-f", file}, exitFailed, file + " has no AnalysisTemplate \"latency\": it has success-rate"},
		"no template":     {[]string{"-f", sampleFiles + "/recreate.yaml"}, exitFailed, sampleFiles + "/recreate.yaml has no AnalysisTemplate (sluice.dev/v1alpha1): give a file with one"},
		"unknown":         {[]string{"-f", file, "--candidate-hash", "a", "--arg", "most=1"}, exitFailed, "args[0]: no template declares \"most\"; they declare least"},
		"without cluster": {[]string{"-f", file, "--rollout", "web"}, exitFailed, "there is no cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			c := atTerminal(t)
			want := "error: " + tc.want + "\n"
			if tc.code == exitUsage {
				want += "See \"kubectl sluice analyze --help\".\n"
			}
			c.expect(t, c.run(t, append([]string{"analyze"}, tc.args...)...), tc.code, "", want)
		})
	}
}

func TestAnalyzeOfAnUnseenRollout(t *testing.T) {
	c := atTerminal(t, rollout("web", func(r *v1alpha1.Rollout) { r.Status = v1alpha1.RolloutStatus{} }))
	c.expect(t, c.run(t, "analyze", "-f", template(t, thresholdTemplate), "--rollout", "web"), exitFailed, "",
		"error: rollout \"web\" has no revision yet, as the controller has not looked at it: give --candidate-hash\n")
}
