package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/controller/configuration"
	"github.com/sluice-dev/sluice/controller/planner"
	"github.com/sluice-dev/sluice/controller/revision"
)

// The right to read Secrets is nobody's by default: an administrator binds this role in a namespace.
//
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;create;delete

const (
	// DefaultTurns is how many Rollouts may be released at the same time because of one ConfigMap or Secret.
	DefaultTurns = 5
	// secretsRole is the ClusterRole that lets the controller read and copy Secrets of a namespace.
	secretsRole = "sluice-configuration-secrets"
	// maxTrackedObjects and maxVersions are what the API allows in status.configuration.
	maxTrackedObjects = 128
	maxVersions       = 128
)

// settings are what a template reads from ConfigMaps and Secrets, as one look has it.
type settings struct {
	references []configuration.Reference
	// written is the template as it was written; nil when it is the one to run.
	written []byte
	// hashes and versions are those of a configuration.Resolution.
	hashes, versions map[configuration.Object]string
	// unknown says that it is not known what template to run.
	unknown bool
	// named is what templates name, read when a copy is about to be deleted, and unread says that one of them is not known.
	named  map[configuration.Object]bool
	unread bool
	// collected are the copies that were deleted in this pass.
	collected map[configuration.Object]map[string]bool
}

// observeConfiguration puts the names of copies into the template of the Rollout, in memory: from here on it is the template
// to run.
func (r *Reconciler) observeConfiguration(ctx context.Context, w *world) error {
	c := &w.configuration
	c.references = configuration.References(w.rollout.Spec.Configuration)
	if w.rollout.DeletionTimestamp != nil {
		c.unknown = len(c.references) > 0 // nothing is released any more, and its end must not wait for a ConfigMap
		return nil
	}
	if readable, err := r.watchConfigMaps(ctx, w); err != nil || !readable {
		return err
	}
	raw, err := w.rollout.Spec.Template.MarshalJSON()
	if len(c.references) == 0 || string(raw) == "null" {
		return nil
	}
	if err != nil {
		return w.badTemplate(err)
	}
	return r.resolveTemplate(ctx, w, raw)
}

// resolveTemplate finds the template to run from the one that was written.
func (r *Reconciler) resolveTemplate(ctx context.Context, w *world, raw []byte) error {
	c := &w.configuration
	found, err := r.readContents(ctx, w)
	if err != nil {
		return err
	}
	resolved, err := configuration.Resolve(w.rollout.Name, raw, c.references, found)
	if err != nil {
		return w.badTemplate(err)
	}
	for _, p := range resolved.Problems {
		w.problem(p.Reason, p.Field, p.Message)
	}
	c.hashes, c.versions, c.written = resolved.Hashes, resolved.Versions, raw
	if c.unknown = resolved.Template == nil; !c.unknown {
		w.rollout = w.rollout.DeepCopy()
		w.rollout.Spec.Template = runtime.RawExtension{Raw: resolved.Template}
	}
	return nil
}

// badTemplate tells of a template that cannot be read. The Rollout stays as it is.
func (w *world) badTemplate(err error) error {
	w.configuration.unknown = true
	w.problem(v1alpha1.ReasonInvalidSpec, "spec.template", err.Error())
	return nil
}

// readContents finds the contents that the references ask for.
func (r *Reconciler) readContents(ctx context.Context, w *world) (map[configuration.Object]configuration.Found, error) {
	found := map[configuration.Object]configuration.Found{}
	for _, ref := range w.configuration.references {
		if !ref.Tracked() {
			continue
		}
		content, err := r.contentOf(ctx, w, ref)
		if err != nil {
			return nil, err
		}
		found[ref.Object] = content
	}
	return found, nil
}

// watchConfigMaps begins to watch ConfigMaps when a Rollout tracks one, or has copies of one, and says whether they can be
// read.
func (r *Reconciler) watchConfigMaps(ctx context.Context, w *world) (bool, error) {
	if !w.usesConfigMaps() {
		return true, nil
	}
	waited, err := r.configMaps.ensure(ctx, w.snapshot.Now)
	switch {
	case err != nil:
		return false, fmt.Errorf("watching ConfigMaps: %w", err)
	case waited > routesTimeout:
		w.lookAgain(routesRetry)
		w.configuration.unknown = true
		w.problem(v1alpha1.ReasonConfigurationForbidden, "spec.configuration.configMaps",
			"ConfigMaps cannot be read: let the service account of the controller list and watch them; its log says why")
		return false, nil
	case waited > 0:
		return false, &unsettledError{what: "the list of ConfigMaps"}
	}
	return true, nil
}

