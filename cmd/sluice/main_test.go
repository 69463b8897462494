package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
)

func TestReadyOnceTheCachesAreFilled(t *testing.T) {
	for _, synced := range []bool{false, true} {
		ready := filled(&informertest.FakeInformers{Synced: ptr.To(synced)})
		if err := ready(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)); (err == nil) != synced {
			t.Errorf("with caches that are filled: %v, the probe says %v", synced, err)
		}
	}
}

func TestParse(t *testing.T) {
	tests := map[string]struct {
		args    []string
		wantErr string // a part of it; empty for none
	}{
		"nothing":          {},
		"everything":       {args: []string{"--leader-elect", "--settle-time=0", "--namespaces=a,b", "--log-level=debug", "--log-format=text"}},
		"no address":       {args: []string{"--prometheus-address="}},
		"negative settle":  {args: []string{"--settle-time=-1s"}, wantErr: "write a duration of 0 or more"},
		"nobody's turn":    {args: []string{"--configuration-concurrency=0"}, wantErr: "write a number of 1 or more"},
		"nobody works":     {args: []string{"--concurrent-rollouts=0"}, wantErr: "write a number of 1 or more"},
		"unknown format":   {args: []string{"--log-format=xml"}, wantErr: "write json or text"},
		"unknown flag":     {args: []string{"--nonsense"}, wantErr: "nonsense"},
		"a stray argument": {args: []string{"namespaces", "a"}, wantErr: `"namespaces"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tt.args)
			switch {
			case tt.wantErr == "" && err != nil:
				t.Errorf("got error %v, want none", err)
			case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
				t.Errorf("got error %v, want one with %q", err, tt.wantErr)
			}
		})
	}
}

func TestParsedValues(t *testing.T) {
	s, err := parse([]string{"--namespaces=a, b,", "--log-level=warn"})
	if got := split(s.namespaces); err != nil || len(got) != 2 || got[1] != "b" || s.logLevel != slog.LevelWarn {
		t.Errorf("namespaces %q, level %s, error %v", got, s.logLevel, err)
	}
}
