// Package istio shares requests between two Services by the weights of Istio VirtualServices that a user wrote.
//
// # What is managed
//
// An entry of spec.http, spec.tls or spec.tcp is managed when one of its destinations has the active Service as its host,
// by its short name, as web.shop, or by its full name. Where the spec of the Rollout names routes, those are the entries
// of spec.http with these names, and no others; entries of spec.tls and spec.tcp have no names and are managed when no route is
// named. In a managed entry only weights change, and a destination of the standby Service is put in, as a copy of the active
// one beside it with another host, when it is missing and is to get traffic. Matches, headers, mirrors, faults, retries and
// fields that this version does not know stay as they were, since VirtualServices are never decoded into a type. Whenever the
// standby Service has no share, the entries are what they were before: see share.Remembered.
//
// # How a share becomes weights
//
// As package share says: exactly, to a tenth of a percent, and every other destination of the entry keeps its share. A whole
// percent is written with weights that add up to 100, as long as the entry has no destinations of others, or theirs divide as
// they stand. That is what Istio before 1.15 asks for; it refuses every other sum, 995 and 5 for half a percent, and the
// Rollout says so with the words of Istio (WriteRefused) and goes on when the step asks for a whole percent. Since 1.15, weights
// are relative and nothing is refused. No share is ever rounded.
//
// Istio sends everything to a destination that is alone, whatever its weight; of several, those without a weight have the weight
// 0. Both are read that way.
//
// # What it cannot do
//
// Subsets of a DestinationRule: a destination of the active Service with a subset gets no twin, as the standby Service has no
// subset of that name. Two Services take the place of subsets. Delegates: name the VirtualService that a route delegates to, not
// the one that delegates. VirtualServices of other namespaces.
//
// # What says that a write is in force
//
// Nothing: Istio's control plane hands out configuration within a second or so, and says of a VirtualService at most what its
// analysers think of it. What has been written counts as accepted, and then the settle time passes, which should be longer than
// the mesh takes: see pilot_proxy_convergence_time of istiod.
//
// # Who owns the weights
//
// spec.http, spec.tls and spec.tcp are one value each to the API server: whoever writes a weight owns the list. The names of the
// owner are those of package trafficrouting.
package istio
