package providertest

import (
	"context"
	"errors"
	"strconv"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// credential is the value of all Secrets in the contract.
const credential = "secret-of-the-team"

// Secrets gives the same value for every Secret, one that no message may show.
func Secrets(context.Context, v1alpha1.SecretKeyReference) (string, error) { return credential, nil }

// NamedSecrets gives each value of a Secret the name and the key of it, "name/key", and a line end as files have it.
func NamedSecrets(_ context.Context, ref v1alpha1.SecretKeyReference) (string, error) {
	return ref.Name + "/" + ref.Key + "\n", nil
}

// Told puts what came of a measurement into one word: the number, "no data", or the reason of a fault.
func Told(reading analysis.Reading, err error) string {
	var fault *analysis.Fault
	switch {
	case errors.As(err, &fault):
		return fault.Reason
	case err != nil:
		return "an error that is no fault: " + err.Error()
	case !reading.Found:
		return "no data"
	}
	return strconv.FormatFloat(reading.Value, 'g', -1, 64)
}
