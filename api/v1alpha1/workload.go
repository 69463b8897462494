package v1alpha1

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Resolve makes of a spec with workloadRef one that says the same without: the template is that of the workload, as it is
// written there, and so is the selector, unless the spec has one. The workload is a Deployment as an unstructured object.
// It is not changed.
func (s *RolloutSpec) Resolve(workload map[string]any) error {
	template, _, err := unstructured.NestedMap(workload, "spec", "template")
	if err != nil {
		return fmt.Errorf("spec.template of the workload: %w", err)
	}
	raw, err := json.Marshal(template)
	if err != nil {
		return fmt.Errorf("spec.template of the workload: %w", err)
	}
	if s.Selector == nil {
		selector, _, err := unstructured.NestedMap(workload, "spec", "selector")
		if err != nil {
			return fmt.Errorf("spec.selector of the workload: %w", err)
		}
		s.Selector = &metav1.LabelSelector{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(selector, s.Selector); err != nil {
			return fmt.Errorf("spec.selector of the workload: %w", err)
		}
	}
	s.Template, s.WorkloadRef = runtime.RawExtension{Raw: raw}, nil
	return nil
}
