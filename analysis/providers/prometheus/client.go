package prometheus

import (
	"context"
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
	maxHeader       = 64 << 10 // bytes
	maxConnsPerHost = 16       // so that a slow server is not asked by all workers at once
	dialTimeout     = 5 * time.Second
	idleTimeout     = 90 * time.Second
	userAgent       = "sluice"
)

var (
	errRedirect  = errors.New("the server redirects")
	errTooLarge  = fmt.Errorf("the answer is larger than %d bytes", MaxBody)
	errForbidden = errors.New("the address may not be asked")
)

// guard refuses an IP address by an error.
type guard func(netip.Addr) error

// newClient makes a client that follows no redirect, reads bounded answers, and connects only where check allows it.
func newClient(check guard) http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: control(check)}
	return http.Client{
		Transport: bounded{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    dialTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConnsPerHost:    maxConnsPerHost,
			MaxConnsPerHost:        maxConnsPerHost,
			MaxResponseHeaderBytes: maxHeader,
		}},
	}
}

// control runs a guard on the very address that is about to be connected to, after its name was resolved.
func control(check guard) func(context.Context, string, string, syscall.RawConn) error {
	if check == nil {
		return nil
	}
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		target, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %q is no IP address", errForbidden, address)
		}
		return check(target.Addr().Unmap().WithZone(""))
	}
}

// refuseLocal refuses the addresses that mean the machine itself or the services it alone may ask. The last one is where
// Amazon's machines keep their credentials on IPv6; on IPv4 all clouds use the link-local 169.254.169.254.
func refuseLocal(ip netip.Addr) error {
	local := ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() ||
		ip == netip.MustParseAddr("fd00:ec2::254")
	if local {
		return fmt.Errorf("%w: %s is a local address", errForbidden, ip)
	}
	return nil
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
		return nil, errors.Join(errRedirect, response.Body.Close())
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
		return 0, errTooLarge
	}
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, errTooLarge
	}
	return n, err
}

// checkAddress says what is wrong with the base address of a server.
func checkAddress(address string) error {
	const example = `write it as "http://prometheus.monitoring:9090"`
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return fmt.Errorf("the address is no URL; %s", example)
	case u.User != nil:
		return fmt.Errorf("the address holds a user name or password, which everyone could read; %s", example)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q does not begin with http:// or https://; %s", address, example)
	case u.Hostname() == "":
		return fmt.Errorf("%q names no host; %s", address, example)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return fmt.Errorf("%q goes on after the path; %s", address, example)
	}
	return nil
}
