package v1alpha1

import (
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	for _, action := range Actions() {
		want := Command{Action: action, Revision: "5d8c7b9f6", ID: "2026-03-01T10:00:00Z"}
		got, err := ParseCommand(want.String())
		if err != nil {
			t.Fatalf("ParseCommand(%q): %v", want, err)
		}
		if got != want {
			t.Errorf("ParseCommand(%q) = %+v, want %+v", want, got, want)
		}
	}
}

func TestParseCommandRefuses(t *testing.T) {
	cases := map[string]struct {
		in      string
		want    string
		partial Command
	}{
		"empty":            {in: "", want: "1 parts between slashes"},
		"only an action":   {in: "promote", want: "write <action>/<revision>/<request id>"},
		"too many parts":   {in: "promote/a/b/c", want: "4 parts between slashes"},
		"unknown action":   {in: "roll/abc/1", want: `unknown action "roll": write one of promote, promote-full, abort`, partial: Command{"roll", "abc", "1"}},
		"action in caps":   {in: "Promote/abc/1", want: "unknown action", partial: Command{"Promote", "abc", "1"}},
		"no revision":      {in: "abort//1", want: "write the hash of the revision", partial: Command{"abort", "", "1"}},
		"revision, spaces": {in: "abort/a b/1", want: "is not a revision", partial: Command{"abort", "a b", "1"}},
		"no id":            {in: "abort/abc/", want: "is not a request id", partial: Command{"abort", "abc", ""}},
		"id with a space":  {in: "abort/abc/1 2", want: "is not a request id", partial: Command{"abort", "abc", "1 2"}},
		"id too long":      {in: "abort/abc/" + strings.Repeat("1", 65), want: "1 to 64 letters", partial: Command{"abort", "abc", strings.Repeat("1", 65)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCommand(tc.in)
			if err == nil {
				t.Fatalf("ParseCommand(%q) = %+v, want an error", tc.in, got)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q, want %q in it", err, tc.want)
			}
			if got != tc.partial {
				t.Errorf("ParseCommand(%q) read %+v, want %+v", tc.in, got, tc.partial)
			}
		})
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add("promote/5d8c7b9f6/1")
	f.Add("abort//")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCommand(s)
		if err == nil && c.String() != s {
			t.Fatalf("ParseCommand(%q) reads %+v, which writes %q", s, c, c.String())
		}
	})
}
