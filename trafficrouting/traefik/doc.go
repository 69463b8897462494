// Package traefik shares requests between two Services by the weights of Traefik's TraefikServices that a user wrote.
//
// # What is managed
//
// The lists spec.weighted.services and spec.highestRandomWeight.services, if one of their entries is the active Service, in the
// namespace of the object. Only weights change there, and an entry of the standby Service comes and goes: it is a copy of the
// active one beside it with another name. Ports, schemes, stickiness and fields that this version does not know stay as they were,
// since objects are never decoded into a type. Whenever the standby Service has no share, the list is what it was before: see
// share.Remembered.
//
// # How a share becomes weights
//
// As package share says: exactly, to a tenth of a percent, and every other entry keeps its share. An entry without a weight has the
// weight 1.
//
// The entry of the standby Service is there only while it has a share. Traefik refuses a weighted service as a whole, and answers
// every request to it with an error, as long as one of the Services in it has no endpoint, whatever its weight
// (providers.kubernetesCRD.allowEmptyServices=true, off by default, changes that). The standby Service has no endpoint whenever a
// release begins. A list that has it at weight 0 is therefore told of, before a release starts.
//
// # What it cannot do
//
// Services that an IngressRoute lists without a TraefikService; TraefikServices of other namespaces. Without allowEmptyServices, a
// candidate whose pods all fail at once takes the requests of stable with it, until its weight is off: so set it.
//
// # What says that a write is in force
//
// Nothing: a TraefikService has no status. What has been written counts as accepted, and then the settle time passes, which has
// to be longer than providers.providersThrottleDuration of Traefik, 2 s by default: for so long it may gather changes. See
// trafficrouting.SettleTraefik.
//
// # Stickiness
//
// A cookie of spec.weighted.sticky keeps a client with the Service that it was given to, as long as that has a weight. So weights
// say where new clients go, and an abort takes every client off the standby Service, as its entry goes.
// spec.highestRandomWeight shares by the addresses of clients: a client that was given to the standby Service stays there as its
// weight grows.
//
// # Who owns the weights
//
// Each list is one value to the API server: whoever writes a weight owns the list. The names of the owner are those of package
// trafficrouting.
package traefik
