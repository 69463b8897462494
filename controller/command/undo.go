package command

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// Previous, as the number of a revision, asks Undo to choose: the stable revision while another one is being released or
// was aborted, and otherwise the newest earlier revision that was promoted.
const Previous int64 = 0

// Undo puts the pod template of an earlier revision back, pins the ConfigMaps and Secrets that are part of it to the content that
// they had, and returns that revision. The object with the template must not change between the look and the patch, so that
// nobody's edit is undone unseen. When that is a Deployment the contents are pinned in the Rollout first: so the earlier template
// is never released with a later content.
func Undo(ctx context.Context, c Client, key client.ObjectKey, number int64) (Revision, error) {
	u := undoing{client: c, number: number}
	change := func(stored, r *v1alpha1.Rollout) (client.Patch, error) { return u.change(ctx, stored, r) }
	if err := editTemplate(ctx, c, key, change); err != nil {
		return Revision{}, err
	}
	return u.target, nil
}

// undoing is an undo under way.
type undoing struct {
	client Client
	number int64
	target Revision
	// pinned says that the contents of the target are pinned in the Rollout of a Deployment: there is no other choice then.
	pinned bool
}

// change is the patch that puts the template back, of the object that has it.
func (u *undoing) change(ctx context.Context, stored, r *v1alpha1.Rollout) (client.Patch, error) {
	if err := u.choose(ctx, r); err != nil {
		return nil, err
	}
	content := pins(r, u.target)
	if bytes.Equal(u.target.Template, r.Spec.Template.Raw) && len(content) == 0 && !u.pinned {
		return nil, alreadyThere(r, u.target)
	}
	if stored.Spec.WorkloadRef != nil {
		if err := u.pin(ctx, stored, content); err != nil {
			return nil, err
		}
		content = nil
	}
	return unlessChanged(r, append([]operation{{Op: "replace", Path: "/spec/template", Value: u.target.Template}}, content...))
}

// choose picks the revision to go back to.
func (u *undoing) choose(ctx context.Context, r *v1alpha1.Rollout) error {
	if u.pinned {
		return nil
	}
	revisions, err := Revisions(ctx, u.client, r)
	if err != nil {
		return err
	}
	u.target, err = Pick(r, revisions, u.number)
	return err
}

// pin pins the contents of the target in a Rollout whose template is elsewhere.
func (u *undoing) pin(ctx context.Context, stored *v1alpha1.Rollout, content []operation) error {
	if len(content) == 0 {
		return nil
	}
	patch, err := unlessChanged(stored, content)
	if err != nil {
		return err
	}
	err = u.client.Patch(ctx, stored, patch, client.FieldOwner(FieldManager))
	u.pinned = err == nil
	return err
}

// unlessChanged is a patch that is good only for the version of the object that was seen.
func unlessChanged(r *v1alpha1.Rollout, operations []operation) (client.Patch, error) {
	return jsonPatch(append([]operation{{Op: "replace", Path: "/metadata/resourceVersion", Value: r.ResourceVersion}}, operations...))
}

// Pick chooses the revision to go back to from all revisions of a Rollout, the newest first. The error is a *Refusal when
// there is none, or the one asked for is what the spec asks for already.
func Pick(r *v1alpha1.Rollout, revisions []Revision, number int64) (Revision, error) {
	if number != Previous {
		return pickNumber(r, revisions, number)
	}
	if !Observed(r) {
		return Revision{}, notSeenUndo(r)
	}
	state := r.Status.State
	if state.Stage != v1alpha1.StageIdle && state.Stable != "" && r.Status.UpdateRevision != state.Stable {
		return pickStable(r, revisions)
	}
	for _, revision := range revisions {
		if revision.Hash != r.Status.UpdateRevision && wasGood(r, revision.Hash) {
			return revision, nil
		}
	}
	return Revision{}, noneEarlier(r, revisions)
}

func pickNumber(r *v1alpha1.Rollout, revisions []Revision, number int64) (Revision, error) {
	i := slices.IndexFunc(revisions, func(revision Revision) bool { return revision.Number == number })
	switch {
	case i < 0:
		return Revision{}, refuse(fmt.Sprintf("rollout %q has no revision %d to go back to", r.Name, number),
			"it has %s", listRevisions(revisions))
	case Observed(r) && revisions[i].Hash == r.Status.UpdateRevision:
		return Revision{}, alreadyThere(r, revisions[i])
	default:
		return revisions[i], nil
	}
}

func pickStable(r *v1alpha1.Rollout, revisions []Revision) (Revision, error) {
	stable := r.Status.State.Stable
	i := slices.IndexFunc(revisions, func(revision Revision) bool { return revision.Hash == stable })
	if i < 0 {
		return Revision{}, refuse(fmt.Sprintf("the replica set of stable revision %s of rollout %q is gone", stable, r.Name),
			"name another revision with --to-revision: there are %s", listRevisions(revisions))
	}
	return revisions[i], nil
}

// wasGood says whether a revision was promoted when it was last released. The history holds ten releases; one that is
// older than that was good enough to be followed by others, and is trusted.
func wasGood(r *v1alpha1.Rollout, hash string) bool {
	for _, release := range r.Status.History {
		if release.Revision == hash {
			return release.Outcome == v1alpha1.OutcomePromoted
		}
	}
	return true
}

func alreadyThere(r *v1alpha1.Rollout, revision Revision) error {
	return refuse(fmt.Sprintf("rollout %q asks for revision %d already", r.Name, revision.Number),
		"there is nothing to undo; \"kubectl sluice get %s\" shows its revisions", r.Name)
}

func noneEarlier(r *v1alpha1.Rollout, revisions []Revision) error {
	state := fmt.Sprintf("rollout %q has no earlier revision that was promoted", r.Name)
	if len(revisions) < 2 {
		return refuse(state, "to release another version use \"kubectl sluice set image %s <container>=<image>\"", r.Name)
	}
	return refuse(state, "name one with --to-revision: there are %s", listRevisions(revisions))
}

func notSeenUndo(r *v1alpha1.Rollout) error {
	return refuse(fmt.Sprintf("the controller has not looked at the latest edit of rollout %q yet, so it is not clear what "+
		"to go back from", r.Name), "try again in a moment, or name a revision with --to-revision")
}

func listRevisions(revisions []Revision) string {
	if len(revisions) == 0 {
		return "none"
	}
	out := make([]string, 0, len(revisions))
	for _, revision := range revisions {
		out = append(out, revision.String())
	}
	return strings.Join(out, ", ")
}
