// Package command is the only code that writes what a person wants of a Rollout. The command line uses it, and whatever
// else lets a person steer: they all check, write and wait in the same way.
//
// There are two kinds of request:
//
//   - Commands (promote, promote-full, abort, retry, restart, skip-step) travel in the annotation sluice.dev/command
//     as <action>/<revision>/<request id>. Check says whether a command makes sense on the Rollout as it is, Send writes
//     it for the revision that was seen, and Await waits for the answer in status.lastCommand. The revision makes sure
//     that a command never hits a release that its sender has not seen.
//   - Edits (Pause, Resume, SetImages, Undo) change one field of the spec and leave every other field as it was written,
//     those that this version does not know included.
//
// A request that would do nothing is refused, before anything is written, with a Refusal: it says what state the
// Rollout is in, and what would work. The controller decides again when it handles a command; its answer is final.
package command
