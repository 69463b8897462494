package main

import (
	"io"
	"strings"
	"testing"
)

func TestOptionsAreChecked(t *testing.T) {
	good := []string{"-gateway=infra/public", "-address=http://192.0.2.7"}
	o, err := optionsFrom(good, io.Discard)
	if err != nil || o.namespace != "infra" || o.gateway.Name != "public" {
		t.Fatalf("options %+v, error %v, want Gateway infra/public, and its namespace", o, err)
	}
	for _, row := range []struct{ flag, want string }{
		{"-gateway=public", "write namespace/name"},
		{"-gateway=infra/public/http", "write namespace/name"},
		{"-gateway=", "write namespace/name"},
		{"-address=192.0.2.7", "is not an http URL"},
		{"now", `"now" is no flag`},
	} {
		_, err := optionsFrom(append(good[:2:2], row.flag), io.Discard)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", row.flag, err, row.want)
		}
	}
}
