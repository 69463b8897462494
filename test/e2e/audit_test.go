//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"
)

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
	// writes are those of the controller, but for what it reports, and commands those of people to Rollouts, oldest first.
	writes, commands []entry
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
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Answer struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
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
	if e.User.Username == controllerUser {
		a.addOwn(e)
	} else if e.writes() && e.ObjectRef.Resource == "rollouts" {
		a.commands = append(a.commands, e)
	}
}

// addOwn takes in a request of the controller.
func (a *audit) addOwn(e entry) {
	if e.Verb == "watch" || e.ObjectRef.Resource == "leases" {
		return
	}
	a.calls++
	a.lastCall, a.last = e.At, e.Verb+" "+e.URI
	if !e.writes() || e.ObjectRef.Resource == "events" {
		return
	}
	a.writes = append(a.writes, e)
	if e.ObjectRef.Resource == "httproutes" {
		a.routeWrites[e.ObjectRef.Namespace]++
	}
}

// writes says whether a request changed an object, and not only its status.
func (e entry) writes() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete"}, e.Verb) && e.ObjectRef.Subresource == "" &&
		e.Answer.Code < http.StatusMultipleChoices
}
