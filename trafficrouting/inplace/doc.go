// Package inplace is what routers have in common that write weights into objects which a user wrote, one object for each
// route, and of which nothing reports whether they are in force. A Kind says, purely, where the lists of backends of an
// object are; package share divides them; the Router here reads, has the object rendered and writes it.
//
// Objects are never decoded into a type, so that fields that this version does not know stay as they were. A write is a merge
// patch of what differs and carries the version that it was decided on.
package inplace
