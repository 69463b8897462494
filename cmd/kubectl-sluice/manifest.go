package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/sluice-dev/sluice/analysis"
	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/planner/forecast"
	"github.com/sluice-dev/sluice/controller/revision"
)

// manifest is what a file holds of Sluice's.
type manifest struct {
	name      string
	rollouts  []*v1alpha1.Rollout
	templates map[v1alpha1.AnalysisTemplateReference]v1alpha1.AnalysisTemplateSpec
	// deployments are those that a workloadRef may name.
	deployments map[string]map[string]any
}

// readManifest reads a file, or the standard input for "-".
func (e *environment) readManifest(filename string) (*manifest, error) {
	in, name := e.In, "the standard input"
	if filename != "-" {
		data, err := os.ReadFile(filename)
		if err != nil {
			return nil, err
		}
		in, name = bytes.NewReader(data), filename
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	m := &manifest{
		name: name, templates: map[v1alpha1.AnalysisTemplateReference]v1alpha1.AnalysisTemplateSpec{}, deployments: map[string]map[string]any{},
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(in))
	for i := 1; ; i++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err == nil {
			err = m.add(decoder, document)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, document %d: %w", name, i, err)
		}
	}
}

// add takes what a document holds of Sluice's. Other objects are left alone.
func (m *manifest) add(decoder runtime.Decoder, document []byte) error {
	kind := metav1.TypeMeta{}
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return fmt.Errorf("no Kubernetes object; write YAML or JSON with apiVersion and kind: %w", err)
	}
	if kind.GroupVersionKind() == appsv1.SchemeGroupVersion.WithKind("Deployment") {
		return m.addDeployment(document)
	}
	if kind.GroupVersionKind().Group != v1alpha1.GroupVersion.Group {
		return nil
	}
	object, _, err := decoder.Decode(document, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		return fmt.Errorf("kind: there is no %s in %s: write a Rollout or an AnalysisTemplate of %s", kind.Kind, kind.APIVersion,
			v1alpha1.GroupVersion)
	case err != nil:
		return err
	}
	switch o := object.(type) {
	case *v1alpha1.Rollout:
		m.rollouts = append(m.rollouts, o)
	case *v1alpha1.AnalysisTemplate:
		m.templates[v1alpha1.AnalysisTemplateReference{Kind: kind.Kind, Name: o.Name}] = o.Spec
	case *v1alpha1.ClusterAnalysisTemplate:
		m.templates[v1alpha1.AnalysisTemplateReference{Kind: kind.Kind, Name: o.Name}] = o.Spec
	}
	return nil
}

// addDeployment takes a Deployment.
func (m *manifest) addDeployment(document []byte) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &object.Object); err != nil {
		return err
	}
	m.deployments[object.GetName()] = object.Object
	return nil
}

// resolve gives a Rollout the template of the Deployment in the file that it names.
func (m *manifest) resolve(r *v1alpha1.Rollout) (*v1alpha1.Rollout, error) {
	ref := r.Spec.WorkloadRef
	if ref == nil {
		return r, nil
	}
	deployment, found := m.deployments[ref.Name]
	if !found {
		return nil, fmt.Errorf("rollout %q: spec.workloadRef names Deployment %q, which %s does not have: add it, for its pod template",
			r.Name, ref.Name, m.name)
	}
	resolved := r.DeepCopy()
	if err := resolved.Spec.Resolve(deployment); err != nil {
		return nil, fmt.Errorf("rollout %q: %w", r.Name, err)
	}
	return resolved, nil
}

// template is the one with a name, or the only one.
func (m *manifest) template(name string) (analysis.Template, error) {
	var names []string
	for ref, spec := range m.templates {
		if ref.Name == name || name == "" && len(m.templates) == 1 {
			return analysis.Template{Kind: ref.Kind, Name: ref.Name, Spec: spec}, nil
		}
		names = append(names, ref.Name)
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return analysis.Template{}, fmt.Errorf("%s has no AnalysisTemplate (%s): give a file with one", m.name, v1alpha1.GroupVersion)
	case name == "":
		return analysis.Template{}, fmt.Errorf("%s has %d AnalysisTemplates: give the name of one of %s", m.name, len(names),
			strings.Join(names, ", "))
	default:
		return analysis.Template{}, fmt.Errorf("%s has no AnalysisTemplate %q: it has %s", m.name, name, strings.Join(names, ", "))
	}
}