// usesConfigMaps says whether a Rollout tracks ConfigMaps, or has copies of some.
func (w *world) usesConfigMaps() bool {
	return slices.ContainsFunc(w.configuration.references, func(ref configuration.Reference) bool {
		return ref.Tracked() && ref.Kind == v1alpha1.KindConfigMap
	}) || slices.ContainsFunc(w.rollout.Status.Configuration, func(c v1alpha1.ConfigurationStatus) bool {
		return c.Kind == v1alpha1.KindConfigMap
	})
}

// contentOf finds the content that a reference asks for: that of the object, or that of the version it is pinned to.
func (r *Reconciler) contentOf(ctx context.Context, w *world, ref configuration.Reference) (configuration.Found, error) {
	if ref.Version != "" {
		copied, err := r.read(ctx, w, configuration.CopyOf(ref.Object, w.rollout.Name, ref.Version))
		if err != nil || copied.found.Hash == ref.Version {
			return copied.found, err
		}
	}
	now, err := r.read(ctx, w, ref.Object)
	if err != nil {
		return now.found, err
	}
	if now.forbidden != nil {
		w.problem(v1alpha1.ReasonConfigurationForbidden, ref.Field+".name", notAllowed(w.rollout.Namespace, ref, now.forbidden))
	}
	if ref.Version != "" && now.found.Hash != ref.Version {
		return configuration.Found{Unknown: now.found.Unknown}, nil
	}
	return now.found, nil
}

// notAllowed says how to let the controller read an object.
func notAllowed(namespace string, ref configuration.Reference, refusal error) string {
	role := "sluice-controller"
	if ref.Kind == v1alpha1.KindSecret {
		role = secretsRole
	}
	return fmt.Sprintf("the controller may not read %s %q: %s", ref.Kind, ref.Name, configuration.HowToGrant(namespace, role, refusal))
}

// written is the template as it was written, from the one to run.
func (w *world) written(template []byte) []byte {
	if w.configuration.written != nil {
		return w.configuration.written
	}
	return template
}

// keys are the contents of the revision that the spec asks for, by "kind/name".
func (c *settings) keys() map[string]string {
	out := make(map[string]string, len(c.versions))
	for o, hash := range c.versions {
		out[o.Key()] = hash
	}
	return out
}

// annotate says on a ReplicaSet which contents its revision is made with.
func (c *settings) annotate(annotations map[string]string) error {
	if len(c.versions) == 0 {
		return nil
	}
	text, err := json.Marshal(c.keys())
	if err != nil {
		return err
	}
	annotations[v1alpha1.AnnotationConfiguration] = string(text)
	return nil
}

// identityOf is the hash of the template that a ReplicaSet was made of, from that template as it was written.
func identityOf(rollout string, written []byte, rs metav1.Object) (string, error) {
	template, err := configuration.WithVersions(rollout, written, v1alpha1.ConfigurationVersions(rs))
	if err != nil {
		return "", err
	}
	return revision.Hash(template, 0)
}

// observeTurn finds out whether it is the content alone that tells the target from what there is, and whether others go
// first then.
func (r *Reconciler) observeTurn(ctx context.Context, w *world) error {
	c, s := &w.configuration, &w.snapshot
	s.Changed = w.restartsFor()
	if c.unknown || len(c.versions) == 0 {
		return nil
	}
	s.Configuration = w.contentSince(s.State.Stable)
	s.Superseding = w.contentSince(s.State.Candidate)
	for _, ref := range c.references {
		if !slices.Contains(s.Configuration, ref.String()) {
			continue
		}
		wait, err := r.turnOf(ctx, w, ref.Object)
		if err != nil || wait != "" {
			s.HeldBack = planner.Why{Reason: v1alpha1.ReasonWaitingForTurn, Message: wait}
			return err
		}
	}
	return nil
}

// contentSince lists the objects whose content is all that tells the target from another revision.
func (w *world) contentSince(hash string) []string {
	rs, ok := w.replicaSets[hash]
	if !ok || hash == w.snapshot.Target || !w.hasTemplate(rs) {
		return nil
	}
	return configuration.Differing(w.configuration.references, v1alpha1.ConfigurationVersions(rs), w.configuration.keys())
}

// restartsFor lists the objects whose content is another than the one that the pods were made with, and whose change asks
// for a restart.
func (w *world) restartsFor() []string {
	var out []string
	for _, ref := range w.configuration.references {
		before, now := w.recorded(ref.Object).Hash, w.configuration.hashes[ref.Object]
		if ref.OnChange == v1alpha1.ConfigurationChangeRestart && before != "" && now != "" && before != now {
			out = append(out, ref.String())
		}
	}
	return out
}

