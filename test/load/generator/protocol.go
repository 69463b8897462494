package generator

import (
	"bytes"
	"context"
	"net/http"
)

// Protocol is how requests are made.
type Protocol string

const (
	// ProtocolHTTP1 is GET in HTTP/1.1.
	ProtocolHTTP1 Protocol = "http1"
	// ProtocolH2C is GET in HTTP/2 without TLS, by prior knowledge.
	ProtocolH2C Protocol = "h2c"
	// ProtocolGRPC is a call of the one method of the sample app, see test/app.
	ProtocolGRPC Protocol = "grpc"
)

func (p Protocol) known() bool {
	switch p {
	case ProtocolHTTP1, ProtocolH2C, ProtocolGRPC:
		return true
	}
	return false
}

// grpcMethod is that method, which takes an empty message.
const grpcMethod = "/sluice.test.App/Ask"

// client makes a client that keeps its connections, or one that has one for each request.
func (c Config) client(keep bool) *http.Client {
	transport := &http.Transport{
		DisableKeepAlives:   !keep,
		MaxIdleConnsPerHost: int(c.MaxInFlight),
		DisableCompression:  true,
	}
	if c.Protocol == ProtocolH2C || c.Protocol == ProtocolGRPC {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	return &http.Client{
		Timeout:   c.Timeout,
		Transport: transport,
		// A redirect is not what was asked for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request makes the next request.
func (c Config) request(ctx context.Context) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Target, nil)
	if err != nil {
		return nil, err
	}
	if c.Protocol == ProtocolGRPC {
		// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md: an empty message that is not compressed.
		message := make([]byte, 5)
		if request, err = http.NewRequestWithContext(ctx, http.MethodPost, c.Target, bytes.NewReader(message)); err != nil {
			return nil, err
		}
		request.URL.Path = grpcMethod
		request.Header.Set("Content-Type", "application/grpc")
		request.Header.Set("TE", "trailers")
	}
	for name, values := range c.Header {
		request.Header[name] = values
	}
	if c.Host != "" {
		request.Host = c.Host
	}
	return request, nil
}
