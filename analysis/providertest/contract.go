// Package providertest is the contract of a provider: what it must do with the answers, and with the misbehaviour, of a
// server that it asks. Every provider passes it.
package providertest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	patience  = 5 * time.Second        // for servers that answer
	impatient = 100 * time.Millisecond // for servers that do not
	hugeBody  = 100 << 20              // bytes
	maxRead   = 16 << 20               // bytes that may leave a server before its client has hung up, with all buffers
)

// Answer is what a server sends.
type Answer struct {
	// Status code.
	Status int
	// Body in the shape of the provider.
	Body string
}

// Subject is a provider under test, and how the servers that it is made for speak.
type Subject struct {
	// Provider to test. It may ask servers on the loopback network.
	Provider analysis.Provider
	// Source makes a source that asks the server at a base address, and waits so long for it.
	Source func(address string, timeout time.Duration) v1alpha1.MetricProvider
	// Number gives the answer with one number, which may be NaN or infinite unless Finite.
	Number func(float64) Answer
	// Finite says that the provider's shape has no NaN and no infinity.
	Finite bool
	// Literal gives the answer with this text where a number is written.
	Literal func(text string) Answer
	// Warned gives the answer with a number and a warning; nil for a provider whose servers do not warn.
	Warned func(value float64, warning string) Answer
	// Empty is the answer without anything.
	Empty Answer
	// Several is the answer with two numbers, of pods "a" and "b"; without a status for a provider whose servers give one.
	Several Answer
	// BadQuery are answers to a query that the server does not accept; the text "the reason" stands in each.
	BadQuery []Answer
	// Malformed are answers with status 200 that hold no number, nor nothing, in the provider's shape.
	Malformed []Answer
}

// Test runs the contract.
func Test(t *testing.T, subject Subject) {
	t.Run("numbers", subject.testNumbers)
	t.Run("what is no number", subject.testLiterals)
	t.Run("no number", subject.testEmpty)
	if subject.Warned != nil {
		t.Run("warnings", subject.testWarnings)
	}
	if subject.Several.Status != 0 {
		t.Run("several numbers", subject.testSeveral)
	}
	t.Run("bad queries", subject.testBadQuery)
	t.Run("malformed answers", subject.testMalformed)
	t.Run("statuses", subject.testStatuses)
	t.Run("foreign answers", subject.testForeignAnswers)
	t.Run("redirect", subject.testRedirect)
	t.Run("redirect to the metadata of a machine", subject.testRedirectToMetadata)
	t.Run("huge body", subject.testHuge)
	t.Run("packed body", subject.testPacked)
	t.Run("huge header", subject.testHugeHeader)
	t.Run("silent server", subject.testSilent)
	t.Run("slow server", subject.testSlow)
	t.Run("trickling server", subject.testTrickle)
	t.Run("broken off", subject.testBrokenOff)
	t.Run("cancelled", subject.testCancelled)
	t.Run("nobody there", subject.testNobody)
	t.Run("foreign protocol", subject.testForeign)
}

// serve starts a server with one answer and measures once.
func (s Subject) serve(t *testing.T, answer Answer) (analysis.Reading, error) {
	t.Helper()
	return s.ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Status)
		_, _ = w.Write([]byte(answer.Body))
	}, patience)
}

// ask starts a server and measures once.
func (s Subject) ask(t *testing.T, handler http.HandlerFunc, timeout time.Duration) (analysis.Reading, error) {
	t.Helper()
	return s.Provider.Measure(t.Context(), s.query(start(t, handler), timeout))
}

