package main

import (
	"io"
	"net/http"
	"strconv"
)

// grpcMethod is the one method of the app's service: it takes an empty message, and gives one. The version is in the
// metadata of the answer, under the name that is HeaderVersion in HTTP.
const grpcMethod = "/sluice.test.App/Ask"

// Codes of gRPC, https://grpc.github.io/grpc/core/md_doc_statuscodes.html.
const (
	grpcOK       = 0
	grpcInternal = 13
)

// emptyMessage is an empty message on the wire: not compressed, of no bytes.
const emptyMessage = "\x00\x00\x00\x00\x00"

// answerGRPC answers a unary call as https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md says: one message,
// and the code in a trailer.
func (a *App) answerGRPC(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 || r.Header.Get("Content-Type") != "application/grpc" {
		http.Error(w, "call this method with gRPC", http.StatusUnsupportedMediaType)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	start := a.clock.Now()
	latency, fail := a.faults.Next()
	if !a.waits(r, latency) {
		return
	}
	code, status := grpcOK, http.StatusOK
	if fail {
		code, status = grpcInternal, http.StatusInternalServerError
		w.Header().Set(HeaderAppError, "injected")
	}
	a.count(status, start)
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set(HeaderVersion, a.config.Version)
	if !fail {
		_, _ = io.WriteString(w, emptyMessage)
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(code))
}
