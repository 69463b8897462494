package analysis

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// web is a metric of a web server.
func web(source v1alpha1.WebMetric) v1alpha1.Metric {
	return v1alpha1.Metric{Provider: v1alpha1.MetricProvider{Web: &source}}
}

func TestExpandWeb(t *testing.T) {
	m := web(v1alpha1.WebMetric{
		URL:     "https://{{args.host}}/{{args.path}}?q={{args.text}}&n={{args.number}}",
		Headers: []v1alpha1.MetricHeader{{Name: "A", Value: "plain"}, {Name: "B", Value: "tenant {{args.text}}"}},
		Body:    `{"text": "«{{args.text}}»", "number": {{args.number}}, "{{args.path}}": ["\"{{args.text}}"]}`,
		Value:   "json.a",
	})
	text := `a "b" \ & c=d #{x} </y> %20 + ?`
	out, err := Expand(m, Values{"host": "a.b", "path": "web-1", "text": text, "number": "-1.5e3"})
	if err != nil {
		t.Fatal(err)
	}
	got := out.Provider.Web
	u, err := url.Parse(got.URL)
	if err != nil {
		t.Fatal(err)
	}
	var body any
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		t.Fatalf("%s: %v", got.Body, err)
	}
	want := []any{
		"a.b", "/web-1",
		url.Values{"q": {text}, "n": {"-1.5e3"}},
		map[string]any{"text": "«" + text + "»", "number": -1500.0, "web-1": []any{`"` + text}},
		"plain", "tenant " + text,
	}
	read := []any{u.Host, u.Path, u.Query(), body, got.Headers[0].Value, got.Headers[1].Value}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("host, path, query, body and headers (-want +got):\n%s", diff)
	}
}

func TestExpandWebRefuses(t *testing.T) {
	tests := map[string]struct {
		source    v1alpha1.WebMetric
		value     string
		wantField string
	}{
		"another host":            {v1alpha1.WebMetric{URL: "https://{{args.x}}"}, "evil.org/", "provider.web.url"},
		"a question mark":         {v1alpha1.WebMetric{URL: "https://a/{{args.x}}"}, "b?c", "provider.web.url"},
		"a way up":                {v1alpha1.WebMetric{URL: "https://a/{{args.x}}/b"}, "..", "provider.web.url"},
		"a text outside quotes":   {v1alpha1.WebMetric{Body: `{"a": {{args.x}}}`}, "true", "provider.web.body"},
		"fields outside quotes":   {v1alpha1.WebMetric{Body: `{"a": {{args.x}}}`}, `1, "b": 2`, "provider.web.body"},
		"a number of other form":  {v1alpha1.WebMetric{Body: `{"a": {{args.x}}}`}, ".5", "provider.web.body"},
		"a part of a number":      {v1alpha1.WebMetric{Body: `{"a": 1{{args.x}}}`}, "5", "provider.web.body"},
		"behind a minus":          {v1alpha1.WebMetric{Body: `{"a": -{{args.x}}}`}, "-5", "provider.web.body"},
		"in an escape sequence":   {v1alpha1.WebMetric{Body: `{"a": "\{{args.x}}"}`}, "n", "provider.web.body"},
		"in an escaped character": {v1alpha1.WebMetric{Body: `{"a": "\u00{{args.x}}"}`}, "22", "provider.web.body"},
		"a header of two lines":   {v1alpha1.WebMetric{Headers: []v1alpha1.MetricHeader{{Value: "{{args.x}}"}}}, "a\r\nb: c", "provider.web.headers[0].value"},
		"a header with umlauts":   {v1alpha1.WebMetric{Headers: []v1alpha1.MetricHeader{{Value: "{{args.x}}"}}}, "ä", "provider.web.headers[0].value"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := Expand(web(test.source), Values{"x": test.value})
			if err == nil || !strings.HasPrefix(err.Error(), test.wantField+": ") {
				t.Errorf("got %+v and error %v, want one of %s", out.Provider.Web, err, test.wantField)
			}
		})
	}
}

// FuzzBodyKeepsItsShape has any value in a body: whatever is accepted is JSON of the same shape.
func FuzzBodyKeepsItsShape(f *testing.F) {
	for _, value := range []string{"web", `"`, `\`, `","b":"`, "1", "-1e5", ".5", "\u2028", "ü", "{}", "null"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, body := range []string{`{"a": "x{{args.x}}y", "b": [1]}`, `{"a": {{args.x}}, "b": [1]}`} {
			out, err := Expand(web(v1alpha1.WebMetric{Body: body}), Values{"x": value})
			if err != nil {
				continue
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(out.Provider.Web.Body), &got); err != nil {
				t.Fatalf("%q: %s: %v", value, out.Provider.Web.Body, err)
			}
			if text, ok := got["a"].(string); len(got) != 2 || ok && text != "x"+value+"y" {
				t.Errorf("%q: got %s", value, out.Provider.Web.Body)
			}
		}
	})
}
