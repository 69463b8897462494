package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

var errForbidden = errors.New("the address may not be asked")

// Guard says which addresses may not be asked, although a Gateway reports them: a Gateway, and what it reports, may be written by
// somebody who may not go there.
type Guard struct {
	// Loopback lets addresses of this machine be asked: for a controller outside a cluster.
	Loopback bool
	// Forbidden are addresses that are nobody's gateway, such as that of the API server.
	Forbidden []netip.AddrPort
}

// check looks at the very address that is about to be connected to, after its name was resolved.
func (g Guard) check(target netip.AddrPort) error {
	ip := target.Addr().Unmap().WithZone("")
	switch {
	case ip.IsLoopback() && g.Loopback:
	case ip.IsLoopback(), ip.IsUnspecified(), ip.IsMulticast():
		return fmt.Errorf("%w: %s is an address of this machine, or of many", errForbidden, ip)
	case ip.IsLinkLocalUnicast(), ip == netip.MustParseAddr("fd00:ec2::254"):
		// Clouds tell a machine its credentials at 169.254.169.254, and Amazon at the other one too.
		return fmt.Errorf("%w: %s is of the link, or of a metadata service", errForbidden, ip)
	}
	if slices.Contains(g.Forbidden, netip.AddrPortFrom(ip, target.Port())) {
		return fmt.Errorf("%w: %s is the API server", errForbidden, target)
	}
	return nil
}

// control runs the guard for a net.Dialer.
func (g Guard) control(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is no IP address", errForbidden, address)
	}
	return g.check(target)
}
