// Package forecast tells what a release will do before it does it. It is pure, and it decides nothing: it asks
// planner.Next, pass after pass, on a cluster in which everything goes well, and writes down what comes.
//
// In that cluster pods become ready after a given time, endpoints follow selectors and gateways accept weights at once,
// the settle time and pauses pass, analyses pass as soon as they have taken the measurements that they must take, and
// people promote at once. So the pods and weights are those of a release in which nothing goes wrong, and the times are
// the least that it can take.
package forecast
