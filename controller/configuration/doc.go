// Package configuration makes ConfigMaps and Secrets part of a revision. It is pure: it knows no client and no clock.
//
// A revision is a pod template. For an object in spec.configuration whose change is to be a release, the names in the
// template are replaced by that of an immutable copy, <name>-<rollout>-<hash of the content> (Resolve). So the content is
// part of the identity of the revision without anything else having to know of it: another content gives another
// template, another hash and another ReplicaSet, and the pods of each revision keep reading what they were made with.
//
//	uses.go     where a pod template refers to ConfigMaps and Secrets
//	content.go  the hash of a content
//	resolve.go  spec.configuration and hashes → the template to run, and what is wrong
//	turn.go     which of many Rollouts with the same object is released first
//
// Names are replaced byte by byte in the JSON that the user wrote: every other byte stays as it was.
package configuration
