// Package share divides the weights of backends between the active and the standby Service. Every router whose objects
// hold lists of backends with weights divides them here.
//
// # How a share becomes weights
//
// The active backend and its standby share a pool: the part of the requests of a list that the user gave to the
// application. In a list with other backends the pool is as large as the two weights together, and stays so. With the
// pool P, the others F and the wanted share w in tenths of a percent, any whole k gives
//
//	standby = k·P·w/1000    active = k·P − standby    others = k·F
//
// and keeps every backend's share of the requests exactly, as long as k·P·w is divisible by 1000. A list that has the
// wanted share already is not touched. Otherwise the first of these that divides, and that stays within the largest
// weight that the kind of object allows, is written:
//
//  1. k = 1 on the weights as they stand: the others are not touched. Only in a list with more than one pool or others;
//  2. k = 100 on the weights in their lowest terms, so that a list with no others reads as percent: 80 and 20;
//  3. k = 1000 on the weights in their lowest terms: 995 and 5 for half a percent;
//  4. the smallest k that divides, on the weights in their lowest terms.
//
// As shares stay exact and lowest terms do not grow, nothing drifts, however many weights follow one another. In a list
// in which nothing but one pool has weight, a largest weight of 999 is enough for every tenth of a percent. In any other, case 3 always
// fits when no weight in its lowest terms is above a thousandth of the largest weight; a list that is beyond is reported
// before a release starts.
package share
