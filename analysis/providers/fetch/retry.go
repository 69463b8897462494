package fetch

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"k8s.io/utils/clock"
)

// maxTries is how often one request is sent at most, to a server that asks to come later.
const maxTries = 3

// patient sends a request again to a server that is too busy (429, 503) and says when to come back, as long as that is
// within the time that the request has. The last answer counts. One that does not say when is left to the engine, which
// asks again by its own pace.
type patient struct {
	next  http.RoundTripper
	clock clock.Clock
}

// RoundTrip asks, and asks again.
func (p patient) RoundTrip(request *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		response, err := p.next.RoundTrip(request)
		if err != nil || try == maxTries || !busy(response.StatusCode) {
			return response, err
		}
		wait, ok := comeBack(response.Header)
		again := repeat(request)
		if !ok || again == nil || !p.fits(request.Context(), wait) {
			return response, nil
		}
		if err := errors.Join(response.Body.Close(), p.pause(request.Context(), wait)); err != nil {
			return nil, err
		}
		request = again
	}
}

// pause waits, unless the request is given up meanwhile.
func (p patient) pause(ctx context.Context, wait time.Duration) error {
	timer := p.clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C():
		return nil
	}
}

// fits says that there is time to wait, and as much again for the answer, up to a second.
func (p patient) fits(ctx context.Context, wait time.Duration) bool {
	deadline, limited := ctx.Deadline()
	return !limited || p.clock.Now().Add(wait+min(wait, time.Second)).Before(deadline)
}

// busy says that a server may answer later.
func busy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// comeBack reads the header Retry-After: seconds, or a moment, by the clock of the server that sent it (RFC 9110, 10.2.3).
func comeBack(header http.Header) (time.Duration, bool) {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0, false
	}
	return max(at.Sub(now), 0), true
}

// repeat gives a request that can be sent after another one; nil where the body cannot be had again.
func repeat(request *http.Request) *http.Request {
	again := request.Clone(request.Context())
	if request.Body == nil || request.Body == http.NoBody {
		return again
	}
	if request.GetBody == nil {
		return nil
	}
	body, err := request.GetBody()
	if err != nil {
		return nil
	}
	again.Body = body
	return again
}
