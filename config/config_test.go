// Package config holds what an administrator installs. Its tests read the manifests as the API server would and hold
// the promises that SECURITY.md and the README make about them.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// clientSideApplyLimit is the size of all annotations of an object together. Client-side apply keeps the whole object in
// one of them.
const clientSideApplyLimit = 262144

const namespace = "sluice-system"

func TestInstallHoldsEveryManifest(t *testing.T) {
	want := map[string]unstructured.Unstructured{}
	for _, pattern := range []string{"crd/*.yaml", "rbac/*.yaml", "manager/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, error %v", pattern, len(files), err)
		}
		for _, file := range files {
			for _, object := range readObjects(t, file) {
				want[id(object)] = object
			}
		}
	}
	got := map[string]unstructured.Unstructured{}
	for _, object := range readObjects(t, "install.yaml") {
		if _, twice := got[id(object)]; twice {
			t.Errorf("install.yaml has %s twice", id(object))
		}
		got[id(object)] = object
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("install.yaml is not what config/ says; run `make install.yaml` (-config +install.yaml):\n%s", diff)
	}
}

// TestInstallOrder holds that one `kubectl apply` is enough: it goes from top to bottom, so that a namespace has to come
// before what is in it.
func TestInstallOrder(t *testing.T) {
	rank := map[string]int{"CustomResourceDefinition": 0, "Namespace": 1}
	last, lastID := 0, ""
	for _, object := range readObjects(t, "install.yaml") {
		r, ok := rank[object.GetKind()]
		if !ok {
			r = 2
		}
		if r < last {
			t.Errorf("%s comes after %s", id(object), lastID)
		}
		last, lastID = r, id(object)
	}
}

func TestDefinitionsFitClientSideApply(t *testing.T) {
	for _, object := range objectsOfKind(t, "CustomResourceDefinition") {
		data, err := object.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if len(data) >= clientSideApplyLimit {
			t.Errorf("%s: %d bytes of JSON, want less than %d", object.GetName(), len(data), clientSideApplyLimit)
		}
	}
}

func TestNoRoleGrantsTooMuch(t *testing.T) {
	for name, rules := range allRules(t) {
		if _, known := secretsRoles()[name]; known {
			continue // TestSecretsAreGrantedByName
		}
		for i, rule := range rules {
			for _, complaint := range excess(rule) {
				t.Errorf("%s: rule %d: %s", name, i, complaint)
			}
		}
	}
}

// secretsRoles are the roles with access to Secrets, and what each may do with them.
func secretsRoles() map[string][]string {
	return map[string][]string{
		"ClusterRole sluice-configuration-secrets": {"get", "create", "delete"},
		"ClusterRole sluice-analysis-secrets":      {"get"},
	}
}

// TestSecretsAreGrantedByName holds that Secrets can be read by name only, and that this is granted nowhere until somebody
// binds a role in a namespace.
func TestSecretsAreGrantedByName(t *testing.T) {
	for role, verbs := range secretsRoles() {
		want := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: verbs}}
		if diff := cmp.Diff(want, allRules(t)[role]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
	for _, object := range slices.Concat(objectsOfKind(t, "ClusterRoleBinding"), objectsOfKind(t, "RoleBinding")) {
		binding := decode[rbacv1.RoleBinding](t, object)
		if _, known := secretsRoles()["ClusterRole "+binding.RoleRef.Name]; known {
			t.Errorf("%s grants Secrets from the start", id(object))
		}
	}
}

func TestExcessIsFound(t *testing.T) {
	tests := map[string]rbacv1.PolicyRule{
		"every group":      {APIGroups: []string{"*"}, Resources: []string{"pods"}, Verbs: []string{"get"}},
		"every resource":   {APIGroups: []string{""}, Resources: []string{"*"}, Verbs: []string{"get"}},
		"every sub":        {APIGroups: []string{""}, Resources: []string{"pods/*"}, Verbs: []string{"get"}},
		"every verb":       {APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"*"}},
		"secrets":          {APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}},
		"own rights":       {APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}},
		"another's name":   {APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}},
		"shell":            {APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create"}},
		"pods":             {APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"}},
		"token":            {APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, Verbs: []string{"create"}},
		"nodes":            {APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}},
		"webhooks":         {APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingwebhookconfigurations"}, Verbs: []string{"get"}},
		"beside resources": {NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}},
	}
	for name, rule := range tests {
		if len(excess(rule)) == 0 {
			t.Errorf("%s: %v passes", name, rule)
		}
	}
	if complaints := excess(rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "delete"}}); complaints != nil {
		t.Errorf("a rule within bounds: %v", complaints)
	}
}

