package share

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listOf reads a list as it is written down, "active:80=3 other:80".
func listOf(text string) *List {
	var backends []Backend
	for word := range strings.FieldsSeq(text) {
		e, ok := parseEntry(word)
		if !ok {
			panic(word)
		}
		fields := map[string]any{"name": roleNames()[e.role], "port": e.port}
		if e.written {
			fields["weight"] = e.weight
		}
		backends = append(backends, Backend{Fields: fields, Role: e.role, Port: e.port, Weight: e.weight})
	}
	return NewList("spec", Form{Largest: 1_000_000, Rename: func(fields map[string]any) { fields["name"] = "standby" }}, backends)
}

func TestWhatIsRememberedOfAList(t *testing.T) {
	for name, tc := range map[string]struct{ known, now, want string }{
		"nothing yet":                        {"", "active:80", "active:80"},
		"nothing yet, and a share":           {"", "active:80=4 standby:80", "active:80=5 standby:80=0"},
		"what is not ours":                   {"a text", "active:80", "active:80"},
		"as it was":                          {"active:80", "active:80", "active:80"},
		"a share of ours":                    {"active:80", "active:80=80 standby:80=20", "active:80"},
		"all of it":                          {"active:80 other:80=3", "active:80=0 standby:80=100 other:80=300", "active:80 other:80=3"},
		"a weight in other words":            {"active:80", "active:80=1", "active:80=1"},
		"another's weight":                   {"active:80 other:80", "active:80=8 standby:80=2 other:80=5", "active:80=10 other:80=5"},
		"another backend":                    {"active:80", "active:80=8 standby:80=2 other:80=5", "active:80=10 standby:80=0 other:80=5"},
		"a standby of its owner":             {"active:80 standby:80=0", "active:80=1 standby:80=1", "active:80 standby:80=0"},
		"two ports":                          {"active:80 active:81=2", "active:80=1 standby:80=1 active:81=2 standby:81=2", "active:80 active:81=2"},
		"two ports, of which one has a twin": {"active:80 standby:80=0 active:81", "active:80=1 standby:80=1 active:81=1 standby:81=1", "active:80 standby:80=0 active:81"},
		"no port at all":                     {"active", "active=1 standby=1", "active"},
		"another port":                       {"active:80", "active:81=1 standby:81=1", "active:81=2 standby:81=0"},
		"a negative weight":                  {"active:80=-1", "active:80", "active:80"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, listOf(tc.now).Before(tc.known)); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOriginOfAList(t *testing.T) {
	now := listOf("active:80=1 standby:80=1 active:81=2 standby:81=2 other:80=9")
	origin, ok := now.Origin("active:80 active:81=2 other:80=9")
	if !ok || origin.text() != "active:80 active:81=2 other:80=9" {
		t.Fatalf("origin is %v, %v", origin, ok)
	}
	if now.text() != "active:80=1 standby:80=1 active:81=2 standby:81=2 other:80=9" {
		t.Errorf("the list has changed: %s", now.text())
	}
	if _, ok := now.Origin("active:80 other:80=9"); ok {
		t.Error("a list is made of one that it cannot have been")
	}
}
