// Package kstatus holds what the status of a Rollout means to tools that wait for objects with kstatus, such as Flux:
// one of Current, InProgress and Failed. It is a module of its own, as nothing else needs that library.
package kstatus
