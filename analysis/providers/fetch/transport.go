package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

const (
	// MaxBody is the largest answer, in bytes, that is read. One number takes about 100.
	MaxBody = 1 << 20

	maxHeader       = 64 << 10 // bytes
	maxConnsPerHost = 16       // so that a slow server is not asked by all workers at once
	dialTimeout     = 5 * time.Second
	idleTimeout     = 90 * time.Second
	userAgent       = "sluice"
)

// Errors of a request, beside *Refusal and those of the network.
var (
	// ErrRedirect: the server redirects, which is not followed.
	ErrRedirect = errors.New("the server redirects")
	// ErrTooLarge: there is more of an answer than MaxBody.
	ErrTooLarge = fmt.Errorf("the answer is larger than %d bytes", MaxBody)
)

// Transport is how servers are asked.
type Transport struct {
	// Guard says which may be asked.
	Guard *Guard
	// TLS, if set, says which certificates to trust and to show.
	TLS *tls.Config
	// Proxy, if set, chooses a proxy. It is for addresses that need no guard.
	Proxy func(*http.Request) (*url.URL, error)
	// Resolver of names; that of the machine when nil.
	Resolver *net.Resolver
}

// Client makes a client that follows no redirect, reads bounded answers, and connects only where the guard permits it.
func (t Transport) Client() *http.Client {
	return &http.Client{
		Transport: bounded{&http.Transport{
			Proxy:                  t.Proxy,
			DialContext:            t.dial,
			TLSClientConfig:        t.TLS,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    dialTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConnsPerHost:    maxConnsPerHost,
			MaxConnsPerHost:        maxConnsPerHost,
			MaxResponseHeaderBytes: maxHeader,
		}},
	}
}

// dial connects to a host, and has the guard look at each address that its name leads to right before it is used.
func (t Transport) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{
		Timeout:  dialTimeout,
		Resolver: t.Resolver,
		ControlContext: func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("%q is no IP address: %w", resolved, err)
			}
			return t.Guard.check(host, target)
		},
	}
	return dialer.DialContext(ctx, network, address)
}

// bounded refuses redirects and long answers. It stands below the client's own redirect handling, so that the client
// never sees a redirect.
type bounded struct{ next http.RoundTripper }

// RoundTrip asks once.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("User-Agent", userAgent)
	response, err := b.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		return nil, errors.Join(ErrRedirect, response.Body.Close())
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: MaxBody}
	return response, nil
}

// boundedBody fails when there is more to read than it has left, rather than cut the answer off in silence.
type boundedBody struct {
	io.ReadCloser
	left int
}

// Read reads up to the bound, and one byte more to know that there is more.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, ErrTooLarge
	}
	return n, err
}