// rollout is the one with a name, or the only one.
func (m *manifest) rollout(name string) (*v1alpha1.Rollout, error) {
	var names []string
	for _, r := range m.rollouts {
		if r.Name == name || name == "" && len(m.rollouts) == 1 {
			return r, nil
		}
		names = append(names, r.Name)
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("%s has no Rollout (%s): give a file with one", m.name, v1alpha1.GroupVersion)
	case name == "":
		return nil, fmt.Errorf("%s has %d Rollouts: give the name of one of %s", m.name, len(names), strings.Join(names, ", "))
	default:
		return nil, fmt.Errorf("%s has no Rollout %q: it has %s", m.name, name, strings.Join(names, ", "))
	}
}

// start is a release of a Rollout over a stable revision that has all its pods and all traffic.
func (m *manifest) start(r *v1alpha1.Rollout) (forecast.Start, error) {
	r, err := m.resolve(r)
	if err != nil {
		return forecast.Start{}, err
	}
	spec, err := compiled(r)
	if err != nil {
		return forecast.Start{}, err
	}
	hash, err := revision.Hash(r.Spec.Template.Raw, 0)
	if err != nil {
		return forecast.Start{}, fmt.Errorf("rollout %q: spec.template: %w", r.Name, err)
	}
	active, standby := "", ""
	if services := r.Spec.Services; services != nil {
		active, standby = services.Active, services.StandbyName()
	}
	start := forecast.Start{Snapshot: forecast.AtRest(spec, forecast.SomeStable, active, standby)}
	start.Snapshot.Target = hash
	start.Analyses, err = analysisTimes(&r.Spec, func(_ string, ref v1alpha1.AnalysisTemplateReference) ([]v1alpha1.Metric, bool, error) {
		template, known := m.templates[ref]
		return template.Metrics, known, nil
	})
	if err != nil {
		return forecast.Start{}, fmt.Errorf("rollout %q: %w", r.Name, err)
	}
	return start, nil
}

// bounds finds numbers and words that the schema of the API refuses, and that ValidateRollout therefore never meets.
func bounds(s *v1alpha1.RolloutSpec) field.ErrorList {
	const most, seconds = 1_000_000, math.MaxInt32
	spec := field.NewPath("spec")
	errs := within(s.Replicas, spec.Child("replicas"), 0, most)
	errs = append(errs, within(&s.MinReadySeconds, spec.Child("minReadySeconds"), 0, seconds-1)...)
	errs = append(errs, within(s.ProgressDeadlineSeconds, spec.Child("progressDeadlineSeconds"), 1, seconds)...)
	if bg := s.Strategy.BlueGreen; bg != nil {
		errs = append(errs, within(bg.PreviewReplicas, spec.Child("strategy", "blueGreen", "previewReplicas"), 1, most)...)
	}
	if canary := s.Strategy.Canary; canary != nil {
		path := spec.Child("strategy", "canary")
		for i, step := range canary.Steps {
			errs = append(errs, within(step.Replicas, path.Child("steps").Index(i).Child("replicas"), 0, most)...)
		}
		capacities := []v1alpha1.StableCapacity{v1alpha1.StableCapacityFull, v1alpha1.StableCapacityProportional}
		if c := canary.Capacity(); !slices.Contains(capacities, c) {
			errs = append(errs, field.NotSupported(path.Child("stableCapacity"), c, capacities))
		}
	}
	return errs
}

func within(n *int32, path *field.Path, least, most int32) field.ErrorList {
	if n == nil || *n >= least && *n <= most {
		return nil
	}
	return field.ErrorList{field.Invalid(path, *n, fmt.Sprintf("write a number from %d to %d", least, most))}
}
