package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// tokenEnds is how long before its end a token is no longer used, so that it is still good when it arrives.
const tokenEnds = 10 * time.Second

// token is one that was given out, and its end; zero when it has none.
type token struct {
	header string
	ends   time.Time
}

// withToken asks with a token, which is got first where none is known that is still good. One that the server refuses is
// forgotten.
func (a *Access) withToken(
	ctx context.Context, secrets analysis.Secrets, field string, by v1alpha1.OAuth2Credentials, l login,
) (http.RoundTripper, error) {
	secret, err := secrets.Value(ctx, field+".clientSecret", by.ClientSecret)
	if err != nil {
		return nil, err
	}
	key := hash("token", by.TokenURL, by.ClientID, secret, by.Scopes, by.Audience, l.with.Certificate, l.with.Key)
	known, ok := a.known(key)
	if !ok {
		if known, err = a.fetchToken(ctx, field, by, secret, l.with); err != nil {
			return nil, err
		}
		a.remember(key, known)
	}
	return refusable{next: authorized(l.next, known.header), refused: func() { a.forget(key) }}, nil
}

// fetchToken asks for a token.
func (a *Access) fetchToken(
	ctx context.Context, field string, by v1alpha1.OAuth2Credentials, secret string, with material,
) (token, error) {
	asks := Question{URL: by.TokenURL, Fields: Fields{Address: field + ".tokenURL", Timeout: "provider.prometheus.timeout"}}
	if err := Document(asks.Fields.Address, by.TokenURL, "https://login.example.com/oauth2/token"); err != nil {
		return token{}, err
	}
	config := clientcredentials.Config{ClientID: by.ClientID, ClientSecret: secret, TokenURL: by.TokenURL, Scopes: by.Scopes}
	if by.Audience != "" {
		config.EndpointParams = url.Values{"audience": {by.Audience}}
	}
	client := &http.Client{Transport: a.transport(a.tokens, with, "tokens")}
	got, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return token{}, asks.noToken(err)
	}
	if !printableASCII(got.AccessToken) {
		return token{}, asks.Unusable("it gives a token that cannot stand in a header; check the URL", nil)
	}
	return token{header: got.Type() + " " + got.AccessToken, ends: got.Expiry}, nil
}

// noToken says why there is no token. What the server wrote is not shown, but for the codes of RFC 6749, 5.2.
func (q Question) noToken(err error) error {
	var refusal *oauth2.RetrieveError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fault := q.Unusable("it gives no token in time; check the server, or allow more time", err)
		fault.Field = q.Fields.Timeout
		return fault
	case !errors.As(err, &refusal):
		return q.explain(err)
	}
	why := fmt.Sprintf("it gives no token, with status %d", refusal.Response.StatusCode)
	codes := []string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	}
	if slices.Contains(codes, refusal.ErrorCode) {
		why += " and the error " + refusal.ErrorCode
	}
	return q.Unusable(why+"; check the URL, the client and its secret", nil)
}

// printableASCII says that a text can stand in a header.
func printableASCII(text string) bool {
	return text != "" && !slices.ContainsFunc([]byte(text), func(c byte) bool { return c < ' ' || c > '~' })
}

// known gives a token that is still good.
func (a *Access) known(key [sha256.Size]byte) (token, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.given[key]
	if ok && !found.ends.IsZero() && !a.clock.Now().Add(tokenEnds).Before(found.ends) {
		delete(a.given, key)
		return token{}, false
	}
	return found, ok
}

// remember keeps a token.
func (a *Access) remember(key [sha256.Size]byte, t token) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.given) >= maxKept {
		clear(a.given)
	}
	a.given[key] = t
}

// forget drops a token.
func (a *Access) forget(key [sha256.Size]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.given, key)
}

// refusable tells when a server does not accept who asks.
type refusable struct {
	next    http.RoundTripper
	refused func()
}

// RoundTrip asks once.
func (r refusable) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err == nil && response.StatusCode == http.StatusUnauthorized {
		r.refused()
	}
	return response, err
}
