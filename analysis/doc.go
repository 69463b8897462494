// Package analysis judges a candidate by figures that providers measure.
//
// An AnalysisRun is measured in passes. Each pass is the same four lines, and only the third leaves the process:
//
//	step := Next(spec, status, now)              // what is due, or when to look again, or the verdict
//	if step.Due is empty: persist step.Status, wait until step.WakeAt
//	measured := Meter.Measure(…) for each due metric  // arguments → provider → conditions
//	status = Record(spec, step.Status, measured, now) // counts, verdict, next times; persisted in one write
//
// Meter.Pass is one pass in memory. Next and Record are pure: they know no clock, client or provider, and the status is their only memory. A process that
// dies between two writes measures again what it had not yet written, and judges no figure twice.
//
// # Times
//
// A metric is measured first at start + initialDelay, and then an interval after the moment at which its last figure was
// asked for. So two figures of one metric are never less than an interval apart: intervals that were missed, because the
// controller was down or the provider slow, collapse into one measurement. Without an interval a metric is measured
// until there is one figure.
//
// # States of a measurement
//
// Successful, Failed and Inconclusive come from the conditions and are measurements with data; only these count. With a
// successCondition alone, what does not meet it has failed. With a failureCondition alone, what does not meet it has
// succeeded. With both, a failure outranks a success, and neither is Inconclusive.
//
// NoData (an empty result, NaN, infinity) and Error (the provider could not be asked, or refused) decide nothing: they
// neither pass nor fail, and use up no count. They never end a run, unless a metric sets consecutiveErrorLimit: with more
// errors in a row it is Inconclusive, which a person looks at. NoData is asked again after the interval, or after 15 s
// without one. An error is asked again after 5 s, 10 s, 20 s, 40 s and then every 60 s, but never later than the interval
// would. Both are shown in the condition Ready and in the message of the run, with the field and what would help.
//
// # Verdicts
//
// A metric is Failed as soon as it has more failed measurements than its failureLimit. A metric with a count (or without
// an interval: a count of 1) ends with its last measurement: Inconclusive if more were than its inconclusiveLimit, which is 0,
// else Passed. It is measured to its end after an inconclusive figure, because a failure may still come, and a failure needs
// no person to act on it. A metric with an interval and no count has no end, so it is Inconclusive as soon as there are too
// many inconclusive measurements, and never Passed. With consecutiveSuccessLimit any metric passes at once after so many
// successes in a row, errors and no data in between left out; one whose count is over before that is Inconclusive.
//
// A metric that is a dryRun is judged like any other, and has no say: a run waits for the others, and is what they are. A
// run of dry runs only is over when they are, and passes.
//
// A run is Failed as soon as one metric is. Otherwise it ends when every metric that has an end has reached it, and either
// no metric without an end is left or one metric is Inconclusive: then it is Inconclusive if any metric is, else Passed.
// A run that is told to terminate before that is Stopped. A verdict never changes, whatever comes later.
//
// # Ratios
//
// A metric with a ratio has no conditions. Each of its measurements is a batch: what both versions served since the last
// one ended, counted 30 s after its own end. Package judge weighs the batches, and all that its test knows is in the
// result's comparison, so that the status stays the only memory. A batch in which a version served nothing is over and
// decides nothing; one that is stale, partial or could not be counted is counted again, together with what came since.
// The comparison also has the evidence over time, for people; nothing is decided by it. history.go thins it.
// The ratios of one release share the odds of a false abort: budget.go divides them, and lets each run go on from what the
// ones before have seen of the same metric. Where the spec says that traffic moved, a batch ends, and the next one begins
// 15 s after it has come to rest: shifts.go. batches.go cuts batches, weigh.go has them weighed, and ratio.go is all that is special to
// ratios.
//
// # More kinds of metrics
//
// threshold.go is all that knows metrics that compare a figure with conditions. Another kind brings its own field in
// v1alpha1.Metric, its own question to a provider, and one function from (metric, result) to a phase beside
// thresholdPhase and weighedPhase; one that is weighed by batches implements weighed. Times, retries, data states and the verdict of the run stay as they are.
package analysis
