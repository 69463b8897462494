// Package render turns Rollouts and what they own into text: a table of Rollouts, the tree of one, the line of its
// state. It is pure: objects and the time come in as values, and what comes out is the same for a terminal and a file but
// for the colours.
package render
