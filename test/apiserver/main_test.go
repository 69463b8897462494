//go:build apiserver

// Package apiserver_test holds what the schema of Sluice promises, against a real API server.
package apiserver_test

import (
	"os"
	"testing"

	"github.com/sluice-dev/sluice/test/apiserver/env"
)

func TestMain(m *testing.M) { os.Exit(env.Main(m)) }
