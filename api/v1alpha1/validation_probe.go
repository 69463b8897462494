package v1alpha1

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// reservedHeaders are those of a request that are not a probe's to say.
func reservedHeaders() []string {
	return []string{"host", "connection", "content-length", "transfer-encoding", "upgrade"}
}

const (
	headerPattern = `^[A-Za-z0-9_-]+$`
	hostPattern   = `^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	pathPattern   = `^/[!-~]*$`
	valuePattern  = `^[ -~]*$`
	minTimeout    = 100 * time.Millisecond
	maxTimeout    = 10 * time.Second
)

func validateProbe(t *Traffic, path *field.Path) field.ErrorList {
	p := t.Probe
	if p == nil {
		return nil
	}
	var errs field.ErrorList
	if t.GatewayAPI == nil {
		errs = append(errs, field.Forbidden(path, "a probe asks the Gateways of HTTPRoutes: remove probe, or share traffic by gatewayAPI"))
	}
	hold := func(pattern, value, message string, at ...string) {
		if ok, err := regexp.MatchString(pattern, value); err != nil || !ok {
			errs = append(errs, field.Invalid(path.Child(at[0], at[1:]...), value, message))
		}
	}
	hold(headerPattern, p.RevisionHeader, "this is not the name of a header: write letters, digits and dashes, such as X-Pod", "revisionHeader")
	if p.Host != "" {
		hold(hostPattern, p.Host, "write the name of a host without scheme, port and path, such as web.example.com", "host")
	}
	if p.Path != "" {
		hold(pathPattern, p.Path, "a path begins with a slash and has no spaces: write /cart", "path")
	}
	for i, h := range p.Headers {
		errs = append(errs, validateProbeHeader(h, path.Child("headers").Index(i))...)
	}
	if d := p.TimeoutOrDefault(); d < minTimeout || d > maxTimeout {
		errs = append(errs, field.Invalid(path.Child("timeout"), d.String(), `write a duration such as "2s", at least "100ms" and at most "10s"`))
	}
	return errs
}

func validateProbeHeader(h ProbeHeader, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	ok, err := regexp.MatchString(headerPattern, h.Name)
	if err != nil || !ok || slices.Contains(reservedHeaders(), strings.ToLower(h.Name)) {
		errs = append(errs, field.Invalid(path.Child("name"), h.Name,
			"write the name of a header that a request may have beside its host, such as X-Probe; the host is in host"))
	}
	if ok, err := regexp.MatchString(valuePattern, h.Value); err != nil || !ok {
		errs = append(errs, field.Invalid(path.Child("value"), h.Value, "write the value of a header on one line, in ASCII"))
	}
	return errs
}
