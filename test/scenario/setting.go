package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
	"github.com/sluice-dev/sluice/test/builder"
)

// RoleLabel is the label that tells the role of a pod.
const RoleLabel = "role"

// setting changes a spec.
type setting func(*v1alpha1.RolloutSpec) error

// initialSpec is what a set-up starts with; a strategy comes with its first line.
func initialSpec() v1alpha1.RolloutSpec {
	spec := builder.Rollout(Name).Obj().Spec
	spec.Template.Raw, spec.Strategy = nil, v1alpha1.Strategy{}
	return spec
}

// sure makes a form of a setting that cannot be wrong.
func sure(words, about string, change func(*v1alpha1.RolloutSpec, gaps)) form[setting] {
	return form[setting]{words: words, about: about, make: func(g gaps) (setting, error) {
		return func(spec *v1alpha1.RolloutSpec) error { change(spec, g); return nil }, nil
	}}
}

// ofCanary makes a form of a setting that only a canary has.
func ofCanary(words, about string, change func(*v1alpha1.CanaryStrategy, gaps) error) form[setting] {
	return form[setting]{words: words, about: about, make: func(g gaps) (setting, error) {
		return func(spec *v1alpha1.RolloutSpec) error {
			if spec.Strategy.Canary == nil {
				return fmt.Errorf("only a canary has this: write strategy canary first")
			}
			return change(spec.Strategy.Canary, g)
		}, nil
	}}
}

// ofBlueGreen makes a form of a setting that only blueGreen has.
func ofBlueGreen(words, about string, change func(*v1alpha1.BlueGreenStrategy, gaps)) form[setting] {
	return form[setting]{words: words, about: about, make: func(g gaps) (setting, error) {
		return func(spec *v1alpha1.RolloutSpec) error {
			if spec.Strategy.BlueGreen == nil {
				return fmt.Errorf("only blueGreen has this: write strategy blueGreen first")
			}
			change(spec.Strategy.BlueGreen, g)
			return nil
		}, nil
	}}
}

// settings are the sentences that describe a Rollout: at the head of a file, and after "change".
func settings() []form[setting] {
	return slices.Concat(settingsOfAll(), settingsOfTemplates(), settingsOfCanary(), settingsOfBlueGreen())
}

func settingsOfAll() []form[setting] {
	return []form[setting]{
		sure("strategy <strategy>", "the strategy, with the Services and the route that it needs", func(spec *v1alpha1.RolloutSpec, g gaps) {
			setStrategy(spec, g.word(0))
		}),
		sure("traffic route", "a route shares the traffic; canary has it unless told otherwise", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			routed := builder.Rollout(Name).Routes(Name).Obj().Spec
			spec.Services, spec.Traffic = routed.Services, routed.Traffic
		}),
		sure("traffic services", "only Services; blueGreen has it unless told otherwise", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			spec.Services, spec.Traffic = &v1alpha1.Services{Active: Name}, nil
		}),
		sure("traffic none", "the Rollout names neither Services nor a route", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			spec.Services, spec.Traffic = nil, nil
		}),
		sure("replicas <count>", "how many pods serve at rest", func(spec *v1alpha1.RolloutSpec, g gaps) {
			spec.Replicas = ptr.To(g.number(0))
		}),
		sure("min ready <duration>", "how long a pod must be ready to be available", func(spec *v1alpha1.RolloutSpec, g gaps) {
			spec.MinReadySeconds = int32(g.duration().Seconds())
		}),
		sure("deadline <duration>", "how long a release may go without progress", func(spec *v1alpha1.RolloutSpec, g gaps) {
			spec.ProgressDeadlineSeconds = ptr.To(int32(g.duration().Seconds()))
		}),
		sure("keep <count> revisions", "how many earlier revisions keep a ReplicaSet", func(spec *v1alpha1.RolloutSpec, g gaps) {
			spec.RevisionHistoryLimit = ptr.To(g.number(0))
		}),
		sure("rollback window <count>", "how many revisions back a release needs no steps", func(spec *v1alpha1.RolloutSpec, g gaps) {
			spec.RollbackWindow = &v1alpha1.RollbackWindow{Revisions: g.number(0)}
		}),
		sure("label pods by role", "pods have the label role: stable or candidate", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			spec.RoleMetadata = &v1alpha1.RoleMetadata{
				Stable:    &v1alpha1.PodMetadata{Labels: map[string]string{RoleLabel: "stable"}},
				Candidate: &v1alpha1.PodMetadata{Labels: map[string]string{RoleLabel: "candidate"}},
			}
		}),
		{words: "surge <limit>", about: "how many pods there may be above replicas; without a route", make: func(g gaps) (setting, error) {
			return limit(g.word(0), func(s *v1alpha1.Strategy, value *intstr.IntOrString) bool {
				return setLimit(s, value, nil)
			}), nil
		}},
		{words: "unavailable <limit>", about: "how many of the replicas may be unavailable", make: func(g gaps) (setting, error) {
			return limit(g.word(0), func(s *v1alpha1.Strategy, value *intstr.IntOrString) bool {
				return setLimit(s, nil, value)
			}), nil
		}},
		{words: "scale down delay <duration>", about: "how long the old pods stay after a promotion", make: func(g gaps) (setting, error) {
			return func(spec *v1alpha1.RolloutSpec) error { return setScaleDownDelay(&spec.Strategy, g.duration()) }, nil
		}},
	}
}

