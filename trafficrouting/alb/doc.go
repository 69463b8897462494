// Package alb shares requests between two Services by the actions of Ingresses for the AWS Load Balancer Controller, which stand
// in annotations that a user wrote.
//
// # What is managed
//
// One action of an Ingress: the annotation alb.ingress.kubernetes.io/actions.<name>, of the type forward, with a list of target
// groups one of which is the active Service. Of its text the numbers behind "weight" are replaced, and nothing else: order, spaces and
// keys that this version does not know stay byte for byte. Paths of the Ingress use the action by naming it as their backend, with
// the port use-annotation; an action that no path uses is told of, as its weights would mean nothing. Whenever the standby Service has
// no share, the numbers are what they were before: see share.Remembered.
//
// The standby Service has to be in the list from the start, with weight 0. The controller makes a target group for each Service in the
// list, and registers pods there only after it has written the weights: a target group that comes with a weight would answer 503 until
// then. So no twin is ever put in; its absence is told of before a release starts. It is taken out when the Rollout is deleted, as the
// controller refuses an Ingress with a Service that does not exist.
//
// # How a share becomes weights
//
// As package share says, with 999 as the largest weight: whole percents are written with weights that add up to 100, and tenths with
// weights that add up to 1000, 995 and 5. Target groups of others that have a weight would need more than 999 to keep their share
// to a tenth of a percent, and are told of before a release starts.
//
// # What it cannot do
//
// Ask AWS: no credentials are needed, and none are used. Actions with ARNs of target groups. Ingresses of other namespaces, and
// annotations of a Service or an IngressClass.
//
// # What says that a write is in force
//
// Nothing: the controller reports on a rule in events only. What has been written counts as accepted, and then the settle time passes. It
// has to cover the controller, the load balancer, and above all the registration and the health checks of pods: when a release is
// promoted, the pods of the candidate are registered once more, in the target group of the active Service. Readiness gates of pods
// (elbv2.k8s.aws/pod-readiness-gate-inject) make a pod ready only when the target group of the Service that selected it at first has it.
//
// # Who owns the weights
//
// One annotation, which is a field of its own to the API server: no other field of the Ingress is ever owned. The names of the owner are
// those of package trafficrouting.
package alb
