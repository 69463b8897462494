//go:build apiserver

package faults_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
)

// A change is one write, whoever made it, as etcd committed it. What etcd keeps is the one order in which everything
// happened, across all kinds, and it misses nothing while the API server is away.
type change struct {
	// revision counts all writes.
	revision int64
	// key of the object, such as /registry/pods/namespace/name.
	key string
	// obj is the object after the write; nil after a deletion.
	obj runtime.Object
}

// The etcd API in JSON, as far as it is needed. Numbers are strings in it.
type (
	etcdEvent struct {
		Type string `json:"type"`
		KV   struct {
			Key      []byte `json:"key"`
			Value    []byte `json:"value"`
			Revision string `json:"mod_revision"`
		} `json:"kv"`
	}
	etcdWatch struct {
		Result struct {
			Events          []etcdEvent `json:"events"`
			CompactRevision string      `json:"compact_revision"`
		} `json:"result"`
	}
)

// tape is the history of the namespace of a world.
type tape struct {
	w       *live.World
	next    int64
	changes []change
}

// newTape begins when the namespace was made.
func newTape(w *live.World) *tape {
	w.T.Helper()
	namespace := &corev1.Namespace{}
	if err := w.Client.Get(w.T.Context(), client.ObjectKey{Name: w.Namespace}, namespace); err != nil {
		w.T.Fatal(err)
	}
	return &tape{w: w, next: number(w.T, namespace.ResourceVersion)}
}

// wind reads on to what etcd has committed by now. The API server is not needed.
func (h *tape) wind() {
	t := h.w.T
	t.Helper()
	last := newest(t, h.w)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	response := post(ctx, t, h.w, "watch", fmt.Sprintf(`{"create_request": {%s, "start_revision": "%d"}}`, registry(), h.next))
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	decode := serializer.NewCodecFactory(h.w.Scheme).UniversalDeserializer()
	for h.next <= last {
		var batch etcdWatch
		if err := decoder.Decode(&batch); err != nil {
			t.Fatal(err)
		}
		if batch.Result.CompactRevision != "" {
			t.Fatalf("etcd has forgotten what was before revision %s, and %d is asked for", batch.Result.CompactRevision, h.next)
		}
		for _, event := range batch.Result.Events {
			c, mine := changeOf(t, event, h.w.Namespace, decode)
			if mine {
				h.changes = append(h.changes, c)
			}
			h.next = c.revision + 1
		}
	}
}

// newest is the revision of the last write to an object.
func newest(t testing.TB, w *live.World) int64 {
	t.Helper()
	response := post(t.Context(), t, w, "kv/range",
		fmt.Sprintf(`{%s, "limit": 1, "sort_order": "DESCEND", "sort_target": "MOD", "keys_only": true}`, registry()))
	defer response.Body.Close()
	var found struct {
		KVs []struct {
			Revision string `json:"mod_revision"`
		} `json:"kvs"`
	}
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil || len(found.KVs) != 1 {
		t.Fatalf("etcd has %v, %v", found, err)
	}
	return number(t, found.KVs[0].Revision)
}

// compact lets etcd forget what has been wound: who wants to watch from there must list anew.
func (h *tape) compact() {
	h.w.T.Helper()
	response := post(h.w.T.Context(), h.w.T, h.w, "kv/compaction", fmt.Sprintf(`{"revision": "%d", "physical": true}`, h.next-1))
	if err := response.Body.Close(); err != nil {
		h.w.T.Fatal(err)
	}
}

// registry is the range of keys that has all objects.
func registry() string {
	return fmt.Sprintf(`"key": %q, "range_end": %q`, base64.StdEncoding.EncodeToString([]byte("/registry/")),
		base64.StdEncoding.EncodeToString([]byte("/registry0")))
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// post asks etcd. The caller closes the answer.
func post(ctx context.Context, t testing.TB, w *live.World, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.ControlPlane.EtcdURL+"/v3/"+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		t.Fatalf("etcd answers %s to %s", response.Status, path)
	}
	return response
}

// changeOf reads one event, and says whether it is one of a kind that matters, in the namespace.
func changeOf(t testing.TB, event etcdEvent, namespace string, decode runtime.Decoder) (change, bool) {
	t.Helper()
	c := change{revision: number(t, event.KV.Revision), key: string(event.KV.Key)}
	if !strings.Contains(c.key, "/"+namespace+"/") {
		return c, false
	}
	if event.Type == "DELETE" {
		return c, true
	}
	var err error
	c.obj, _, err = decode.Decode(event.KV.Value, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return c, false
	}
	if err != nil {
		t.Fatalf("%s: %v", c.key, err)
	}
	return c, true
}

// truth is what the API server had at one moment.
type truth struct {
	rollouts map[string]*v1alpha1.Rollout
	sets     map[string]*appsv1.ReplicaSet
	services map[string]*corev1.Service
	routes   map[string]*gatewayv1.HTTPRoute
	pods     map[string]*corev1.Pod
}

func newTruth() *truth {
	return &truth{
		rollouts: map[string]*v1alpha1.Rollout{}, sets: map[string]*appsv1.ReplicaSet{}, services: map[string]*corev1.Service{},
		routes: map[string]*gatewayv1.HTTPRoute{}, pods: map[string]*corev1.Pod{},
	}
}

// commit makes a change.
func (h *truth) commit(c change) {
	if c.obj == nil {
		delete(h.rollouts, c.key)
		delete(h.sets, c.key)
		delete(h.services, c.key)
		delete(h.routes, c.key)
		delete(h.pods, c.key)
	}
	switch obj := c.obj.(type) {
	case *v1alpha1.Rollout:
		h.rollouts[c.key] = obj
	case *appsv1.ReplicaSet:
		h.sets[c.key] = obj
	case *corev1.Service:
		h.services[c.key] = obj
	case *gatewayv1.HTTPRoute:
		h.routes[c.key] = obj
	case *corev1.Pod:
		h.pods[c.key] = obj
	}
}
