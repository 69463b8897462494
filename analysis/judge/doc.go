// Package judge weighs what a candidate does against what stable does at the same time. It is pure: numbers in, numbers
// out. It knows no clock, metric, provider or Kubernetes, and keeps nothing but what a test has seen.
//
// # The question
//
// Time is cut into batches, a few seconds to a minute long, within each of which the weight stands still. In a batch the
// candidate serves c requests of which x are bad, and stable serves s of which y are bad. Bad is whatever the metric
// says: an answer 5xx, or one slower than a bound. The rates of bad requests may drift from batch to batch as they like,
// an incident that hits both included; only their relation is judged. The candidate does harm when
//
//	rate of candidate > Relative × rate of stable + Absolute
//
// and a test watches for that in every batch, at every weight, for the whole release.
//
// # Evidence
//
// A test keeps evidence E, which starts at 1. As long as the candidate does no harm, E is a non-negative supermartingale:
// whatever has been seen, its expectation after the next batch is no more than it is now. By Ville's inequality the
// chance that it ever reaches 1/α is then at most α. So one may look after every batch and stop at once, and the odds of
// a false alarm are α for the whole release and not for each look. The factor of one batch is
//
//	L(A) = A^x · B^y · exp(−(A−1)·Absolute·c)    B = 1 − (A−1)·Relative·c/s    1 < A < 1 + s/(Relative·c)
//
// It is valid for requests that are independent within a batch, however different their own rates: the expectation of
// A^x is the product of 1 + θ(A−1) ≤ exp(c·θc·(A−1)) by 1+u ≤ e^u, that of B^y likewise, and the exponents sum to
// (A−1)·c·(θc − Relative·θs − Absolute), which is no more than 0 without harm. With Relative 1 and Absolute 0 it is
// the likelihood ratio of the binomial distribution of x given x+y; with Relative 0 it needs no stable arm at all, and
// tests the candidate against an objective.
//
// A is chosen for an effect g times as large as is tolerated. Nobody knows the effect, so E is the mean over 32 values
// of g from 1.25 to 32. A mean of supermartingales is one too. The effect is what stays the same when the weight
// changes, and so evidence is carried from step to step.
//
// # What guards it
//
//   - Regressions that begin late. A good start makes E small, and harm that begins at 50 % would be noticed late. So E is
//     also the mean over the steps at which harm may begin. A step that has not begun counts as 1.
//   - Bursts. Errors of one cause come together, and are no independent requests. Evidence is raised to the power 1/φ,
//     where φ is how much more they vary than independent ones would. For independent requests that stays valid, by
//     Jensen's inequality; for bursts it is so to second order, and simulations show the rest.
//   - Glitches. One batch multiplies E by no more than α^(−1/3), so that three must agree. A batch that is plainly broken
//     is exempt: 20 requests, half of them bad, at twice stable's rate. Less evidence than one could claim is valid.
//   - Several metrics. E is their mean by weight, which is valid however they depend on each other.
//
// # The other side
//
// A candidate passes early when its rate is shown to be less than a second, larger margin allows (non-inferiority). The
// factor is the same one for 0 < A < 1, with the exponent turned round; the values of A are mixed likewise. A pass is
// shown anew for each step: that 5 % went well does not say that 50 % will. Between both margins neither is shown.
//
// # Sources
//
//   - J. Ville, Étude critique de la notion de collectif, 1939: the inequality.
//   - M. Lindon, A. Malek, Anytime-valid inference for multinomial count data, 2022, arXiv 2011.03567; M. Lindon,
//     C. Sanden, V. Shirikian, Rapid regression detection in software deployments through sequential testing, 2022,
//     arXiv 2205.14762: counts of releases, given their sum.
//   - P. Grünwald, R. de Heide, W. Koolen, Safe testing, 2024, arXiv 1906.07801; R. Turner, A. Ly, P. Grünwald, Generic
//     e-variables for exact sequential k-sample tests, 2024, arXiv 2106.02693: mixing, merging and stopping of evidence.
//   - V. Vovk, R. Wang, E-values: calibration, combination and applications, 2021, arXiv 1912.06116: the mean of several.
//   - I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, 2024, arXiv 2010.09686: Mean.
//
// testdata/vectors.json holds values that were computed by an independent program in another language; whoever changes
// a formula should not change them.
package judge
