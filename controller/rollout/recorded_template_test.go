package rollout

import (
	"strings"
	"testing"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/revision"
)

// TestReplicaSetsKeepTheTemplateAsItWasWritten holds what an undo stands on: the template that comes back has the hash
// of the revision to go back to, whatever defaults the API server put into the ReplicaSet.
func TestReplicaSetsKeepTheTemplateAsItWasWritten(t *testing.T) {
	h := newHarness(t, append(network(), routed().Obj())...)
	h.settle()
	rs := h.replicaSetOf(imageV1)
	want := h.rollout().Status.StableRevision
	got, err := revision.Hash([]byte(rs.Annotations[v1alpha1.AnnotationTemplate]), 0)
	if err != nil || got != want {
		t.Errorf("the template of revision %s hashes to %q, %v", want, got, err)
	}
}

func TestTemplateTooLongForAnAnnotation(t *testing.T) {
	long := []byte(strings.Repeat("x", maxRecordedTemplate+1))
	if _, kept := annotationsOf(1, long)[v1alpha1.AnnotationTemplate]; kept {
		t.Error("the API server would refuse the ReplicaSet")
	}
}