// start starts a server. It reads a request to its end before it answers, because only then does it notice that a client
// has hung up.
func start(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// query asks at a fixed moment.
func (s Subject) query(address string, timeout time.Duration) analysis.Query {
	return analysis.Query{Source: s.Source(address, timeout), At: time.Unix(1_700_000_000, 0), Secrets: Secrets}
}

func (s Subject) testNumbers(t *testing.T) {
	numbers := []float64{0, 0.97, -3, 1e300, 5e-324, math.MaxFloat64}
	if !s.Finite {
		numbers = append(numbers, math.NaN(), math.Inf(1), math.Inf(-1))
	}
	for _, want := range numbers {
		reading, err := s.serve(t, s.Number(want))
		if err != nil {
			t.Errorf("%v: %v", want, err)
			continue
		}
		same := reading.Value == want || math.IsNaN(reading.Value) && math.IsNaN(want)
		if !reading.Found || !same {
			t.Errorf("got %+v, want a reading of %v", reading, want)
		}
	}
}

// testLiterals has texts in the place of a number: too large to be one, or another way of writing.
func (s Subject) testLiterals(t *testing.T) {
	for _, text := range []string{
		"1e999", "-1e999", "1" + strings.Repeat("0", 400), "--1", "1,5", "1.2.3", "1e", "0,97", "1 2", "١", "many",
	} {
		reading, err := s.serve(t, s.Literal(text))
		if err == nil {
			t.Errorf("%q: got %+v, want an error", text, reading)
			continue
		}
		wantFault(t, err, "")
	}
}

func (s Subject) testEmpty(t *testing.T) {
	reading, err := s.serve(t, s.Empty)
	if err != nil || reading.Found {
		t.Errorf("got %+v and error %v, want a reading that found nothing", reading, err)
	}
}

func (s Subject) testWarnings(t *testing.T) {
	reading, err := s.serve(t, s.Warned(1, "some data is missing"))
	if err != nil || reading.Value != 1 {
		t.Fatalf("got %+v and error %v, want 1", reading, err)
	}
	if !strings.Contains(strings.Join(reading.Warnings, " "), "some data is missing") {
		t.Errorf("got warnings %q, want the one that the server sent", reading.Warnings)
	}
}

func (s Subject) testSeveral(t *testing.T) {
	_, err := s.serve(t, s.Several)
	message := wantFault(t, err, v1alpha1.ReasonAmbiguous)
	for _, label := range []string{`"a"`, `"b"`} {
		if !strings.Contains(message, label) {
			t.Errorf("message %q does not show the label %s", message, label)
		}
	}
}

func (s Subject) testBadQuery(t *testing.T) {
	for _, answer := range s.BadQuery {
		_, err := s.serve(t, answer)
		message := wantFault(t, err, v1alpha1.ReasonQueryInvalid)
		if !strings.Contains(message, "the reason") {
			t.Errorf("message %q does not give the reason of the server", message)
		}
	}
}

func (s Subject) testMalformed(t *testing.T) {
	for _, answer := range s.Malformed {
		reading, err := s.serve(t, answer)
		if err == nil {
			t.Errorf("%s: got %+v, want an error", answer.Body, reading)
			continue
		}
		wantFault(t, err, "")
	}
}

// testStatuses also checks that what such a page says stays where it is: it may be anything, of anyone.
func (s Subject) testStatuses(t *testing.T) {
	for _, status := range []int{401, 403, 404, 405, 429, 500, 501, 502, 503, 504} {
		_, err := s.serve(t, Answer{Status: status, Body: "<html>secret-of-a-stranger</html>"})
		message := wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
		if !strings.Contains(message, fmt.Sprint(status)) {
			t.Errorf("message %q does not give the status %d", message, status)
		}
		if strings.Contains(err.Error(), "secret-of-a-stranger") {
			t.Errorf("error %q repeats the page of the server", err)
		}
	}
}

// testForeignAnswers has what no server of any provider answers, with a status that says that all is well.
func (s Subject) testForeignAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":      "",
		"a blank":      " ",
		"a page":       "<!DOCTYPE html><html><body>secret-of-a-stranger</body></html>",
		"deep arrays":  strings.Repeat("[", 400_000),
		"deep objects": strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"no UTF-8":     "{\"secret-of-a-stranger\xff\xfe\": \xc3\x28}",
		"zeros":        strings.Repeat("\x00", 1000),
		"half":         `{"secret-of-a-stranger": [1, 2, `,
		"two":          `{}{"secret-of-a-stranger": 1}`,
	} {
		if strings.TrimSpace(body) == strings.TrimSpace(s.Empty.Body) {
			continue // that is how these servers say that there is nothing
		}
		for _, kind := range []string{"application/json", "text/html; charset=latin1", "", "application/csv"} {
			reading, err := s.ask(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = io.WriteString(w, body)
			}, patience)
			if err == nil {
				t.Errorf("%s as %q: got %+v, want an error", name, kind, reading)
				continue
			}
			wantFault(t, err, "")
			if strings.Contains(err.Error(), "secret-of-a-stranger") {
				t.Errorf("%s: error %q repeats the answer", name, err)
			}
		}
	}
}

