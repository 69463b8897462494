package fetch

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Headers gives the headers of a metric, with the values of the Secrets that they name; field is where they stand. The
// error is a *analysis.Fault, and shows no value of a Secret.
func Headers(
	ctx context.Context, secrets analysis.Secrets, field string, given []v1alpha1.MetricHeader,
) (http.Header, error) {
	headers := http.Header{}
	for i, header := range given {
		value := header.Value
		if header.SecretKeyRef != nil {
			secret, err := Secret(ctx, secrets, fmt.Sprintf("%s[%d].secretKeyRef", field, i), *header.SecretKeyRef)
			if err != nil {
				return nil, err
			}
			value += secret
		}
		headers.Set(header.Name, value)
	}
	return headers, nil
}

// Secret gives the value of a Secret that is to stand in a header; field is where it is named. The error is a
// *analysis.Fault, and shows nothing of the value.
func Secret(
	ctx context.Context, secrets analysis.Secrets, field string, ref v1alpha1.SecretKeyReference,
) (string, error) {
	value, err := secrets.Value(ctx, field, ref)
	if err != nil {
		return "", err
	}
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", &analysis.Fault{Reason: v1alpha1.ReasonSecretMissing, Field: field, Message: fmt.Sprintf(
			"what Secret %q has under %q cannot stand in a header; it must be one line of printable ASCII", ref.Name, ref.Key)}
	}
	return value, nil
}
