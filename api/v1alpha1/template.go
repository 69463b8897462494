package v1alpha1

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// MaxRecordedImages is how many images a ReleaseRecord holds.
const MaxRecordedImages = 16

// PodTemplate decodes spec.template into the type that this version of Sluice was built with. Fields that the type does
// not have are absent from the result and still in the Rollout: write a template to the cluster from spec.template
// itself, never from this.
func (r *Rollout) PodTemplate() (*corev1.PodTemplateSpec, error) {
	return r.Spec.PodTemplate()
}

// PodTemplate decodes spec.template; see Rollout.PodTemplate.
func (s *RolloutSpec) PodTemplate() (*corev1.PodTemplateSpec, error) {
	raw, err := s.Template.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("spec.template: %w", err)
	}
	template := &corev1.PodTemplateSpec{}
	if err := json.Unmarshal(raw, template); err != nil {
		return nil, fmt.Errorf("spec.template is not a pod template: %w: write it as in a Deployment", err)
	}
	return template, nil
}

// Images lists the images of the containers of a pod template, in order, without its init containers: at most
// MaxRecordedImages, which is what a ReleaseRecord holds.
func Images(template *corev1.PodTemplateSpec) []string {
	containers := template.Spec.Containers
	if len(containers) > MaxRecordedImages {
		containers = containers[:MaxRecordedImages]
	}
	images := make([]string, 0, len(containers))
	for i := range containers {
		images = append(images, containers[i].Image)
	}
	return images
}
