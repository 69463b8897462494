package v1alpha1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func TestPodTemplate(t *testing.T) {
	r := &Rollout{Spec: RolloutSpec{Template: runtime.RawExtension{Raw: []byte(`{
		"metadata": {"labels": {"app": "web"}, "creationTimestamp": null},
		"spec": {
			"fieldOfTheFuture": {"a": 1},
			"containers": [{"name": "web", "image": "web:v1", "resources": {"limits": {"cpu": "100m"}}},
				{"name": "proxy", "image": "proxy:v7", "anotherOne": [1, 2]}]
		}}`)}}}
	template, err := r.PodTemplate()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"web:v1", "proxy:v7"}, Images(template)); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if got := template.Labels["app"]; got != "web" {
		t.Errorf("label app = %q, want web", got)
	}
	if got := template.Spec.Containers[0].Resources.Limits.Cpu().MilliValue(); got != 100 {
		t.Errorf("cpu limit = %dm, want 100m", got)
	}
}

func TestPodTemplateThatDoesNotDecode(t *testing.T) {
	for name, raw := range map[string]string{
		"a list":        `[]`,
		"a wrong type":  `{"spec": {"containers": {"name": "web"}}}`,
		"a broken text": `{"spec"`,
	} {
		t.Run(name, func(t *testing.T) {
			r := &Rollout{Spec: RolloutSpec{Template: runtime.RawExtension{Raw: []byte(raw)}}}
			_, err := r.PodTemplate()
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.HasPrefix(err.Error(), "spec.template") {
				t.Errorf("error %q does not name the field", err)
			}
		})
	}
}

func TestImagesAreBounded(t *testing.T) {
	template := &corev1.PodTemplateSpec{}
	for i := range MaxRecordedImages + 3 {
		template.Spec.Containers = append(template.Spec.Containers, corev1.Container{Image: fmt.Sprintf("c:%d", i)})
	}
	if got := len(Images(template)); got != MaxRecordedImages {
		t.Errorf("%d images, want %d", got, MaxRecordedImages)
	}
}
