package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"

	"k8s.io/utils/clock"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// maxKept is how many connections' settings, and how many tokens, are kept at most.
const maxKept = 64

// Access makes clients for servers that do not answer everybody. It keeps connections by what they trust and show, and
// tokens until they end, both under hashes of what they were made of: a Secret that has changed leads to others. It is safe
// for concurrent use.
type Access struct {
	base   Transport
	tokens Transport // for addresses that stand in metrics
	clock  clock.Clock

	mu         sync.Mutex
	transports map[[sha256.Size]byte]http.RoundTripper
	given      map[[sha256.Size]byte]token
}

// NewAccess makes clients with one way of asking servers, and another for those that give tokens out, whose addresses
// always stand in metrics. The clock is the real one when nil.
func NewAccess(base, tokens Transport, time clock.Clock) *Access {
	if time == nil {
		time = clock.RealClock{}
	}
	return &Access{
		base: base, tokens: tokens, clock: time,
		transports: map[[sha256.Size]byte]http.RoundTripper{}, given: map[[sha256.Size]byte]token{},
	}
}

// Client makes a client that asks as a metric wants it; field is where that stands. It reads the Secrets that it names, and
// gets a token where one is needed, before ctx is done. The error is a *analysis.Fault, and shows no value of a Secret.
func (a *Access) Client(
	ctx context.Context, secrets analysis.Secrets, field string, access v1alpha1.PrometheusAccess,
) (*http.Client, error) {
	with, err := certificates(ctx, secrets, field+".tls", access.TLS)
	if err != nil {
		return nil, err
	}
	header, err := Headers(ctx, secrets, field+".headers", access.Headers)
	if err != nil {
		return nil, err
	}
	next := http.RoundTripper(decorated{next: a.transport(a.base, with, "server"), header: header})
	if access.Authentication != nil {
		if next, err = a.authenticated(ctx, secrets, field+".authentication", *access.Authentication, login{with: with, next: next}); err != nil {
			return nil, err
		}
	}
	return &http.Client{Transport: patient{next: next, clock: a.clock}}, nil
}

// login is what is known before it is known who asks.
type login struct {
	with material
	next http.RoundTripper
}

// authenticated says who asks.
func (a *Access) authenticated(
	ctx context.Context, secrets analysis.Secrets, field string, by v1alpha1.MetricAuthentication, l login,
) (http.RoundTripper, error) {
	switch {
	case by.Basic != nil:
		user, err := secrets.Value(ctx, field+".basic.username", by.Basic.Username)
		if err != nil {
			return nil, err
		}
		password, err := secrets.Value(ctx, field+".basic.password", by.Basic.Password)
		if err != nil {
			return nil, err
		}
		return authorized(l.next, "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password))), nil
	case by.Bearer != nil:
		token, err := Secret(ctx, secrets, field+".bearer", *by.Bearer)
		if err != nil {
			return nil, err
		}
		return authorized(l.next, "Bearer "+token), nil
	case by.OAuth2 != nil:
		return a.withToken(ctx, secrets, field+".oauth2", *by.OAuth2, l)
	}
	return nil, &analysis.Fault{
		Reason: v1alpha1.ReasonQueryInvalid, Field: field, Message: "it is empty; write one of basic, bearer and oauth2",
	}
}

// decorated adds headers to each request.
type decorated struct {
	next   http.RoundTripper
	header http.Header
}

// RoundTrip asks once.
func (d decorated) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	for name, values := range d.header {
		request.Header[name] = values
	}
	return d.next.RoundTrip(request)
}

// authorized sends a header Authorization.
func authorized(next http.RoundTripper, value string) http.RoundTripper {
	return decorated{next: next, header: http.Header{"Authorization": {value}}}
}

// material is what a connection is made of.
type material struct {
	CA, Certificate, Key, ServerName string
	Insecure                         bool
	config                           *tls.Config
}

// certificates reads what a metric says of TLS.
func certificates(ctx context.Context, secrets analysis.Secrets, field string, given *v1alpha1.MetricTLS) (material, error) {
	if given == nil {
		return material{}, nil
	}
	with := material{ServerName: given.ServerName, Insecure: given.InsecureSkipVerify}
	for _, part := range []struct {
		name string
		ref  *v1alpha1.SecretKeyReference
		into *string
	}{{".ca", given.CA, &with.CA}, {".certificate", given.Certificate, &with.Certificate}, {".key", given.Key, &with.Key}} {
		if part.ref == nil {
			continue
		}
		value, err := secrets.Value(ctx, field+part.name, *part.ref)
		if err != nil {
			return material{}, err
		}
		*part.into = value
	}
	with.config = &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: with.ServerName, InsecureSkipVerify: with.Insecure,
	}
	return with, with.load(field)
}

// load reads the certificates into the configuration.
func (m *material) load(field string) error {
	if m.CA != "" {
		m.config.RootCAs = x509.NewCertPool()
		if !m.config.RootCAs.AppendCertsFromPEM([]byte(m.CA)) {
			return &analysis.Fault{
				Reason: v1alpha1.ReasonSecretMissing, Field: field + ".ca", Message: "it is no certificate in PEM; store one that " +
					"begins with -----BEGIN CERTIFICATE-----",
			}
		}
	}
	if m.Certificate == "" && m.Key == "" {
		return nil
	}
	pair, err := tls.X509KeyPair([]byte(m.Certificate), []byte(m.Key))
	if err != nil {
		return &analysis.Fault{
			Reason: v1alpha1.ReasonSecretMissing, Field: field + ".certificate", Message: "certificate and key are no pair in PEM; " +
				"store what a Secret of the type kubernetes.io/tls has under tls.crt and tls.key",
		}
	}
	m.config.Certificates = []tls.Certificate{pair}
	return nil
}

// transport gives the connections for some material. Without any, those of the base are shared by all.
func (a *Access) transport(base Transport, with material, use string) http.RoundTripper {
	key := hash(use, with.CA, with.Certificate, with.Key, with.ServerName, with.Insecure)
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.transports[key]; ok {
		return known
	}
	if len(a.transports) >= maxKept {
		for _, old := range a.transports {
			(&http.Client{Transport: old}).CloseIdleConnections()
		}
		clear(a.transports)
	}
	if with.config != nil {
		base.TLS = with.config
	}
	made := base.Client().Transport
	a.transports[key] = made
	return made
}

// hash names a value by what it was made of, without keeping that.
func hash(parts ...any) [sha256.Size]byte {
	text, err := json.Marshal(parts)
	if err != nil {
		text = nil // texts and truth values always become JSON
	}
	return sha256.Sum256(text)
}
