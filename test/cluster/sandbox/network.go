package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sluice-dev/sluice/test/cluster/layout"
)

// setUpNetwork gives the calling thread's network namespace the node's address
// and a default route.
//
// The address sits on a veth pair with both ends inside: kernels without the
// dummy and ipvlan types have veth, and what is routed to the far end goes
// nowhere, which is what traffic that should leave the cluster must do. The
// default route is needed although it leads nowhere: a packet to a Service
// address has to be routed before kube-proxy's rules rewrite it.
func setUpNetwork(ctx context.Context) error {
	for _, line := range []string{
		"link set lo up",
		"link add node0 type veth peer name node1",
		"link set node1 up",
		"addr add " + layout.NodeCIDR + " dev node0",
		"link set node0 up",
		"route add default dev node0",
	} {
		out, err := exec.CommandContext(ctx, "ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	for _, s := range sysctls() {
		if err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0); err != nil {
			return fmt.Errorf("set net/%s: %w", s.name, err)
		}
	}
	return nil
}

// sysctl is a setting of the network namespace.
type sysctl struct{ name, value string }

func sysctls() []sysctl {
	return []sysctl{
		{"ipv4/ip_forward", "1"}, // The node routes between its pods.
	}
}
