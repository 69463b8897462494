package prometheus

import (
	"context"
	"errors"
	"fmt"
	"time"

	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/analysis/providers/fetch"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// explain turns the error of a query into a fault: which field it is about, and what would help.
func (t target) explain(err error, limit time.Duration) *analysis.Fault {
	var answer *prometheusv1.Error
	var refusal *fetch.Refusal
	switch {
	case errors.As(err, &answer):
		return t.explainAnswer(answer)
	case errors.As(err, &refusal):
		return &analysis.Fault{
			Reason: v1alpha1.ReasonAddressInvalid, Field: fieldAddress, Cause: err, Message: t.address + " " + refusal.Why,
		}
	case errors.Is(err, fetch.ErrRedirect):
		return t.unreachable("it redirects, which is not followed; write the address that it redirects to", err)
	case errors.Is(err, fetch.ErrTooLarge):
		return &analysis.Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: fieldQuery, Cause: err,
			Message: fmt.Sprintf("the answer is larger than %d bytes; ask for one number", fetch.MaxBody),
		}
	case errors.Is(err, context.DeadlineExceeded):
		return &analysis.Fault{
			Reason: v1alpha1.ReasonProviderUnreachable, Field: fieldTimeout, Cause: err,
			Message: fmt.Sprintf("%s%s did not answer within %s; check the server, or allow it more time (at most %s)",
				t.address, t.origin, limit, MaxTimeout),
		}
	}
	return t.unreachable(fetch.Network(err), err)
}

// explainAnswer explains an error that the server itself gave.
func (t target) explainAnswer(answer *prometheusv1.Error) *analysis.Fault {
	switch answer.Type {
	case prometheusv1.ErrBadData, prometheusv1.ErrExec:
		return &analysis.Fault{
			Reason: v1alpha1.ReasonQueryInvalid, Field: fieldQuery, Cause: answer,
			Message: "the server refuses the query: " + fetch.Printable(answer.Msg, fetch.ShownText),
		}
	case prometheusv1.ErrTimeout, prometheusv1.ErrCanceled:
		return &analysis.Fault{
			Reason: v1alpha1.ReasonProviderUnreachable, Field: fieldTimeout, Cause: answer,
			Message: fmt.Sprintf("%s%s gave up on the query; make it cheaper, or allow it more time", t.address, t.origin),
		}
	case prometheusv1.ErrServer:
		return t.unreachable("it answers with a "+answer.Msg+"; check the server", answer)
	case prometheusv1.ErrClient:
		if refused(answer) {
			return t.unknown(answer)
		}
		return t.unreachable("it answers with a "+answer.Msg+"; write the base address of the API, which is what stands "+
			"before /api/v1/query", answer)
	case prometheusv1.ErrBadResponse:
	}
	return t.unreachable("its answer is not one of the Prometheus HTTP API; write the base address, which is what stands "+
		"before /api/v1/query", answer)
}

// refused says that a server wants to know who asks, or does not let them: client_golang tells the status in its text only.
func refused(answer *prometheusv1.Error) bool {
	return answer.Msg == "client error: 401" || answer.Msg == "client error: 403"
}

// unknown is the fault of a server that does not answer everybody.
func (t target) unknown(answer *prometheusv1.Error) *analysis.Fault {
	if !t.known {
		return t.unreachable("it answers with a "+answer.Msg+"; say who asks, with authentication or headers", answer)
	}
	fault := t.unreachable("it answers with a "+answer.Msg+"; check the credentials, and what they permit", answer)
	fault.Field = fieldLogin
	return fault
}

// unreachable is the fault of a server that gives no usable answer.
func (t target) unreachable(why string, cause error) *analysis.Fault {
	return &analysis.Fault{
		Reason: v1alpha1.ReasonProviderUnreachable, Field: fieldAddress, Cause: cause,
		Message: fmt.Sprintf("cannot use %s%s: %s", t.address, t.origin, why),
	}
}
