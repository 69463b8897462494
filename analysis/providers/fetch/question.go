package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

const (
	// DefaultTimeout bounds a question whose metric sets no timeout.
	DefaultTimeout = 10 * time.Second
	// MaxTimeout bounds every question, whatever its metric asks for: a worker waits for it.
	MaxTimeout = 60 * time.Second
)

// Timeout gives the timeout of a metric, within bounds.
func Timeout(given *metav1.Duration) time.Duration {
	if given == nil || given.Duration <= 0 {
		return DefaultTimeout
	}
	return min(given.Duration, MaxTimeout)
}

// Fields are where the parts of a question stand in a metric, for faults: "provider.web.url".
type Fields struct {
	// Address of the server, and Timeout.
	Address, Timeout string
	// Query is what is asked.
	Query string
	// Credentials that the server may refuse; the address when empty.
	Credentials string
}

// Question is one request to a server.
type Question struct {
	// Method is GET or POST.
	Method string
	// URL to ask. It holds no secret.
	URL string
	// Header has what is sent beside the request. Its values may be secret.
	Header http.Header
	// Body to send, if any.
	Body []byte
	// Limit is how long the answer may take, to its last byte.
	Limit time.Duration
	// Speaks is the API that the server should speak, for messages: "the Graphite render API".
	Speaks string
	// Fields for faults.
	Fields Fields
}

// Answer is what a server sent.
type Answer struct {
	// Status code; never one of a redirect.
	Status int
	// Body, whole and unpacked, at most MaxBody bytes.
	Body []byte
}

// Ask asks once. The error is a *analysis.Fault. That the status of an answer is one of an error is the caller's to see.
func (q Question) Ask(ctx context.Context, client *http.Client) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.Limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return Answer{}, &analysis.Fault{
			Reason: v1alpha1.ReasonAddressInvalid, Field: q.Fields.Address, Cause: err, Message: "it is no URL that can be asked",
		}
	}
	if q.Header != nil {
		request.Header = q.Header
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, q.explain(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, q.explain(err)
	}
	return Answer{Status: response.StatusCode, Body: body}, nil
}

// explain turns an error below HTTP into a fault: which field it is about, and what would help.
func (q Question) explain(err error) *analysis.Fault {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return &analysis.Fault{
			Reason: v1alpha1.ReasonAddressInvalid, Field: q.Fields.Address, Cause: err, Message: q.shown() + " " + refusal.Why,
		}
	case errors.Is(err, ErrRedirect):
		return q.Unusable("it redirects, which is not followed; write the address that it redirects to", err)
	case errors.Is(err, ErrTooLarge):
		return q.Wrong(fmt.Sprintf("the answer is larger than %d bytes; ask for less, such as one number", MaxBody))
	case errors.Is(err, context.DeadlineExceeded):
		return &analysis.Fault{
			Reason: v1alpha1.ReasonProviderUnreachable, Field: q.Fields.Timeout, Cause: err,
			Message: fmt.Sprintf("%s did not answer within %s; check the server, or allow it more time (at most %s)",
				q.shown(), q.Limit, MaxTimeout),
		}
	}
	return q.Unusable(Network(err), err)
}

// shown is the address for messages, without what may be long.
func (q Question) shown() string {
	u, err := url.Parse(q.URL)
	if err != nil {
		return "the address"
	}
	return Printable((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), ShownText)
}

// Unusable is the fault of a server that gives no usable answer.
func (q Question) Unusable(why string, cause error) *analysis.Fault {
	return &analysis.Fault{
		Reason: v1alpha1.ReasonProviderUnreachable, Field: q.Fields.Address, Cause: cause,
		Message: fmt.Sprintf("cannot use %s: %s", q.shown(), why),
	}
}

// Wrong is the fault of what is asked, or of what comes of it.
func (q Question) Wrong(why string) *analysis.Fault {
	return &analysis.Fault{Reason: v1alpha1.ReasonQueryInvalid, Field: q.Fields.Query, Message: why}
}

// Refused is the fault of a query that the server does not accept, with the reason that it gives in its API.
func (q Question) Refused(reason string) *analysis.Fault {
	return q.Wrong("the server refuses the query: " + Printable(reason, ShownText))
}

// Several is the fault of a query that gives several numbers; labels tell them apart.
func (q Question) Several(count int, labels, cure string) *analysis.Fault {
	return &analysis.Fault{
		Reason: v1alpha1.ReasonAmbiguous, Field: q.Fields.Query, Message: fmt.Sprintf(
			"it gives %d series where one number is needed: %s; %s", count, Printable(labels, ShownText), cure),
	}
}

// Strange is the fault of an answer that is none of the API.
func (q Question) Strange(cause error) *analysis.Fault {
	return q.Unusable("its answer is not one of "+q.Speaks+"; check the address", cause)
}

// Failed is the fault of an answer with the status of an error, and with nothing in it that is fit to be shown.
func (q Question) Failed(status int) *analysis.Fault {
	is := fmt.Sprintf("it answers with status %d", status)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		fault := q.Unusable(is+"; check the credentials, and what they permit", nil)
		if q.Fields.Credentials != "" {
			fault.Field = q.Fields.Credentials
		}
		return fault
	case status == http.StatusTooManyRequests:
		return q.Unusable(is+", too many requests; ask less often, with a longer interval", nil)
	case status >= http.StatusInternalServerError:
		return q.Unusable(is+"; check the server", nil)
	}
	return q.Unusable(fmt.Sprintf("%s, as no server with %s does; check the address", is, q.Speaks), nil)
}

// Decode reads an answer in JSON. Unlike package json it does not mend text that is no UTF-8. The error is a
// *analysis.Fault that shows nothing of the answer.
func (q Question) Decode(answer Answer, into any) error {
	if !utf8.Valid(answer.Body) {
		return q.Strange(errors.New("it is not UTF-8"))
	}
	if err := json.Unmarshal(answer.Body, into); err != nil {
		return q.Strange(errors.New("it is not the JSON that was expected"))
	}
	return nil
}