// excess says what a rule grants that no role of Sluice may grant.
func excess(rule rbacv1.PolicyRule) []string {
	var complaints []string
	for _, s := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs) {
		if strings.Contains(s, "*") {
			complaints = append(complaints, fmt.Sprintf("%q: name what is needed", s))
		}
	}
	for _, verb := range []string{"escalate", "bind", "impersonate"} {
		if slices.Contains(rule.Verbs, verb) {
			complaints = append(complaints, verb+" is a way to every right")
		}
	}
	for _, name := range rule.Resources {
		if leadsToEveryRight(name) {
			complaints = append(complaints, name+" is a way to every right")
		}
	}
	if slices.Contains(rule.Resources, "pods") && slices.Contains(rule.Verbs, "create") {
		complaints = append(complaints, "ReplicaSets create pods, and admission looks at them")
	}
	if len(rule.NonResourceURLs) > 0 {
		complaints = append(complaints, fmt.Sprintf("%v: not needed", rule.NonResourceURLs))
	}
	return complaints
}

// leadsToEveryRight tells resources whose access is a way to all others: by reading credentials, by running as another
// service account, or by rewriting requests on their way.
func leadsToEveryRight(name string) bool {
	return strings.HasSuffix(name, "webhookconfigurations") ||
		slices.Contains([]string{"secrets", "pods/exec", "pods/attach", "serviceaccounts/token", "nodes", "nodes/proxy"}, name)
}

// TestLeasesStayAtHome holds that the right to a lease ends at the namespace: leases of other namespaces elect the
// scheduler and prove that nodes are alive.
func TestLeasesStayAtHome(t *testing.T) {
	for name, rules := range allRules(t) {
		for _, rule := range rules {
			if slices.Contains(rule.Resources, "leases") && !strings.HasPrefix(name, "Role "+namespace+"/") {
				t.Errorf("%s grants leases", name)
			}
		}
	}
}

// TestPeopleDoNotWriteStatus holds that status is the controller's alone: it is the whole memory of a release.
func TestPeopleDoNotWriteStatus(t *testing.T) {
	for _, object := range objectsOfKind(t, "ClusterRole") {
		if object.GetName() == "sluice-controller" {
			continue
		}
		for _, rule := range decode[rbacv1.ClusterRole](t, object).Rules {
			for _, name := range rule.Resources {
				writes := slices.ContainsFunc(rule.Verbs, func(v string) bool { return !slices.Contains([]string{"get", "list", "watch"}, v) })
				if strings.HasSuffix(name, "/status") && writes {
					t.Errorf("%s: %v on %s", object.GetName(), rule.Verbs, name)
				}
			}
		}
	}
}

// TestRolesNameWhatExists finds misspelt resources, which the API server accepts in silence.
func TestRolesNameWhatExists(t *testing.T) {
	known := map[string]bool{}
	for _, object := range objectsOfKind(t, "CustomResourceDefinition") {
		plural, _, _ := unstructured.NestedString(object.Object, "spec", "names", "plural")
		known[plural] = true
	}
	granted := map[string]bool{}
	for name, rules := range allRules(t) {
		for _, rule := range rules {
			if !slices.Contains(rule.APIGroups, "sluice.dev") {
				continue
			}
			for _, r := range rule.Resources {
				plural, _, _ := strings.Cut(r, "/")
				granted[plural] = true
				if !known[plural] {
					t.Errorf("%s: %s is no resource of sluice.dev", name, r)
				}
			}
		}
	}
	if diff := cmp.Diff(known, granted); diff != "" {
		t.Errorf("resources without a role (-defined +granted):\n%s", diff)
	}
}

