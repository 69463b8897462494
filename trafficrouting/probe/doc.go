// Package probe confirms by requests of our own, through what serves the routes, that the candidate answers its share of
// them: a gateway may say that it has accepted a route before it, or all of its proxies, serve by it.
//
// # What happens
//
//	seen                                        said                                    then
//	nothing yet                                 not confirmed: it is being asked        the step waits
//	the candidate's answers are within bounds   confirmed                               the gates of the step begin
//	fewer or more                               not confirmed, with the numbers         asked again, later and later
//	weight 0, and one answer of the candidate   not confirmed                           asked again
//	weight 100, and one answer of stable        not confirmed                           asked again
//	more than half tell no revision, or fail    not confirmed: too few answers          asked again
//	no gateway, address or path to ask          not confirmed, with what to write       asked again
//	a person promotes the step, or skips it     -                                       the step goes on
//	abort, another template, a failed analysis  -                                       traffic goes back; nobody waits
//
// A probe never aborts. What it has found is in the memory of the process only: after a start it is asked again, unless the
// gates have begun.
//
// # The bounds
//
// Of n answers that tell one of the two revisions, the candidate's are Bin(n, w) if each request was shared by the weight w by
// itself; gateways that take turns come closer. Confirmed is what lies between two bounds beyond each of which such a sample
// would be once in 2,000 times: 99.9 % of the probes of a gateway that is right are confirmed, and the others the next time.
//
// # What it may do
//
// decide.go is pure. ask.go asks: it sends GET requests, only to what a Gateway of a managed route reports as its address and at
// the port of the listener, never to an address of this machine, of the link, of metadata services or of the API server, which is
// looked at once the name is resolved; by no proxy, following no redirect, reading at most MaxBody of an answer and keeping
// nothing of it but whose it was; no more than Rate a second from one controller, whatever the number of Rollouts.
package probe
