package command

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Revision is a pod template that has been released before and is still there to go back to.
type Revision struct {
	// Number counts revisions from 1, the oldest; 0 when the controller has not numbered it.
	Number int64
	// Hash names the revision.
	Hash string
	// Images are the images of its containers.
	Images []string
	// Template is its pod template as JSON, as it can be written to spec.template.
	Template json.RawMessage
	// Configuration are the hashes of the contents that it was made with, by "ConfigMap/<name>" and "Secret/<name>".
	Configuration map[string]string
}

// String gives the number and the images: "2 (shop/web:v2)".
func (r Revision) String() string {
	return fmt.Sprintf("%d (%s)", r.Number, strings.Join(r.Images, ", "))
}

// Revisions lists the revisions of a Rollout, the newest first. They are read as the API server stores them, so that
// fields of a pod template that this version does not know survive the way back.
func Revisions(ctx context.Context, c client.Reader, r *v1alpha1.Rollout) ([]Revision, error) {
	selector, err := Selector(r)
	if err != nil {
		return nil, fmt.Errorf("rollout %q: spec.selector: %w", r.Name, err)
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	err = c.List(ctx, list, client.InNamespace(r.Namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		return nil, fmt.Errorf("list the replica sets of rollout %q: %w", r.Name, err)
	}
	var revisions []Revision
	for i := range list.Items {
		if !metav1.IsControlledBy(&list.Items[i], r) || list.Items[i].GetLabels()[v1alpha1.LabelBaselineOf] != "" {
			continue
		}
		revision, err := revisionOf(&list.Items[i])
		if err != nil {
			return nil, err
		}
		revisions = append(revisions, revision)
	}
	slices.SortFunc(revisions, func(a, b Revision) int { return int(b.Number - a.Number) })
	return revisions, nil
}

func revisionOf(replicaSet *unstructured.Unstructured) (Revision, error) {
	template, raw, err := templateOf(replicaSet)
	if err != nil {
		return Revision{}, fmt.Errorf("replica set %q: spec.template: %w", replicaSet.GetName(), err)
	}
	revision := Revision{
		Hash:     replicaSet.GetLabels()[v1alpha1.LabelPodTemplateHash],
		Images:   imagesOf(template),
		Template: raw,

		Configuration: v1alpha1.ConfigurationVersions(replicaSet),
	}
	revision.Number = v1alpha1.RevisionNumber(replicaSet)
	return revision, nil
}

// templateOf is the template as the user wrote it, from the annotation that the controller leaves for this. Without one,
// on a ReplicaSet that a Deployment left, it is the template of the ReplicaSet.
func templateOf(replicaSet *unstructured.Unstructured) (map[string]any, json.RawMessage, error) {
	template, _, err := unstructured.NestedMap(replicaSet.Object, "spec", "template")
	if err != nil {
		return nil, nil, err
	}
	if written := replicaSet.GetAnnotations()[v1alpha1.AnnotationTemplate]; json.Valid([]byte(written)) {
		return template, json.RawMessage(written), nil
	}
	clean(template)
	raw, err := json.Marshal(template)
	return template, raw, err
}

// clean takes away what is not part of the template that a user wrote: the hash label, which the controller adds, and
// the empty creation time, which an API server may add.
func clean(template map[string]any) {
	unstructured.RemoveNestedField(template, "metadata", "labels", v1alpha1.LabelPodTemplateHash)
	if created, found, _ := unstructured.NestedFieldNoCopy(template, "metadata", "creationTimestamp"); found && created == nil {
		unstructured.RemoveNestedField(template, "metadata", "creationTimestamp")
	}
}

func imagesOf(template map[string]any) []string {
	containers, _, _ := unstructured.NestedSlice(template, "spec", "containers")
	var images []string
	for _, c := range containers {
		fields, _ := c.(map[string]any)
		if image, _, _ := unstructured.NestedString(fields, "image"); image != "" {
			images = append(images, image)
		}
	}
	return images
}
