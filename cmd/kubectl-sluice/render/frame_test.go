package render_test

import (
	"testing"

	"github.com/sluice-dev/sluice/cmd/kubectl-sluice/render"
)

func TestFrame(t *testing.T) {
	const clearLine, clearBelow = "\x1b[K\n", "\x1b[J"
	for name, tc := range map[string]struct {
		texts         []string
		width, height int
		want          string
	}{
		"the first is drawn where the cursor is": {
			texts: []string{"a\nb\n"},
			want:  "a" + clearLine + "b" + clearLine + clearBelow,
		},
		"the next goes over it": {
			texts: []string{"a\nb\n", "c\n"},
			want:  "\x1b[2A\rc" + clearLine + clearBelow,
		},
		"what is too wide is cut": {
			texts: []string{"wider\n"}, width: 3,
			want: "wid" + clearLine + clearBelow,
		},
		"colours take no room and end at the cut": {
			texts: []string{"\x1b[31mwider\x1b[0m\n"}, width: 3,
			want: "\x1b[31mwid\x1b[0m" + clearLine + clearBelow,
		},
		"colours of what fits stay": {
			texts: []string{"\x1b[31mwid\x1b[0m\n"}, width: 3,
			want: "\x1b[31mwid\x1b[0m" + clearLine + clearBelow,
		},
		"what is too high is cut": {
			texts: []string{"a\nb\nc\nd\ne\n"}, height: 4,
			want: "a" + clearLine + "b" + clearLine + "… 3 more lines" + clearLine + clearBelow,
		},
		"the next goes over what was cut": {
			texts: []string{"a\nb\nc\nd\ne\n", "a\n"}, height: 4,
			want: "\x1b[3A\ra" + clearLine + clearBelow,
		},
	} {
		t.Run(name, func(t *testing.T) {
			frame, got := render.Frame{}, ""
			for _, text := range tc.texts {
				got = frame.Next(text, tc.width, tc.height)
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
