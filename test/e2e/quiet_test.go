//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// quietFor is how long nothing may be read or written once everything has converged.
const quietFor = 2 * time.Minute

// TestQuietOnceConverged leaves Rollouts of several strategies at rest, one of them aborted, and counts in the audit log
// what the controller asks of the API server. Its lease and its watches are how it stays alive and are not counted. On the
// way there, each change of a route's weights is one write.
func TestQuietOnceConverged(t *testing.T) {
	routed := newEnv(t, "quiet-canary")
	routed.install(canary(pausing(time.Second)))
	ratio := newEnv(t, "quiet-ratio")
	ratio.install(v1alpha1.Strategy{RollingUpdate: &v1alpha1.RollingUpdateStrategy{}}, withoutRoutes)
	gone := newEnv(t, "quiet-aborted")
	gone.install(canary(untilPromoted(25)))

	log := openAudit(t, routed.auditLog)
	for _, e := range []*env{routed, ratio, gone} {
		e.release(good(v2))
	}
	gone.await("v2 waits for a person", atGates(0))
	gone.says(0, nil, "abort", "web")
	gone.await("v2 is aborted", aborted)
	for _, e := range []*env{routed, ratio} {
		e.await("v2 is promoted", healthy)
	}
	for _, e := range []*env{routed, ratio, gone} {
		e.onlyStable()
	}

	eventually(t, "the controller has been quiet for 10 seconds", func(context.Context) (bool, string) {
		log.read(t)
		return log.now.Sub(log.lastCall) > 10*time.Second, log.last
	})
	wantWrites := map[string]int{
		routed.Namespace: 3, // 50 %, 100 %, and 0 % when the active Service selects v2
		gone.Namespace:   2, // 25 %, and 0 % on the way back
	}
	if diff := cmp.Diff(wantWrites, log.routeWrites); diff != "" {
		t.Errorf("writes of routes by namespace (-want +got):\n%s", diff)
	}
	from, before := log.now, log.calls
	eventually(t, "two minutes of the audit log", func(context.Context) (bool, string) {
		log.read(t)
		return log.now.Sub(from) >= quietFor, fmt.Sprintf("%s of it", log.now.Sub(from))
	})
	if log.calls != before {
		t.Errorf("the controller called the API server %d times in %s after everything had converged; the last was %s",
			log.calls-before, quietFor, log.last)
	}
}

// audit is the audit log, from the moment it was opened.
type audit struct {
	reader *bufio.Reader
	// rest is the beginning of a line whose end is not written yet.
	rest []byte
	// now is the time of the latest request of anybody.
	now time.Time
	// calls counts the requests of the controller, and lastCall and last are the latest.
	calls    int
	lastCall time.Time
	last     string
	// routeWrites counts the writes of HTTPRoutes by the controller, by namespace.
	routeWrites map[string]int
}

func openAudit(t *testing.T, path string) *audit {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	return &audit{reader: bufio.NewReader(file), routeWrites: map[string]int{}}
}

// entry is what matters of a line of the log.
type entry struct {
	Verb      string    `json:"verb"`
	URI       string    `json:"requestURI"`
	At        time.Time `json:"stageTimestamp"`
	ObjectRef struct {
		Resource  string `json:"resource"`
		Namespace string `json:"namespace"`
	} `json:"objectRef"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
}

// read takes in the lines that were written since the last time.
func (a *audit) read(t *testing.T) {
	t.Helper()
	for {
		line, err := a.reader.ReadBytes('\n')
		a.rest = append(a.rest, line...)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var e entry
		if err := json.Unmarshal(a.rest, &e); err != nil {
			t.Fatalf("audit log: %v in %s", err, a.rest)
		}
		a.rest = a.rest[:0]
		a.add(e)
	}
}

func (a *audit) add(e entry) {
	if e.At.After(a.now) {
		a.now = e.At
		if a.lastCall.IsZero() {
			a.lastCall = e.At
		}
	}
	if e.User.Username == controllerUser && e.Verb != "watch" && e.ObjectRef.Resource != "leases" {
		a.calls++
		a.lastCall, a.last = e.At, e.Verb+" "+e.URI
		if e.ObjectRef.Resource == "httproutes" && (e.Verb == "patch" || e.Verb == "update") {
			a.routeWrites[e.ObjectRef.Namespace]++
		}
	}
}
