package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
)

func same(a, b client.Object) bool { return equality.Semantic.DeepEqual(a, b) }

// readBy are the ConfigMaps and Secrets that a pod cannot do without, by kind and name.
func readBy(pod *corev1.PodSpec) []configuration.Object {
	var out []configuration.Object
	add := func(kind, name string, optional *bool) {
		if !ptr.Deref(optional, false) {
			out = append(out, configuration.Object{Kind: kind, Name: name})
		}
	}
	for _, c := range pod.Containers {
		for _, from := range c.EnvFrom {
			if ref := from.ConfigMapRef; ref != nil {
				add(v1alpha1.KindConfigMap, ref.Name, ref.Optional)
			}
			if ref := from.SecretRef; ref != nil {
				add(v1alpha1.KindSecret, ref.Name, ref.Optional)
			}
		}
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil {
			add(v1alpha1.KindConfigMap, v.ConfigMap.Name, v.ConfigMap.Optional)
		}
		if v.Secret != nil {
			add(v1alpha1.KindSecret, v.Secret.SecretName, v.Secret.Optional)
		}
	}
	return out
}

// contentOf is what an object says, in one line; ok is false when there is none.
func (w *World) contentOf(namespace string, o configuration.Object) (content string, ok bool) {
	key := types.NamespacedName{Namespace: namespace, Name: o.Name}
	if o.Kind == v1alpha1.KindSecret {
		secret := lookup[*corev1.Secret](w.Server, kindSecret(), key)
		if secret == nil {
			return "", false
		}
		return fmt.Sprint(secret.Data), true
	}
	configMap := lookup[*corev1.ConfigMap](w.Server, kindConfigMap(), key)
	if configMap == nil {
		return "", false
	}
	return fmt.Sprint(configMap.Data), true
}

// lacks names an object that a pod cannot start without, and that is not there.
func (w *World) lacks(pod *corev1.Pod) string {
	for _, o := range readBy(&pod.Spec) {
		if _, ok := w.contentOf(pod.Namespace, o); !ok {
			return o.String()
		}
	}
	return ""
}

// copies notices a pod without the copy that it reads, or with another content than it was made with. What is tracked for
// nothing but a restart is read where it is.
func copies(w *World, s *subject, t *truth, _ time.Time) string {
	if t.rollout.Spec.Configuration == nil || w.checker.disturbed {
		return ""
	}
	for _, pod := range listed[*corev1.Pod](w.Server, kindPod(), s.key.Namespace) {
		owner := metav1.GetControllerOf(pod)
		if owner == nil || pod.DeletionTimestamp != nil || !t.owns(owner.Name) {
			continue
		}
		if detail := w.misread(s, t, pod); detail != "" {
			return detail
		}
	}
	return ""
}

// misread says what is wrong with what a pod reads.
func (w *World) misread(s *subject, t *truth, pod *corev1.Pod) string {
	for _, o := range readBy(&pod.Spec) {
		if w.original(t, o) {
			continue
		}
		content, ok := w.contentOf(pod.Namespace, o)
		if !ok {
			return fmt.Sprintf("pod %s lacks %s", pod.Name, o)
		}
		key := pod.Name + " " + o.Key()
		if before, seen := s.contents[key]; seen && before != content {
			return fmt.Sprintf("pod %s reads another content of %s than it was made with", pod.Name, o)
		}
		s.contents[key] = content
	}
	return ""
}

