// Package analysisrun is the shell around package analysis: it measures AnalysisRuns, and checks templates.
//
// One pass over a run reads it from the cache, asks analysis.Next what is due, measures that at the providers, several
// metrics at once, folds the answers in with analysis.Record, and writes the status once. When nothing is due it writes
// nothing, and sleeps until something will be. All that decides is in the status, so a controller that is killed at any
// point goes on where it was: what was measured and not written is measured again, and nothing is judged twice.
//
// Two guards keep a measurement from being taken twice. A run that the cache shows as it was before this process's own
// last write is left for a moment. And a status is written only onto the version that was read, so that of two
// controllers that measure the same run, one loses and reads again.
//
// Events tell of transitions: a verdict, and a problem that begins. They are sent after the write that they speak of.
package analysisrun