// settingsOfTemplates say where the template comes from, and what comes with it.
func settingsOfTemplates() []form[setting] {
	return []form[setting]{
		sure("template of a Deployment", "the Rollout has no template and names a Deployment of no pods that has it", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			spec.WorkloadRef = &v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: Name}
		}),
		{
			words: "template of a Deployment whose pods go <when>", need: NeedDeployments,
			about: "the Deployment has as many pods as replicas says, and loses them to the Rollout",
			make: func(g gaps) (setting, error) {
				return func(spec *v1alpha1.RolloutSpec) error {
					spec.WorkloadRef = &v1alpha1.WorkloadReference{
						APIVersion: "apps/v1", Kind: "Deployment", Name: Name, ScaleDown: v1alpha1.WorkloadScaleDown(g.word(0)),
					}
					return nil
				}, nil
			},
		},
		sure("track ConfigMap", "pods read a ConfigMap, whose change is a release", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			track(spec, v1alpha1.ConfigurationChangeRelease)
		}),
		sure("restart for ConfigMap", "pods read a ConfigMap, whose change restarts them", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			track(spec, v1alpha1.ConfigurationChangeRestart)
		}),
		sure("revisions apart", "pods of a revision stay away from the nodes of others", func(spec *v1alpha1.RolloutSpec, _ gaps) {
			spec.AntiAffinity = &v1alpha1.AntiAffinity{}
		}),
	}
}

func track(spec *v1alpha1.RolloutSpec, onChange v1alpha1.ConfigurationChange) {
	spec.Configuration = &v1alpha1.Configuration{ConfigMaps: []v1alpha1.ConfigurationReference{{Name: ConfigMap, OnChange: onChange}}}
}

// setStrategy replaces the strategy, and with it what shares the traffic.
func setStrategy(spec *v1alpha1.RolloutSpec, strategy string) {
	b := builder.Rollout(Name)
	switch strategy {
	case v1alpha1.StrategyCanary:
		b.Routes(Name).Canary()
	case v1alpha1.StrategyBlueGreen:
		b.BlueGreen()
	case v1alpha1.StrategyRecreate:
		b.Recreate()
	}
	made := b.Obj().Spec
	spec.Strategy, spec.Services, spec.Traffic = made.Strategy, made.Services, made.Traffic
}