// TestRolesGrantWhatTheCodeDeclares holds that the controller has the rights that its code asks for, in markers beside the
// calls, and no others. A marker without a grant fails in a cluster only when the call comes; a grant without a marker
// is a right that nobody needs.
func TestRolesGrantWhatTheCodeDeclares(t *testing.T) {
	want := declaredGrants(t, "../controller", "../trafficrouting")
	// client-go's leader election writes "became leader" as an event of the old kind.
	want["events create"], want["events patch"] = true, true

	rules := allRules(t)
	all := slices.Concat(rules["ClusterRole sluice-controller"], rules["Role "+namespace+"/sluice-leader-election"])
	for role := range secretsRoles() {
		all = append(all, rules[role]...)
	}
	got := grants(all)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config/rbac does not grant what the code declares (-declared +granted):\n%s", diff)
	}
}

// declaredGrants reads the +kubebuilder:rbac markers in the Go files of some folders.
func declaredGrants(t *testing.T, folders ...string) map[string]bool {
	t.Helper()
	marker := regexp.MustCompile(`(?m)^\s*// \+kubebuilder:rbac:groups=([^,\n]+),resources=([^,\n]+),verbs=([^,\n]+)$`)
	var rules []rbacv1.PolicyRule
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			source, err := os.ReadFile(path)
			for _, match := range marker.FindAllStringSubmatch(string(source), -1) {
				rules = append(rules, rbacv1.PolicyRule{
					APIGroups: strings.Split(strings.Trim(match[1], `"`), ";"),
					Resources: strings.Split(match[2], ";"),
					Verbs:     strings.Split(match[3], ";"),
				})
			}
			if all, understood := strings.Count(string(source), "+kubebuilder:rbac:"), len(marker.FindAllString(string(source), -1)); all != understood {
				t.Errorf("%s: %d of %d markers have another form than groups=…,resources=…,verbs=…", path, all-understood, all)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return grants(rules)
}

// grants spells rules out: "replicasets.apps delete".
func grants(rules []rbacv1.PolicyRule) map[string]bool {
	spelled := map[string]bool{}
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, name := range rule.Resources {
				for _, verb := range rule.Verbs {
					spelled[strings.TrimSuffix(name+"."+group, ".")+" "+verb] = true
				}
			}
		}
	}
	return spelled
}

func TestBindingsLeadToRoles(t *testing.T) {
	known := map[string]bool{}
	for _, object := range readObjects(t, "install.yaml") {
		known[id(object)] = true
	}
	bindings := slices.Concat(objectsOfKind(t, "ClusterRoleBinding"), objectsOfKind(t, "RoleBinding"))
	if len(bindings) != 2 {
		t.Errorf("%d bindings, want 2", len(bindings))
	}
	for _, object := range bindings {
		binding := decode[rbacv1.RoleBinding](t, object) // A ClusterRoleBinding has the same fields.
		role := strings.TrimSpace(binding.RoleRef.Kind + " " + binding.RoleRef.Name)
		if binding.RoleRef.Kind == "Role" {
			role = "Role " + binding.Namespace + "/" + binding.RoleRef.Name
		}
		if !known[role] {
			t.Errorf("%s leads to %s, which is not there", id(object), role)
		}
		for _, subject := range binding.Subjects {
			if s := subject.Kind + " " + subject.Namespace + "/" + subject.Name; !known[s] {
				t.Errorf("%s is for %s, which is not there", id(object), s)
			}
		}
	}
}

