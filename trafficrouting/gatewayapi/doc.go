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
// As package share says, with 1,000,000 as the largest weight: exactly, to a tenth of a percent, and every other backend
// of the rule keeps its share.
//
// # Who owns the weights
//
// The rules of a route are one atomic list: whoever writes a weight owns them all. Writes that give the standby Service
// traffic are made as the field manager FieldManager, and writes that take it all away as RestFieldManager. Tools that
// compare a route with version control can so be told to look away exactly as long as a release has traffic.
package gatewayapi