func limit(value string, set func(*v1alpha1.Strategy, *intstr.IntOrString) bool) setting {
	return func(spec *v1alpha1.RolloutSpec) error {
		if !set(&spec.Strategy, ptr.To(intstr.Parse(value))) {
			return fmt.Errorf("only canary and rollingUpdate have this: write one of these strategies first")
		}
		return nil
	}
}

// setLimit sets those of the two limits that are given; false for a strategy that has none.
func setLimit(s *v1alpha1.Strategy, surge, unavailable *intstr.IntOrString) bool {
	switch {
	case s.Canary != nil:
		s.Canary.MaxSurge, s.Canary.MaxUnavailable = either(surge, s.Canary.MaxSurge), either(unavailable, s.Canary.MaxUnavailable)
	case s.RollingUpdate != nil:
		s.RollingUpdate.MaxSurge = either(surge, s.RollingUpdate.MaxSurge)
		s.RollingUpdate.MaxUnavailable = either(unavailable, s.RollingUpdate.MaxUnavailable)
	default:
		return false
	}
	return true
}

func either(first, second *intstr.IntOrString) *intstr.IntOrString {
	if first != nil {
		return first
	}
	return second
}

func setScaleDownDelay(s *v1alpha1.Strategy, delay time.Duration) error {
	switch {
	case s.Canary != nil:
		s.Canary.ScaleDownDelay = &metav1.Duration{Duration: delay}
	case s.BlueGreen != nil:
		s.BlueGreen.ScaleDownDelay = &metav1.Duration{Duration: delay}
	default:
		return fmt.Errorf("only canary and blueGreen have this: write one of these strategies first")
	}
	return nil
}

func settingsOfCanary() []form[setting] {
	return []form[setting]{
		ofCanary("stable capacity Proportional", "stable shrinks behind its share of the traffic", func(c *v1alpha1.CanaryStrategy, _ gaps) error {
			c.StableCapacity = v1alpha1.StableCapacityProportional
			return nil
		}),
		ofCanary("stable capacity Full", "stable keeps its pods until the promotion", func(c *v1alpha1.CanaryStrategy, _ gaps) error {
			c.StableCapacity = v1alpha1.StableCapacityFull
			return nil
		}),
		ofCanary("at least <count> pods each", "the least number of pods of a version that has traffic", func(c *v1alpha1.CanaryStrategy, g gaps) error {
			c.MinPodsPerReplicaSet = ptr.To(g.number(0))
			return nil
		}),
		ofCanary("background analysis from step <count>", "an analysis beside the steps, once the traffic of that step has moved", func(c *v1alpha1.CanaryStrategy, g gaps) error {
			if g.number(0) < 1 {
				return fmt.Errorf("steps count from 1")
			}
			c.Analysis = &v1alpha1.BackgroundAnalysis{Analysis: *builder.Analysis(Template), StartingStep: g.number(0) - 1}
			return nil
		}),
		ofCanary("step <part>", "one more step: weight, replicas, match (a word in a header, or none), mirror, pause, hold, analysis, in any order, as many as it has; after experiment (pods of each) pause and analysis are the experiment's", func(c *v1alpha1.CanaryStrategy, g gaps) error {
			step, err := readStep(g[0])
			c.Steps = append(c.Steps, step)
			return err
		}),
	}
}

// stepChanges are sentences that only "change" has.
func stepChanges() []form[setting] {
	return []form[setting]{
		ofCanary("step <count> <part>", "another step in the place of that one", func(c *v1alpha1.CanaryStrategy, g gaps) error {
			step, err := readStep(g[1])
			if err != nil {
				return err
			}
			return replaceStep(c, g.number(0), step)
		}),
		ofCanary("no step <count>", "that step goes, and the ones after it move up", func(c *v1alpha1.CanaryStrategy, g gaps) error {
			return replaceStep(c, g.number(0))
		}),
	}
}

