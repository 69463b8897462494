package proxy

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Request is what an API server would see in a request.
type Request struct {
	// Verb as in a role: get, list, watch, create, update, patch, delete.
	Verb string
	// Resource, with its subresource, such as rollouts/status; empty for what is no object, such as discovery.
	Resource string
	// Namespace and Name of the object; empty where there is none.
	Namespace, Name string
	// At is when it came in.
	At time.Time
}

// Writes says whether a request changes something.
func (r Request) Writes() bool {
	return r.Verb != "get" && r.Verb != "list" && r.Verb != "watch"
}

// String is one line.
func (r Request) String() string { return r.Verb + " " + r.Resource + " " + r.Namespace + "/" + r.Name }

// parse reads /api/v1/… and /apis/group/version/…
func parse(req *http.Request) Request {
	out := Request{At: time.Now()}
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		out.Verb = "get"
		return out
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		out.Namespace, parts = parts[1], parts[2:]
	}
	out.Resource = parts[0]
	if len(parts) > 1 {
		out.Name = parts[1]
	}
	if len(parts) > 2 {
		out.Resource += "/" + parts[2]
	}
	out.Verb = verb(req, out.Name)
	return out
}

func verb(req *http.Request, name string) string {
	switch {
	case req.Method == http.MethodPost:
		return "create"
	case req.Method == http.MethodPut:
		return "update"
	case req.Method != http.MethodGet:
		return strings.ToLower(req.Method)
	case strings.Contains(req.URL.RawQuery, "watch=true"):
		return "watch"
	case name != "":
		return "get"
	}
	return "list"
}

// Conflict is the answer to a write of an object that has changed.
func Conflict() *metav1.Status {
	return &apierrors.NewConflict(schema.GroupResource{Resource: "objects"}, "any", nil).ErrStatus
}

// TooManyRequests is the answer of a server that has too much to do, and asks to come again later.
func TooManyRequests(later time.Duration) *metav1.Status {
	return &apierrors.NewTooManyRequests("the server has too much to do", int(later.Seconds())).ErrStatus
}

// Unavailable is the answer of something in front of a server that is away.
func Unavailable() *metav1.Status {
	return &apierrors.NewServiceUnavailable("the server is away").ErrStatus
}

func pemOf(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
