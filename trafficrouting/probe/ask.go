package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"k8s.io/client-go/util/flowcontrol"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/trafficrouting"
)

const (
	// Rate is how many requests a controller sends in a second at the most, for all Rollouts together.
	Rate = 100
	// burst is how many of them may come at once.
	burst = 10
	// MaxBody is how much of an answer is read, in bytes: enough for the other side to be done with a small one.
	MaxBody = 64 << 10
	// maxHeader is how long the headers of an answer may be, in bytes.
	maxHeader = 64 << 10
	// workers is how many requests of a probe are on their way at the same time.
	workers   = 8
	userAgent = "sluice-probe"
)

// Question is a probe.
type Question struct {
	// Probe is what the spec says.
	Probe v1alpha1.TrafficProbe
	// Door is where to ask.
	Door trafficrouting.Door
	// Requests is how many.
	Requests int
	// Candidate and Stable are the hashes of the two revisions.
	Candidate, Stable string
}

// Asker sends requests.
type Asker struct {
	guard Guard
	pace  flowcontrol.RateLimiter
}

// NewAsker makes one. A controller needs one, for the rate of all of its probes.
func NewAsker(guard Guard) *Asker {
	return &Asker{guard: guard, pace: flowcontrol.NewTokenBucketRateLimiter(Rate, burst)}
}

// Ask sends the requests of a probe and counts the answers. It ends early when ctx does, and when so many requests have failed that
// the rest cannot confirm anything.
func (a *Asker) Ask(ctx context.Context, q Question) Count {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &tally{stop: cancel, most: q.Requests / 2}
	client := a.client(q)
	turns := make(chan struct{})
	var asking sync.WaitGroup
	for range min(workers, q.Requests) {
		asking.Go(func() {
			for range turns {
				out.add(ask(ctx, client, q))
			}
		})
	}
	for range q.Requests {
		if a.pace.Wait(ctx) != nil {
			break
		}
		turns <- struct{}{}
	}
	close(turns)
	asking.Wait()
	return out.count
}

// tally counts answers that come at the same time.
type tally struct {
	mu    sync.Mutex
	count Count
	// stop ends the probe when more than most requests have failed.
	stop func()
	most int
}

// answer is what one request came to: the revision that it tells, or the error.
type answer struct {
	revision string
	err      error
	of       *Question
}

func (t *tally) add(got answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case got.err != nil:
		t.count.Failed++
		t.count.Failure = cmp.Or(t.count.Failure, reason(got.err))
	case got.revision == "":
		t.count.Untold++
	case got.revision == got.of.Candidate:
		t.count.Candidate++
	default:
		t.count.Stable++
	}
	if t.count.Failed > t.most {
		t.stop()
	}
}

// reason is an error without the URL before it, which the message names once.
func reason(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return err.Error()
}

// ask sends one request.
func ask(ctx context.Context, client *http.Client, q Question) answer {
	request, err := newRequest(ctx, q)
	if err != nil {
		return answer{err: err, of: &q}
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{err: err, of: &q}
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, MaxBody) // what becomes of the body says nothing of the share
	return answer{revision: Tells(response.Header.Get(q.Probe.RevisionHeader), q.Candidate, q.Stable), of: &q}
}

// newRequest is one request as any client sends it.
func newRequest(ctx context.Context, q Question) (*http.Request, error) {
	target, err := url.Parse(q.Door.Path)
	if err != nil {
		return nil, err
	}
	target.Scheme, target.Host = "http", cmp.Or(q.Door.Host, net.JoinHostPort(q.Door.Address, strconv.Itoa(int(q.Door.Port))))
	if q.Door.TLS {
		target.Scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", userAgent)
	for _, h := range q.Probe.Headers {
		request.Header.Set(h.Name, h.Value)
	}
	return request, nil
}

// client asks at one door, whatever a URL says, and by a connection of its own each time: behind the address there may be many
// proxies, of which each has to serve by the weight.
func (a *Asker) client(q Question) *http.Client {
	timeout := q.Probe.TimeoutOrDefault()
	dialer := &net.Dialer{Timeout: timeout, Control: a.guard.control}
	address := net.JoinHostPort(q.Door.Address, strconv.Itoa(int(q.Door.Port)))
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS12, ServerName: q.Door.Host, InsecureSkipVerify: q.Probe.InsecureSkipVerify,
			},
			TLSHandshakeTimeout:    timeout,
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
	}
}
