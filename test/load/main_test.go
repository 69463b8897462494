package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfigIsChecked(t *testing.T) {
	good := []string{"-target=http://10.77.0.1:8000/"}
	if _, err := configFrom(good, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flag, want string }{
		{"-target=10.77.0.1:8000", "is not an http URL"},
		{"-target=", "is not an http URL"},
		{"8", `"8" is no flag`},
		{"-rate=0", "-rate: 0: write a number above 0"},
		{"-fresh=1.5", "-fresh: 1.5 is not a share"},
		{"-timeout=0s", "-timeout"},
		{"-max-in-flight=0", "-max-in-flight"},
		{"-max-duration=3h", "a load must end"},
		{"-header=x-canary", `"x-canary" is no header: write "name: value"`},
		{"-header=: yes", `": yes" is no header`},
		{"-protocol=http3", "write http1, h2c or grpc"},
	} {
		_, err := configFrom(append(slices.Clone(good), c.flag), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.flag, err, c.want)
		}
	}
}

func TestHeadersAreTakenFromFlags(t *testing.T) {
	got, err := configFrom([]string{"-target=http://127.0.0.1/", "-header=x-canary: yes", "-header", "Cookie:beta=1"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{"X-Canary": {"yes"}, "Cookie": {"beta=1"}}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
