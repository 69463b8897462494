package generator

import (
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// longest is how long a load may last.
const longest = 2 * time.Hour

// Config says what is sent where.
type Config struct {
	// Target is the URL to send requests to.
	Target string
	// Host is the Host header; empty for that of the target.
	Host string
	// Header has further headers of each request.
	Header http.Header
	// Protocol is how requests are made: ProtocolHTTP1, ProtocolH2C or ProtocolGRPC.
	Protocol Protocol
	// Rate is the number of requests begun each second.
	Rate float64
	// Fresh is the share of requests, from 0 to 1, on a connection of their own. The others share kept ones.
	Fresh float64
	// Timeout is how long a request may take.
	Timeout time.Duration
	// MaxInFlight is how many requests may be under way at once; one more counts as failed without being sent.
	MaxInFlight int64
	// MaxDuration is when the load ends by itself.
	MaxDuration time.Duration
}

// Validate says what is wrong, by the names of the flags of test/load.
func (c Config) Validate() error {
	target, err := url.Parse(c.Target)
	if err != nil || target.Scheme != "http" || target.Host == "" {
		return fmt.Errorf("-target: %q is not an http URL: write one such as http://10.77.0.1:8000/", c.Target)
	}
	for _, rule := range []struct {
		holds bool
		err   error
	}{
		{c.Protocol.known(), fmt.Errorf("-protocol: %q: write http1, h2c or grpc", c.Protocol)},
		{c.Rate > 0 && c.Rate <= 10_000, fmt.Errorf("-rate: %v: write a number above 0 and up to 10000", c.Rate)},
		{c.Fresh >= 0 && c.Fresh <= 1, fmt.Errorf("-fresh: %v is not a share: write a number from 0 to 1", c.Fresh)},
		{c.Timeout > 0, fmt.Errorf("-timeout: %v: write a duration such as 5s", c.Timeout)},
		{c.MaxInFlight > 0, fmt.Errorf("-max-in-flight: %d: write a number above 0", c.MaxInFlight)},
		{
			c.MaxDuration > 0 && c.MaxDuration <= longest,
			fmt.Errorf("-max-duration: %v: write a duration of up to %v: a load must end", c.MaxDuration, longest),
		},
	} {
		if !rule.holds {
			return rule.err
		}
	}
	return nil
}
