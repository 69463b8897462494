package builder_test

import (
	"testing"
	"time"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

func TestRolloutsAreValid(t *testing.T) {
	for name, rollout := range map[string]*v1alpha1.Rollout{
		"as it starts": builder.Rollout("web").Obj(),
		"canary": builder.Rollout("web").Canary(
			builder.Step().Weight("12.5").Pause(time.Minute),
			builder.Step().Weight("50").Hold().Analysis("success-rate")).Obj(),
		"canary by routes": builder.Rollout("web").Routes("web").Canary(
			builder.Step().Weight("1").Replicas(1)).Obj(),
		"blueGreen":     builder.Rollout("web").BlueGreen().Obj(),
		"rollingUpdate": builder.Rollout("web").RollingUpdate("1", "0").Obj(),
		"recreate":      builder.Rollout("web").Recreate().Obj(),
	} {
		t.Run(name, func(t *testing.T) {
			if errs := v1alpha1.ValidateRollout(rollout); len(errs) > 0 {
				t.Error(errs.ToAggregate())
			}
		})
	}
}

func TestObjIsANewObject(t *testing.T) {
	b := builder.Rollout("web").Env("A", "1")
	first, second := b.Obj(), b.Image("web:v2").Obj()
	first.Spec.Selector.MatchLabels["app"] = "changed"
	if second.Spec.Selector.MatchLabels["app"] != "web" {
		t.Error("two objects share a selector")
	}
	template, err := second.PodTemplate()
	if err != nil {
		t.Fatal(err)
	}
	if got := template.Spec.Containers[0].Image; got != "web:v2" {
		t.Errorf("image %q, want web:v2", got)
	}
}
