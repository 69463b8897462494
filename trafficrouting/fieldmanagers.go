package trafficrouting

import "sigs.k8s.io/controller-runtime/pkg/client"

const (
	// FieldManager owns the weights of a route while the standby Service has a share of its traffic.
	FieldManager = "sluice-traffic"
	// RestFieldManager owns them once all traffic is back on the active Service.
	RestFieldManager = "sluice"
)

// Owner is who writes a share of the standby Service.
func Owner(weight int32) client.FieldOwner {
	if weight == 0 {
		return RestFieldManager
	}
	return FieldManager
}
