package trafficrouting

import "time"

// How long what serves routes takes from its report on a change, or from the write where nothing reports, until the change
// is in force on all of its proxies, and endpoints of a Service are known to them. These are for its defaults, as far as
// something is known of them; a Rollout can say more or less.
const (
	// SettleTraefik: Traefik takes a change in at once, and the next one only providersThrottleDuration later, 2 s. Its report
	// does not wait for that. https://doc.traefik.io/traefik/reference/install-configuration/providers/overview/
	SettleTraefik = 3 * time.Second
	// SettleIstio: istiod gathers changes for as long as they keep coming, up to PILOT_DEBOUNCE_MAX, 10 s, and then pushes them
	// to one proxy after another. https://istio.io/latest/docs/reference/commands/pilot-discovery/#envvars
	SettleIstio = 12 * time.Second
	// SettleNginx: the controller of ingress-nginx takes changes in every three seconds at most (--sync-rate-limit 0.3), and then
	// its workers do. https://kubernetes.github.io/ingress-nginx/user-guide/cli-arguments/
	SettleNginx = 5 * time.Second
	// SettleGKE: changes of routes were seen to take 8 s, those of endpoints, which wait for health checks, 18 s, and errors for
	// having trusted in less to last for up to 36 s. https://github.com/argoproj/argo-rollouts/issues/4710
	SettleGKE = 45 * time.Second
	// SettleAWS: load balancers register a pod, and use it when two health checks, 15 s apart, have passed.
	// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#health-check
	SettleAWS = time.Minute
)
