// Package gatewayapi shares requests between two Services by the weights of Gateway API routes that a user wrote.
//
// # What is managed
//
// A rule of a route is managed when one of its backendRefs is the active Service, in the namespace of the route. Every
// other rule stays as it is, also one that sends requests to the standby Service only: that is a preview address of the
// user's own. In a managed rule only weights change, and a standby backend is put in, as a copy of the active one beside
// it, when it is missing and is to get traffic. Filters, ports, matches, timeouts and fields that this version does not
// know stay as they were, since routes are never decoded into a type.
//
// # How a share becomes weights
//
// The active backend and its standby share a pool: the part of the rule's requests that the user gave to the
// application. In a rule with other backends the pool is as large as the two weights together, and stays so. With the
// pool P, the others F and the wanted share w in tenths of a percent, any whole k gives
//
//	standby = k·P·w/1000    active = k·P − standby    others = k·F
//
// and keeps every backend's share of the requests exactly, as long as k·P·w is divisible by 1000. A rule that has the
// wanted share already is not touched. Otherwise the first of these that divides, and that stays within the 1,000,000
// which the API allows, is written:
//
//  1. k = 1 on the weights as they stand: the others are not touched. Only in a rule with more than one pool or others;
//  2. k = 100 on the weights in their lowest terms, so that a rule with no others reads as percent: 80 and 20;
//  3. k = 1000 on the weights in their lowest terms: 995 and 5 for half a percent;
//  4. the smallest k that divides, on the weights in their lowest terms.
//
// As shares stay exact and lowest terms do not grow, nothing drifts, however many weights follow one another. Case 3
// always fits when no weight in its lowest terms is above 1000; a route that is beyond is reported before a release
// starts.
//
// # Who owns the weights
//
// The rules of a route are one atomic list: whoever writes a weight owns them all. Writes that give the standby Service
// traffic are made as the field manager FieldManager, and writes that take it all away as RestFieldManager. Tools that
// compare a route with version control can so be told to look away exactly as long as a release has traffic.
package gatewayapi