func TestControllerPodIsRestricted(t *testing.T) {
	pod := deployment(t).Spec.Template.Spec
	wantPod := &corev1.PodSecurityContext{
		RunAsNonRoot:   new(true),
		RunAsUser:      new(int64(65532)),
		RunAsGroup:     new(int64(65532)),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if diff := cmp.Diff(wantPod, pod.SecurityContext); diff != "" {
		t.Errorf("the pod's security context (-want +got):\n%s", diff)
	}
	wantContainer := &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		if diff := cmp.Diff(wantContainer, container.SecurityContext); diff != "" {
			t.Errorf("the security context of %s (-want +got):\n%s", container.Name, diff)
		}
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC || len(pod.Volumes) > 0 {
		t.Error("the pod shares something with its node: a namespace or a volume")
	}
	enforced := objectsOfKind(t, "Namespace")[0].GetLabels()["pod-security.kubernetes.io/enforce"]
	if enforced != "restricted" {
		t.Errorf("the namespace enforces %q, want restricted", enforced)
	}
}

func TestControllerDeploymentFitsTogether(t *testing.T) {
	d := deployment(t)
	container := d.Spec.Template.Spec.Containers[0]
	if !labels.SelectorFromSet(d.Spec.Selector.MatchLabels).Matches(labels.Set(d.Spec.Template.Labels)) {
		t.Errorf("the selector %v does not match the pod's labels %v", d.Spec.Selector.MatchLabels, d.Spec.Template.Labels)
	}
	service := decode[corev1.Service](t, objectsOfKind(t, "Service")[0])
	if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(d.Spec.Template.Labels)) {
		t.Errorf("the Service's selector %v does not match the pod's labels", service.Spec.Selector)
	}
	ports := map[string]bool{}
	for _, port := range container.Ports {
		ports[port.Name] = true
	}
	for _, name := range []string{
		container.LivenessProbe.HTTPGet.Port.StrVal, container.ReadinessProbe.HTTPGet.Port.StrVal, service.Spec.Ports[0].TargetPort.StrVal,
	} {
		if !ports[name] {
			t.Errorf("there is no port called %q", name)
		}
	}
	if container.ImagePullPolicy != corev1.PullIfNotPresent {
		t.Errorf("pull policy %s: an image that was loaded by hand would not be used", container.ImagePullPolicy)
	}
	limit := container.Resources.Limits.Memory()
	for _, variable := range container.Env {
		if variable.Name != "GOMEMLIMIT" {
			continue
		}
		// Go writes MiB what Kubernetes writes Mi.
		goal := resource.MustParse(strings.TrimSuffix(variable.Value, "B"))
		if goal.Cmp(*limit) >= 0 {
			t.Errorf("GOMEMLIMIT %s is not below the limit of memory, %s", variable.Value, limit)
		}
		return
	}
	t.Error("GOMEMLIMIT is not set")
}

func deployment(t *testing.T) appsv1.Deployment {
	t.Helper()
	return decode[appsv1.Deployment](t, objectsOfKind(t, "Deployment")[0])
}

// allRules gives the rules of every role, by the role's kind and name.
func allRules(t *testing.T) map[string][]rbacv1.PolicyRule {
	t.Helper()
	rules := map[string][]rbacv1.PolicyRule{}
	for _, object := range slices.Concat(objectsOfKind(t, "ClusterRole"), objectsOfKind(t, "Role")) {
		rules[id(object)] = decode[rbacv1.Role](t, object).Rules // A ClusterRole has them in the same place.
	}
	return rules
}

// objectsOfKind gives the objects of a kind in install.yaml; none at all is a failure, so that no loop over them passes
// by being empty.
func objectsOfKind(t *testing.T, kind string) []unstructured.Unstructured {
	t.Helper()
	var found []unstructured.Unstructured
	for _, object := range readObjects(t, "install.yaml") {
		if object.GetKind() == kind {
			found = append(found, object)
		}
	}
	if len(found) == 0 {
		t.Fatalf("install.yaml has no %s", kind)
	}
	return found
}

// decode turns an object into its Go type, and refuses fields that the type does not have.
func decode[T any](t *testing.T, object unstructured.Unstructured) T {
	t.Helper()
	var typed T
	data, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, &typed); err != nil {
		t.Fatalf("%s: %v", id(object), err)
	}
	return typed
}

func readObjects(t *testing.T, file string) []unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var objects []unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), len(data)+1)
	for {
		var object unstructured.Unstructured
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(object.Object) > 0 { // A document of comments only.
			objects = append(objects, object)
		}
	}
}

func id(object unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return object.GetKind() + " " + object.GetName()
	}
	return object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
}
