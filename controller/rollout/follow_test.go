package rollout

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// A mistake in the active Service in the middle of a release costs the traffic of that Service, which is the user's, and
// not that of the standby Service too.
func TestAMistakeInTheActiveServiceIsNotCopied(t *testing.T) {
	h := started(t, routed(), network()...)
	h.release(imageV2)
	h.settle()
	before := &corev1.Service{}
	h.get("web-standby", before)
	alter(h, "web", &corev1.Service{}, func(s *corev1.Service) {
		s.Spec.Selector["app"], s.Spec.Ports = "typo", append(s.Spec.Ports, corev1.ServicePort{Name: "admin", Port: 9090})
	})
	h.settle()
	after := &corev1.Service{}
	h.get("web-standby", after)
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		t.Errorf("the standby Service carries 20%% and was changed: %s", diff)
	}
	alter(h, "web", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector["app"] = "web" })
	h.settle()
	h.get("web-standby", after)
	if len(after.Spec.Ports) != 2 {
		t.Errorf("once the mistake is mended, the standby Service has the ports %v", after.Spec.Ports)
	}
}

// What only follows is told of when it is refused, and does not keep the rest of a pass from being recorded.
func TestAFollowUpThatTheAPIServerRefuses(t *testing.T) {
	h := started(t, routed(), network()...)
	h.fault = func(_ int, write func() error) error {
		if h.writes[len(h.writes)-1] == "patch *v1.Service/web-standby" {
			return apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "web-standby", field.ErrorList{
				field.Duplicate(field.NewPath("spec", "ports").Index(1).Child("name"), "http"),
			})
		}
		return write()
	}
	alter(h, "web", &corev1.Service{}, func(s *corev1.Service) {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "http", Port: 9090})
	})
	h.settle()
	h.elapse(refusedWait)
	h.wantStalled(v1alpha1.ReasonWriteRefused, []string{"spec.services.standby", "a twin of web", "spec.ports[1].name"})
	h.fault = nil
	h.elapse(refusedWait)
	if got := h.rollout().Status; got.Phase != v1alpha1.PhaseHealthy {
		t.Errorf("once the server agrees, it is %s: %s", got.Phase, got.Message)
	}
}
