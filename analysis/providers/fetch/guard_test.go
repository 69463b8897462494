package fetch

import (
	"net/netip"
	"strings"
	"testing"
)

func newGuard(t *testing.T, rules Rules) *Guard {
	t.Helper()
	guard, err := NewGuard(rules)
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

func TestLocalAddresses(t *testing.T) {
	tests := map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "0.0.0.0": true, "0.1.2.3": true, "::": true,
		"169.254.169.254": true, "169.254.170.2": true, "fe80::1": true, "fe80::1%eth0": true, "fec0::1": true,
		"224.0.0.1": true, "ff02::1": true, "255.255.255.255": true,
		"fd00:ec2::254": true, "fd00:ec2::23": true, "fd20:ce::254": true,
		"100.100.100.200": true, "168.63.129.16": true, "192.0.0.192": true,
		"::ffff:127.0.0.1": true, "::ffff:169.254.169.254": true, "64:ff9b::7f00:1": true, "64:ff9b::a9fe:a9fe": true,
		"2002:7f00:1::": true, "2002:a9fe:a9fe::1": true, "::127.0.0.1": true,
		"10.96.0.10": false, "192.168.1.1": false, "172.16.0.1": false, "203.0.113.7": false, "fd00::1": false,
		"2001:db8::1": false, "64:ff9b::a00:1": false, "2002:a00:1::1": false, "::ffff:10.0.0.1": false,
	}
	for ip, want := range tests {
		target := netip.AddrPortFrom(netip.MustParseAddr(ip), 80)
		for name, guard := range map[string]*Guard{"nil": nil, "no rules": newGuard(t, Rules{})} {
			if got := guard.check("a.b", target) != nil; got != want {
				t.Errorf("%s: %s: refused is %v, want %v", name, ip, got, want)
			}
		}
		for name, guard := range map[string]*Guard{"anywhere": Anywhere(), "allowed": newGuard(t, Rules{AllowLocal: true})} {
			if err := guard.check("a.b", target); err != nil {
				t.Errorf("%s: %s: got %v, want no refusal", name, ip, err)
			}
		}
	}
}

func TestRules(t *testing.T) {
	listed := Rules{Hosts: []string{"prometheus.monitoring", "*.Example.com", " 10.1.0.0/16", "192.168.7.7", "127.0.0.0/8"}}
	closed := Rules{Refused: []netip.AddrPort{netip.MustParseAddrPort("10.96.0.1:443")}}
	tests := map[string]struct {
		rules    Rules
		name, at string
		want     string // of the refusal; none when empty
	}{
		"a name":                         {listed, "Prometheus.monitoring", "10.96.4.4:9090", ""},
		"a name with a point at its end": {listed, "prometheus.monitoring.", "10.96.4.4:9090", ""},
		"a name below":                   {listed, "a.b.example.com", "203.0.113.7:443", ""},
		"the name above":                 {listed, "example.com", "203.0.113.7:443", "--metric-hosts"},
		"a name that ends alike":         {listed, "evilexample.com", "203.0.113.7:443", "--metric-hosts"},
		"a name that begins alike":       {listed, "prometheus.monitoring.evil.org", "203.0.113.7:443", "--metric-hosts"},
		"a network":                      {listed, "x.y", "10.1.200.3:80", ""},
		"a network, mapped":              {listed, "x.y", "[::ffff:10.1.200.3]:80", ""},
		"an address":                     {listed, "192.168.7.7", "192.168.7.7:80", ""},
		"the next address":               {listed, "192.168.7.8", "192.168.7.8:80", "--metric-hosts"},
		"a listed name that is local":    {listed, "prometheus.monitoring", "169.254.169.254:80", "link-local"},
		"a listed network that is local": {listed, "x.y", "127.0.0.1:80", "loopback"},
		"the API server":                 {closed, "kubernetes.default", "10.96.0.1:443", "API server"},
		"the API server, mapped":         {closed, "kubernetes.default", "[::ffff:10.96.0.1]:443", "API server"},
		"another port of its address":    {closed, "x.y", "10.96.0.1:9090", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := newGuard(t, test.rules).check(test.name, netip.MustParseAddrPort(test.at))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want no refusal", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want a refusal with %q", err, test.want)
			}
		})
	}
}

func TestHostsThatAreNone(t *testing.T) {
	for _, host := range []string{"", "*", "*.", ".", "http://a", "a:80", "a/b", "10.0.0.0/99", "a b", "a@b", "*.*"} {
		if _, err := NewGuard(Rules{Hosts: []string{host}}); err == nil || !strings.Contains(err.Error(), "*.example.com") {
			t.Errorf("%q: got error %v, want one that shows what to write", host, err)
		}
	}
}
