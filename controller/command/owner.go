package command

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Deployer returns what deploys an object from elsewhere, and so may revert an edit of its spec: "Argo CD", "Flux
// Kustomization web", "Helm release web". It is empty for an object that nobody else is known to write.
func Deployer(object metav1.Object) string {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	switch {
	case annotations["argocd.argoproj.io/tracking-id"] != "":
		return "Argo CD"
	case labels["argocd.argoproj.io/instance"] != "":
		return "Argo CD application " + labels["argocd.argoproj.io/instance"]
	case labels["kustomize.toolkit.fluxcd.io/name"] != "":
		return "Flux Kustomization " + labels["kustomize.toolkit.fluxcd.io/name"]
	case labels["helm.toolkit.fluxcd.io/name"] != "":
		return "Flux HelmRelease " + labels["helm.toolkit.fluxcd.io/name"]
	case annotations["meta.helm.sh/release-name"] != "":
		return "Helm release " + annotations["meta.helm.sh/release-name"]
	default:
		return ""
	}
}