// replaceStep puts steps in the place of one, which counts from 1.
func replaceStep(c *v1alpha1.CanaryStrategy, number int32, by ...v1alpha1.CanaryStep) error {
	if number < 1 || int(number) > len(c.Steps) {
		return fmt.Errorf("there is no step %d: write 1 to %d", number, len(c.Steps))
	}
	c.Steps = slices.Concat(c.Steps[:number-1], by, c.Steps[number:])
	return nil
}

// stepParts are the words of a step.
func stepParts() []form[func(*builder.StepBuilder)] {
	return []form[func(*builder.StepBuilder)]{
		{words: "weight <percent>", make: func(g gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { b.Weight(g.word(0)) }, nil
		}},
		{words: "replicas <count>", make: func(g gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { b.Replicas(g.number(0)) }, nil
		}},
		{words: "match <word>", make: func(g gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { setMatch(b, g.word(0)) }, nil
		}},
		{words: "mirror <count>", make: func(g gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { b.Mirror(g.number(0)) }, nil
		}},
		{words: "pause <duration>", make: func(g gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { b.Pause(g.duration()) }, nil
		}},
		{words: "experiment <count>", make: func(g gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { b.Experiment(g.number(0)) }, nil
		}},
		{words: "hold", make: func(gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { b.Hold() }, nil
		}},
		{words: "analysis", make: func(gaps) (func(*builder.StepBuilder), error) {
			return func(b *builder.StepBuilder) { b.Analysis(Template) }, nil
		}},
	}
}

// setMatch sends requests with a word in MatchHeader to the candidate; none takes them off.
func setMatch(b *builder.StepBuilder, word string) {
	if word == "none" {
		b.Header("", "")
		return
	}
	b.Header(MatchHeader, word)
}

func readStep(words []string) (v1alpha1.CanaryStep, error) {
	step := builder.Step()
	for len(words) > 0 {
		length := min(2, len(words))
		if words[0] == "hold" || words[0] == "analysis" {
			length = 1
		}
		add, _, err := read(stepParts(), words[:length])
		if err != nil {
			return v1alpha1.CanaryStep{}, fmt.Errorf("step: %w", err)
		}
		add(step)
		words = words[length:]
	}
	return step.Obj(), nil
}

func settingsOfBlueGreen() []form[setting] {
	return []form[setting]{
		ofBlueGreen("preview replicas <count>", "how many pods the candidate has before the switch", func(b *v1alpha1.BlueGreenStrategy, g gaps) {
			b.PreviewReplicas = ptr.To(g.number(0))
		}),
		ofBlueGreen("promote by hand", "the candidate waits for a person before the switch", func(b *v1alpha1.BlueGreenStrategy, _ gaps) {
			b.AutoPromote = ptr.To(false)
		}),
		ofBlueGreen("promote after <duration>", "the candidate waits so long before the switch", func(b *v1alpha1.BlueGreenStrategy, g gaps) {
			b.AutoPromoteAfter = &metav1.Duration{Duration: g.duration()}
		}),
		ofBlueGreen("analysis before the switch", "an analysis that must pass before", func(b *v1alpha1.BlueGreenStrategy, _ gaps) {
			b.PrePromotionAnalysis = builder.Analysis(Template)
		}),
		ofBlueGreen("analysis after the switch", "an analysis that must pass after, or the traffic goes back", func(b *v1alpha1.BlueGreenStrategy, _ gaps) {
			b.PostPromotionAnalysis = builder.Analysis(Template)
		}),
	}
}

// changed is a copy of a spec with a setting.
func changed(spec v1alpha1.RolloutSpec, words []string) (v1alpha1.RolloutSpec, error) {
	forms := slices.Concat(stepChanges(), settings())
	if len(words) > 1 && words[0] == "step" && !strings.ContainsAny(words[1], "0123456789") {
		forms = settings()
	}
	set, _, err := read(forms, words)
	if err != nil {
		return v1alpha1.RolloutSpec{}, err
	}
	out := *spec.DeepCopy()
	return out, set(&out)
}
