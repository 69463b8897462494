// Package web takes one number out of an answer in JSON of any server.
//
// What is asked: the URL, with GET, or with POST and a body in JSON. The headers are those of the metric; the values of
// some may come from Secrets. Accept is application/json unless the metric says something else.
//
// What an answer means: with a status of 200 to 299 it must be JSON, whatever its Content-Type. The CEL expression
// `value` picks the number out of it, by the name json: json.data.errors / json.data.requests. All numbers in json are
// doubles, so that a quotient is one of numbers with a fraction. A list of numbers is an error, because choosing one of
// them would be a guess; so is a text, which double(json.x) turns into a number.
//
// No data: null, NaN, an infinity, and a field that is not there when it was asked for by json.?data.?errors. Asked for by
// json.data.errors, a field that is not there is an error.
//
// Units: those of the server. A condition sees the number as it came.
//
// Limits: see package fetch for those of an answer. An expression costs at most maxCost in CEL's units, about 50 ms, and
// is compiled once. Nothing of an answer shows up in a message: the server may be anybody's.
package web