// resolved is the template of a Rollout with the names of copies; nil when what it reads is not there.
func (w *World) resolved(rollout *v1alpha1.Rollout) []byte {
	references := configuration.References(rollout.Spec.Configuration)
	found := map[configuration.Object]configuration.Found{}
	for _, ref := range references {
		key := types.NamespacedName{Namespace: rollout.Namespace, Name: ref.Name}
		var hash string
		var err error
		if secret := lookup[*corev1.Secret](w.Server, kindSecret(), key); ref.Kind == v1alpha1.KindSecret && secret != nil {
			hash, err = configuration.HashSecret(secret)
		}
		if configMap := lookup[*corev1.ConfigMap](w.Server, kindConfigMap(), key); ref.Kind == v1alpha1.KindConfigMap && configMap != nil {
			hash, err = configuration.HashConfigMap(configMap)
		}
		if err == nil {
			found[ref.Object] = configuration.Found{Hash: hash}
		}
	}
	out, err := configuration.Resolve(rollout.Name, rollout.Spec.Template.Raw, references, found)
	if err != nil {
		return nil
	}
	return out.Template
}

// original says whether an object is one that the spec names, and no copy.
func (w *World) original(t *truth, o configuration.Object) bool {
	return slices.ContainsFunc(configuration.References(t.rollout.Spec.Configuration), func(ref configuration.Reference) bool {
		return ref.Object == o
	})
}

// owns says whether a ReplicaSet is one of the Rollout.
func (t *truth) owns(name string) bool {
	for _, s := range t.sets {
		if s.rs.Name == name {
			return true
		}
	}
	return false
}

// configurationFields says what was wrongly written to a ConfigMap or a Secret: only copies are made and deleted, and they are
// never changed. None goes that a pod reads.
func configurationFields(l *look) string {
	obj := l.change.After
	switch {
	case l.change.Verb == VerbUpdate:
		return "a ConfigMap or Secret was changed"
	case obj == nil:
		obj = l.change.Before
	}
	if !metav1.IsControlledBy(obj, l.after.rollout) && obj.GetLabels()[v1alpha1.LabelRollout] == "" {
		return fmt.Sprintf("%s %s is no copy", l.change.Kind.Kind, obj.GetName())
	}
	return ""
}

// stillRead says whether a copy that goes is read by a pod, or is that of stable.
func stillRead(l *look) string {
	kind := l.change.Kind
	if l.change.Verb != VerbDelete || kind != kindConfigMap() && kind != kindSecret() {
		return ""
	}
	o := configuration.Object{Kind: kind.Kind, Name: l.change.Key.Name}
	for _, pod := range listed[*corev1.Pod](l.world.Server, kindPod(), l.change.Key.Namespace) {
		if pod.DeletionTimestamp == nil && slices.Contains(readBy(&pod.Spec), o) {
			return fmt.Sprintf("%s is deleted, and pod %s reads it", o, pod.Name)
		}
	}
	for hash, s := range l.before.sets {
		if hash == l.before.rollout.Status.State.Stable && slices.Contains(readBy(&s.rs.Spec.Template.Spec), o) {
			return fmt.Sprintf("%s is deleted, and stable %s reads it", o, hash)
		}
	}
	return ""
}

// configMap and secret are what the pods of stories read.
func configMap(value string) client.Object {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "web-config"}, Data: map[string]string{"greeting": value},
	}
}

func secretOf(value string) client.Object {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: "database"}, Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{"password": []byte(value)},
	}
}

// configuredTemplate is one whose pods read both.
func configuredTemplate(image string) string {
	return strings.ReplaceAll(`{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"IMAGE",`+
		`"envFrom":[{"configMapRef":{"name":"web-config"}}]}],"volumes":[{"name":"db","secret":{"secretName":"database"}}]}}`, "IMAGE", image)
}

// greet changes the ConfigMap, and rotate the Secret.
func greet(value string) Step {
	return Step{"the ConfigMap says " + value, func(w *World) error {
		edit(w, "user", kindConfigMap(), named("web-config"), func(c *corev1.ConfigMap) { c.Data = map[string]string{"greeting": value} })
		return nil
	}}
}

func rotate(value string) Step {
	return Step{"the Secret is rotated", func(w *World) error {
		edit(w, "user", kindSecret(), named("database"), func(s *corev1.Secret) { s.Data = map[string][]byte{"password": []byte(value)} })
		return w.Elapse(secretPoll)
	}}
}