func (s Subject) testRedirect(t *testing.T) {
	var followed atomic.Bool
	_, err := s.ask(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			followed.Store(true)
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}, patience)
	wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
	if followed.Load() {
		t.Error("the redirect was followed")
	}
}

// testRedirectToMetadata has the server of a stranger send the controller where machines keep their credentials.
func (s Subject) testRedirectToMetadata(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		_, err := s.ask(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/iam/security-credentials", status)
		}, patience)
		wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
		if err != nil && strings.Contains(err.Error(), "169.254.169.254") {
			t.Errorf("status %d: error %q speaks of the address, want one about a redirect", status, err)
		}
	}
}

func (s Subject) testHuge(t *testing.T) {
	var sent atomic.Int64
	done := make(chan struct{})
	_, err := s.ask(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(done)
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for sent.Load() < hugeBody {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}, patience)
	wantFault(t, err, "")
	<-done
	if sent.Load() > maxRead {
		t.Errorf("%d bytes were taken from the server, want at most %d", sent.Load(), maxRead)
	}
}

// testPacked has 100 MB in 100 kB.
func (s Subject) testPacked(t *testing.T) {
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	chunk := []byte(strings.Repeat(" ", 1<<20))
	for range hugeBody / len(chunk) {
		_, _ = packer.Write(chunk)
	}
	_ = packer.Close()
	_, err := s.ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}, patience)
	wantFault(t, err, v1alpha1.ReasonQueryInvalid)
}

func (s Subject) testHugeHeader(t *testing.T) {
	_, err := s.ask(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			w.Header().Add("X-Much", strings.Repeat("x", 1<<10))
		}
	}, patience)
	wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
}

func (s Subject) testSilent(t *testing.T) {
	_, err := s.ask(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}, impatient)
	wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
}

// testSlow has a server that begins its answer and never ends it.
func (s Subject) testSlow(t *testing.T) {
	_, err := s.ask(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, impatient)
	wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
}

// testTrickle has a server that sends a byte whenever its client might lose patience.
func (s Subject) testTrickle(t *testing.T) {
	_, err := s.ask(t, func(w http.ResponseWriter, r *http.Request) {
		tick := clock.RealClock{}.NewTicker(impatient / 10)
		defer tick.Stop()
		for range int(patience / (impatient / 10)) {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C():
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
			}
		}
	}, impatient)
	wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
}

// testBrokenOff has a server that promises more than it sends.
func (s Subject) testBrokenOff(t *testing.T) {
	number := s.Number(1)
	_, err := s.ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(number.Body)+100))
		_, _ = io.WriteString(w, number.Body)
	}, patience)
	wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
}

func (s Subject) testCancelled(t *testing.T) {
	address := start(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Provider.Measure(ctx, s.query(address, patience)); err == nil {
		t.Error("got no error from a measurement that was cancelled")
	}
}

func (s Subject) testNobody(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := s.Provider.Measure(t.Context(), s.query(server.URL, patience))
	message := wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
	if !strings.Contains(message, server.URL) {
		t.Errorf("message %q does not name the address %s", message, server.URL)
	}
}

// testForeign has a port that speaks another protocol, whose greeting must not be repeated.
func (s Subject) testForeign(t *testing.T) {
	_, err := s.ask(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buffer.WriteString("SECRET-9.9 greeting\r\n")
		_ = buffer.Flush()
		_ = connection.Close()
	}, patience)
	wantFault(t, err, v1alpha1.ReasonProviderUnreachable)
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		t.Errorf("error %q repeats the greeting", err)
	}
}

// wantFault checks that an error is a fault that names a field below "provider", says something, and has the reason. Any
// reason will do when want is empty. It gives the message.
func wantFault(t *testing.T, err error, want string) string {
	t.Helper()
	var fault *analysis.Fault
	if !errors.As(err, &fault) {
		t.Fatalf("got error %v, want a fault", err)
	}
	if want != "" && fault.Reason != want {
		t.Errorf("got reason %s (%v), want %s", fault.Reason, err, want)
	}
	if fault.Reason == "" || fault.Message == "" || !strings.HasPrefix(fault.Field, "provider") {
		t.Errorf("got %+v, want a reason, a message, and a field below provider", *fault)
	}
	if strings.Contains(err.Error(), credential) {
		t.Errorf("error %q shows a credential", err)
	}
	return fault.Message
}
