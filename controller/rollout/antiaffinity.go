package rollout

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// addAntiAffinity keeps pods made of a template away from those of every other revision of the Rollout: it adds a term to
// those that the template has. The term names no other revision, so that it stays right when another one becomes stable,
// and pods need no restart for it. It is no part of the identity of the revision, which is that of the template as it was
// written.
func addAntiAffinity(template map[string]any, selector *metav1.LabelSelector, hash string, rule *v1alpha1.AntiAffinity) error {
	if rule == nil {
		return nil
	}
	others := selector.DeepCopy()
	others.MatchExpressions = append(others.MatchExpressions, metav1.LabelSelectorRequirement{
		Key: v1alpha1.LabelPodTemplateHash, Operator: metav1.LabelSelectorOpNotIn, Values: []string{hash},
	}, metav1.LabelSelectorRequirement{Key: v1alpha1.LabelPodTemplateHash, Operator: metav1.LabelSelectorOpExists})
	term := corev1.PodAffinityTerm{LabelSelector: others, TopologyKey: rule.TopologyKeyOrDefault()}
	if rule.StrengthOrDefault() == v1alpha1.AntiAffinityRequired {
		return appendTerm(template, "requiredDuringSchedulingIgnoredDuringExecution", &term)
	}
	return appendTerm(template, "preferredDuringSchedulingIgnoredDuringExecution", &corev1.WeightedPodAffinityTerm{
		Weight: ptr.Deref(rule.Weight, v1alpha1.DefaultAntiAffinityWeight), PodAffinityTerm: term,
	})
}

// appendTerm adds a term to a list of the pod anti-affinity of a template.
func appendTerm(template map[string]any, list string, term any) error {
	path := []string{"spec", "affinity", "podAntiAffinity", list}
	terms, _, err := unstructured.NestedSlice(template, path...)
	if err != nil {
		return fmt.Errorf("spec.template.spec.affinity: %w", err)
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(term)
	if err != nil {
		return err
	}
	if err := unstructured.SetNestedSlice(template, append(terms, fields), path...); err != nil {
		return fmt.Errorf("spec.template.spec.affinity: %w", err)
	}
	return nil
}

// renameApart lets the terms that addAntiAffinity has added to a template for one revision speak of another.
func renameApart(template map[string]any, revision, as string) {
	for list, term := range map[string][]string{
		"requiredDuringSchedulingIgnoredDuringExecution":  nil,
		"preferredDuringSchedulingIgnoredDuringExecution": {"podAffinityTerm"},
	} {
		path := []string{"spec", "affinity", "podAntiAffinity", list}
		terms, found, err := unstructured.NestedSlice(template, path...)
		if err != nil || !found {
			continue
		}
		for _, item := range terms {
			if fields, ok := item.(map[string]any); ok {
				renameTerm(fields, append(term, "labelSelector", "matchExpressions"), revision, as)
			}
		}
		_ = unstructured.SetNestedSlice(template, terms, path...) // it was read from there
	}
}

// renameTerm renames a revision in the expression of a term that keeps pods away from every other one.
func renameTerm(term map[string]any, path []string, revision, as string) {
	expressions, _, err := unstructured.NestedSlice(term, path...)
	if err != nil {
		return
	}
	for _, item := range expressions {
		e, ok := item.(map[string]any)
		values, _ := e["values"].([]any)
		ours := ok && e["key"] == v1alpha1.LabelPodTemplateHash && e["operator"] == string(metav1.LabelSelectorOpNotIn)
		if ours && len(values) == 1 && values[0] == revision {
			e["values"] = []any{as}
		}
	}
	_ = unstructured.SetNestedSlice(term, expressions, path...) // it was read from there
}
