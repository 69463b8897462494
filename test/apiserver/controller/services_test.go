//go:build apiserver

package controller_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/apiserver/live"
	"github.com/sluice-dev/sluice/test/builder"
)

// A Service that the spec names no more gets the pods of the next release all the same. One that a person has tied to a
// revision stays as the person wrote it.
func TestAServiceThatIsNamedNoMore(t *testing.T) {
	rolling := builder.Rollout("web").RollingUpdate("1", "0").Obj().Spec.Strategy
	tests := map[string]func(*v1alpha1.Rollout){
		"no Services any more": func(r *v1alpha1.Rollout) { r.Spec.Services, r.Spec.Strategy = nil, rolling },
		"no Services any more, with the next release": func(r *v1alpha1.Rollout) {
			r.Spec.Services, r.Spec.Strategy = nil, rolling
			r.Spec.Template = builder.Rollout("web").Image(live.ImageV2).Obj().Spec.Template
		},
		"another Service": func(r *v1alpha1.Rollout) { r.Spec.Services.Active = "front" },
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			w := start(t, live.Service(), builder.Service("", "front", "web"),
				builder.Rollout("web").Image(live.ImageV1).Replicas(2).Services("web").BlueGreen().Obj())
			v1 := w.Reaches("healthy", live.Healthy).StableRevision
			byHand := builder.Service("", "by-hand", "web")
			byHand.Spec.Selector[v1alpha1.LabelPodTemplateHash] = v1
			w.Make(byHand)
			w.Edit(edit)
			w.Eventually("web selects every revision", func() (bool, string) { return w.Selected("web") == "", w.Selected("web") })
			w.Release(live.ImageV2)
			w.Reaches("promoted", func(s *v1alpha1.RolloutStatus) bool { return live.Healthy(s) && s.StableRevision != v1 })
			if got := w.Selected("by-hand"); got != v1 {
				t.Errorf("the Service that was tied to %s by hand selects %q", v1, got)
			}
			web := &corev1.Service{}
			w.Get("web", web)
			if web.Spec.Selector["app"] != "web" {
				t.Errorf("web selects %v", web.Spec.Selector)
			}
			w.calm()
		})
	}
}
