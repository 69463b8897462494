package lifecycle

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-dev/sluice/test/cluster/layout"
	"github.com/sluice-dev/sluice/test/cluster/sandbox"
)

// probeLimit is how long one question may take. A component that works answers
// in milliseconds, a busy one on a busy machine in a second.
const probeLimit = 3 * time.Second

// prober asks components whether they work.
type prober struct {
	http *http.Client
}

func newProber(c layout.Cluster) prober {
	return prober{&http.Client{
		Timeout: probeLimit,
		Transport: &http.Transport{
			DialContext: sandbox.Dialer(c),
			// Only the status of the answer matters, and some components make up
			// their own certificate at every start.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			// The thread that dials is gone afterwards, but an idle connection
			// would keep a killed component's successor from being asked.
			DisableKeepAlives: true,
		},
	}}
}

// ask asks a component's probe once.
func (p prober) ask(ctx context.Context, probe string) error {
	target, err := url.Parse(probe)
	if err != nil {
		return err
	}
	switch target.Scheme {
	case "unix":
		return connect(ctx, "unix", target.Path)
	case "tcp":
		return connect(ctx, "tcp", target.Host)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, probe, nil)
	if err != nil {
		return err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", probe, response.Status)
	}
	return nil
}

// connect sees whether somebody listens.
func connect(ctx context.Context, network, address string) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	return conn.Close()
}
