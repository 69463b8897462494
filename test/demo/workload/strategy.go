package workload

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Canary moves traffic to the candidate by the given weights, with an analysis at each.
func Canary(scaleDownDelay time.Duration, weights ...int32) v1alpha1.Strategy {
	canary := &v1alpha1.CanaryStrategy{ScaleDownDelay: &metav1.Duration{Duration: scaleDownDelay}}
	for _, weight := range weights {
		canary.Steps = append(canary.Steps, v1alpha1.CanaryStep{
			Weight:   ptr.To(intstr.FromInt32(weight)),
			Analysis: Analysis(),
		})
	}
	return v1alpha1.Strategy{Canary: canary}
}

// BlueGreen moves all traffic at once, and back when the analysis after the switch fails.
func BlueGreen(scaleDownDelay time.Duration) v1alpha1.Strategy {
	return v1alpha1.Strategy{BlueGreen: &v1alpha1.BlueGreenStrategy{
		PostPromotionAnalysis: Analysis(),
		ScaleDownDelay:        &metav1.Duration{Duration: scaleDownDelay},
	}}
}

// Analysis takes the success rate.
func Analysis() *v1alpha1.Analysis {
	return &v1alpha1.Analysis{Templates: []v1alpha1.AnalysisTemplateReference{
		{Kind: v1alpha1.DefaultTemplateKind, Name: SuccessRate},
	}}
}

// small lets many pods share a small node.
func small() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("5m"),
		corev1.ResourceMemory: resource.MustParse("16Mi"),
	}}
}

func podSecurity() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func containerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}