// recorded is what the status says of an object.
func (w *world) recorded(o configuration.Object) v1alpha1.ConfigurationStatus {
	for _, c := range w.rollout.Status.Configuration {
		if c.Kind == o.Kind && c.Name == o.Name {
			return c
		}
	}
	return v1alpha1.ConfigurationStatus{}
}

// turnOf says why the Rollout has to wait for others that track the same object; empty when it has not.
func (r *Reconciler) turnOf(ctx context.Context, w *world, o configuration.Object) (string, error) {
	var list v1alpha1.RolloutList
	if err := r.cache.List(ctx, &list, client.InNamespace(w.rollout.Namespace),
		client.MatchingFields{indexConfiguration: o.Key()}); err != nil {
		return "", fmt.Errorf("listing Rollouts that track %s: %w", o, err)
	}
	sharers := make([]configuration.Sharer, 0, len(list.Items))
	for i := range list.Items {
		sharers = append(sharers, configuration.SharerOf(&list.Items[i], o, w.configuration.hashes[o]))
	}
	return configuration.Wait(w.rollout.Name, o, sharers, r.turns), nil
}

// entries are the entries of status.configuration that are being made.
type entries map[configuration.Object]*v1alpha1.ConfigurationStatus

// of is the entry of an object.
func (e entries) of(o configuration.Object) *v1alpha1.ConfigurationStatus {
	if e[o] == nil {
		e[o] = &v1alpha1.ConfigurationStatus{Kind: o.Kind, Name: o.Name}
	}
	return e[o]
}

// configurationStatus is what the status says after a pass: which content is asked for, and which there are copies of. The
// copies of a release that begins are written down before they are made, so that none of them is lost sight of.
func (w *world) configurationStatus(plan planner.Plan) []v1alpha1.ConfigurationStatus {
	all := entries{}
	for _, ref := range w.configuration.references {
		if ref.Tracked() {
			all.of(ref.Object).Hash = w.hashToRecord(ref, plan)
		}
	}
	if stable, ok := w.replicaSets[plan.State.Stable]; ok {
		for key, hash := range v1alpha1.ConfigurationVersions(stable) {
			all.of(objectOf(key)).StableHash = hash
		}
	}
	for o, versions := range w.versionsKept() {
		all.of(o).Versions = versions
	}
	var out []v1alpha1.ConfigurationStatus
	for _, o := range slices.SortedFunc(maps.Keys(all), compareObjects) {
		if e := all[o]; e.Hash != "" || e.StableHash != "" || len(e.Versions) > 0 {
			out = append(out, *e)
		}
	}
	return out[:min(len(out), maxTrackedObjects)]
}

// hashToRecord is the content that is asked for, or the one before while that is not known, and while a restart because of
// it has not been asked for.
func (w *world) hashToRecord(ref configuration.Reference, plan planner.Plan) string {
	now := w.configuration.hashes[ref.Object]
	restarted := plan.State.RestartAt != w.snapshot.State.RestartAt || plan.State.Stable == ""
	if now == "" || slices.Contains(w.snapshot.Changed, ref.String()) && !restarted {
		return w.recorded(ref.Object).Hash
	}
	return now
}

// versionsKept are the contents that there may be copies of.
func (w *world) versionsKept() map[configuration.Object][]string {
	out := w.versionsInUse()
	for _, c := range w.rollout.Status.Configuration {
		o := configuration.Object{Kind: c.Kind, Name: c.Name}
		for _, hash := range c.Versions {
			if !w.configuration.collected[o][hash] && !slices.Contains(out[o], hash) {
				out[o] = append(out[o], hash)
			}
		}
	}
	for o := range out {
		slices.Sort(out[o])
		out[o] = out[o][:min(len(out[o]), maxVersions)]
	}
	return out
}

// versionsInUse are the contents that ReplicaSets were made with, and those of the revision that the spec asks for.
func (w *world) versionsInUse() map[configuration.Object][]string {
	out := map[configuration.Object][]string{}
	add := func(o configuration.Object, hash string) {
		if !slices.Contains(out[o], hash) {
			out[o] = append(out[o], hash)
		}
	}
	for _, rs := range w.replicaSets {
		for key, hash := range v1alpha1.ConfigurationVersions(rs) {
			add(objectOf(key), hash)
		}
	}
	for o, hash := range w.configuration.versions {
		add(o, hash)
	}
	return out
}

// objectOf reads "kind/name".
func objectOf(key string) configuration.Object {
	kind, name, _ := strings.Cut(key, "/")
	return configuration.Object{Kind: kind, Name: name}
}

func compareObjects(a, b configuration.Object) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}
