// Package nginx shares requests between two Services by the canary annotations of ingress-nginx.
//
// # What is managed
//
// The Ingress that a user wrote is only read. Beside it stands, while the standby Service has a share, a canary Ingress of ours: a
// copy of those paths whose backend is the active Service, with the standby Service in its place, and with the class of the user's
// Ingress. Of the annotations it has those that ingress-nginx asks a canary for itself: load-balance, upstream-hash-by and session
// affinity. Certificates, rewrites and everything else it takes from the user's Ingress.
//
// The canary Ingress is owned by the user's Ingress, and goes with it. One of that name that is somebody else's is told of, and left
// alone. When the user's Ingress changes during a release, the canary Ingress follows with the next write of the weight: until then
// its weight is unknown, which makes the planner write it.
//
// # How a share becomes weights
//
// canary-weight-total is 1000 and canary-weight the share in tenths of a percent. A path of an Ingress has one backend, so that
// there are no others whose share would have to be kept.
//
// # What it cannot do
//
// Paths of one Ingress that more than one canary Ingress wants: ingress-nginx takes one canary for each path and ignores the rest. An
// annotations prefix other than nginx.ingress.kubernetes.io. Ingresses of other namespaces.
//
// # What says that a write is in force
//
// Nothing: the status of an Ingress has addresses only. What has been written counts as accepted, and then the settle time passes.
// Weights reach the workers of nginx without a reload, within a second or so.
package nginx
