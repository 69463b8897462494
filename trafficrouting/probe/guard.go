package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/sluice-dev/sluice/analysis/providers/fetch"
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
	case fetch.Local(ip):
		return fmt.Errorf("%w: %s is of this machine, of its link, or of a metadata service", errForbidden, ip)
	case slices.Contains(g.Forbidden, netip.AddrPortFrom(ip, target.Port())):
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
