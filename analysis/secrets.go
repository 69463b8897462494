package analysis

import (
	"context"
	"strings"
	"sync"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Secrets reads one value of a Secret in the namespace of a run. It is safe for concurrent use. Its error is a *Fault
// without a field.
type Secrets func(ctx context.Context, ref v1alpha1.SecretKeyReference) (string, error)

// Value gives the value that a field of a metric refers to, "provider.prometheus.bearerToken", without line ends at its
// end, which files tend to have. The error is a *Fault that names the field and what would help. A value is for a request
// alone: it never stands in a message, nor in anything that outlives the measurement.
func (s Secrets) Value(ctx context.Context, field string, ref v1alpha1.SecretKeyReference) (string, error) {
	if s == nil {
		return "", &Fault{
			Reason: v1alpha1.ReasonSecretMissing, Field: field, Message: "there are no Secrets to read here; leave it out",
		}
	}
	value, err := s(ctx, ref)
	if err != nil {
		return "", below(field, err)
	}
	return strings.TrimRight(value, "\r\n"), nil
}

const (
	// hidden stands in a message for the value of a Secret.
	hidden = "[hidden]"
	// minHidden is the least part of a value, in bytes, that is hidden where a message was cut in the middle of it.
	minHidden = 4
)

// disclosed remembers which values were read for one measurement, so that no server can bring one into a status by
// repeating it: some tell the token that they refuse.
type disclosed struct {
	mu     sync.Mutex
	values []string
}

// by reads through a reader, and remembers.
func (d *disclosed) by(read Secrets) Secrets {
	if read == nil {
		return nil
	}
	return func(ctx context.Context, ref v1alpha1.SecretKeyReference) (string, error) {
		value, err := read(ctx, ref)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.values = append(d.values, value, strings.TrimRight(value, "\r\n"))
		return value, err
	}
}

// hide takes the values out of a text, and the beginning of one where the text was cut.
func (d *disclosed) hide(text string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, value := range d.values {
		if value == "" {
			continue
		}
		text = strings.ReplaceAll(text, value, hidden)
		for n := len(value) - 1; n >= minHidden; n-- {
			text = strings.ReplaceAll(text, value[:n]+cutMark, hidden+cutMark)
		}
	}
	return text
}
