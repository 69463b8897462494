package v1alpha1

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RevisionNumber is the number of the revision that a ReplicaSet is, 1 for the first. One without a number, or with one
// that cannot be read, counts as 0: the oldest.
func RevisionNumber(replicaSet metav1.Object) int64 {
	number, err := strconv.ParseInt(replicaSet.GetAnnotations()[AnnotationRevisionNumber], 10, 64)
	if err != nil {
		return 0
	}
	return number
}
