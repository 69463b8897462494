package fetch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rules say which servers metrics may ask.
type Rules struct {
	// Hosts are the only ones that may be asked, or all when there are none: names ("prometheus.monitoring"), all names
	// below one ("*.example.com"), IP addresses and networks ("10.0.0.0/8").
	Hosts []string
	// AllowLocal permits the loopback and link-local networks too, where Hosts do not forbid them. It is for a
	// controller that runs outside a cluster.
	AllowLocal bool
	// Refused are addresses that no metric may ask, such as that of the API server.
	Refused []netip.AddrPort
}

// Guard decides whether an address may be asked. The nil Guard has no rules: it refuses the local networks only.
type Guard struct {
	rules    Rules
	anywhere bool
	names    []string // in lower case; one that begins with a point stands for all names below it
	networks []netip.Prefix
}

// Refusal is the error of an address that may not be asked.
type Refusal struct {
	// Why says what is wrong with the address, and what would help: "leads to …".
	Why string
}

// Error gives the reason.
func (r *Refusal) Error() string { return r.Why }

// NewGuard makes a guard. The error says which host of the rules cannot be used.
func NewGuard(rules Rules) (*Guard, error) {
	g := &Guard{rules: rules}
	for _, host := range rules.Hosts {
		if err := g.allow(strings.ToLower(strings.TrimSpace(host))); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Anywhere gives a guard that refuses nothing, for addresses that whoever runs the controller has written.
func Anywhere() *Guard { return &Guard{anywhere: true} }

// allow adds one host of the rules.
func (g *Guard) allow(host string) error {
	if network, err := netip.ParsePrefix(host); err == nil {
		g.networks = append(g.networks, network.Masked())
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		g.networks = append(g.networks, netip.PrefixFrom(bare(ip), bare(ip).BitLen()))
		return nil
	}
	name := strings.TrimPrefix(host, "*")
	if strings.Trim(name, ".") == "" || strings.ContainsAny(name, "*/:@ ") {
		return fmt.Errorf("%q is no host; write names, networks and addresses, such as "+
			"prometheus.monitoring,*.example.com,10.0.0.0/8", host)
	}
	g.names = append(g.names, name)
	return nil
}

// check refuses an address that a host name was resolved to. The name is that of the URL.
func (g *Guard) check(name string, target netip.AddrPort) error {
	if g == nil {
		g = &Guard{}
	}
	ip := bare(target.Addr())
	switch {
	case g.anywhere:
	case !g.rules.AllowLocal && Local(ip):
		return &Refusal{"leads to the loopback or a link-local network, or to where a cloud keeps the credentials of its " +
			"machines; name a server in the cluster, or one that everybody can reach"}
	case g.refuses(ip, target.Port()):
		return &Refusal{"leads to the API server of the cluster, which metrics may not ask; name another server"}
	case !g.lists(name, ip):
		return &Refusal{"is not among the hosts that metrics may ask; name one of those, or add it to --metric-hosts of " +
			"the controller"}
	}
	return nil
}

// refuses says that an address is one that nobody may ask.
func (g *Guard) refuses(ip netip.Addr, port uint16) bool {
	return slices.ContainsFunc(g.rules.Refused, func(refused netip.AddrPort) bool {
		return ip == bare(refused.Addr()) && port == refused.Port()
	})
}

// bare gives an address in the one way of writing it that can be compared.
func bare(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// lists says that a name or its address is among the hosts, or that there is no such list.
func (g *Guard) lists(name string, ip netip.Addr) bool {
	if len(g.rules.Hosts) == 0 {
		return true
	}
	if contain(g.networks, ip) {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, allowed := range g.names {
		if name == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(name, allowed) {
			return true
		}
	}
	return false
}

// Local says that an address means the machine itself, or a service that it alone may ask, as far as that can be told
// from the address.
func Local(ip netip.Addr) bool {
	ip = bare(ip)
	if v4, ok := within(ip); ok && Local(v4) {
		return true
	}
	return ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() ||
		contain(localNetworks(), ip)
}

// contain says that an address is in one of the networks.
func contain(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(ip) })
}

// localNetworks are those that netip has no word for. Most clouds keep the credentials of a machine on the link-local
// 169.254.169.254; these are the others.
func localNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),          // this machine, before it has an address
		netip.MustParsePrefix("255.255.255.255/32"), // everybody on the link
		netip.MustParsePrefix("fd00:ec2::/32"),      // Amazon: metadata, and credentials of pods
		netip.MustParsePrefix("fd20:ce::254/128"),   // Google
		netip.MustParsePrefix("100.100.100.200/32"), // Alibaba
		netip.MustParsePrefix("168.63.129.16/32"),   // Azure
		netip.MustParsePrefix("192.0.0.192/32"),     // Oracle
		netip.MustParsePrefix("fec0::/10"),          // link-local as it once was
	}
}

// within gives the IPv4 address that an IPv6 address stands for, in a network that translates (RFC 6052), of a tunnel
// (6to4, RFC 3056), or as it was once written (RFC 4291 2.5.5.1).
func within(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	bytes := ip.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(ip), netip.MustParsePrefix("::/96").Contains(ip):
		return netip.AddrFrom4([4]byte(bytes[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(ip):
		return netip.AddrFrom4([4]byte(bytes[2:6])), true
	}
	return netip.Addr{}, false
}
