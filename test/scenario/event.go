package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// story reads the lines after the set-up. It knows the spec of the moment, which changes build upon.
type story struct {
	spec v1alpha1.RolloutSpec
}

// plain makes a form of an event that has no gaps that need a look.
func plain(words, about string, need Need, event func(gaps) Event) form[Line] {
	return form[Line]{words: words, about: about, need: need, make: func(g gaps) (Line, error) {
		return Line{Kind: Happens, Event: event(g)}, nil
	}}
}

// conditional makes a form of a line with a condition.
func conditional(kind LineKind, about string) form[Line] {
	return form[Line]{words: string(kind) + " <condition>", about: about, make: func(g gaps) (Line, error) {
		condition, _, err := read(conditions(), g[0])
		condition.Text = strings.Join(g[0], " ")
		return Line{Kind: kind, Condition: condition}, err
	}}
}

// lines are the sentences of the story.
func (s *story) lines() []form[Line] {
	return slices.Concat(checks(), s.edits(), accidents())
}

func checks() []form[Line] {
	return []form[Line]{
		conditional(Until, "waits until it is so, as long as it takes"),
		conditional(Expect, "it is so by now: at once, or when what can happen without time passing has happened"),
		conditional(Always, "it is so now and at every moment from here to the end"),
		conditional(Never, "it is not so now nor at any moment from here to the end"),
		{words: "time passes <duration>", about: "so much time passes; more than 5s in all needs a clock", make: func(g gaps) (Line, error) {
			return Line{Kind: Passes, Duration: g.duration()}, nil
		}},
		{words: "note", about: "remembers the pods and the release of this moment, for conditions that compare", make: func(gaps) (Line, error) {
			return Line{Kind: Notes}, nil
		}},
	}
}

// edits are what a user of the Rollout does.
func (s *story) edits() []form[Line] {
	return []form[Line]{
		plain("release <version>", "the template becomes that of the version; the first time, the Rollout is created", "", func(g gaps) Event {
			return Event{Kind: Release, Version: g.word(0), Spec: s.spec}
		}),
		plain("release <version> with a wrong template", "one that the API server lets no ReplicaSet have", NeedValidation, func(g gaps) Event {
			return Event{Kind: ReleaseWrong, Version: g.word(0), Spec: s.spec}
		}),
		plain("command <action>", "for the revision under release, or the aborted one, or else for stable", "", func(g gaps) Event {
			return Event{Kind: Command, Action: g.word(0)}
		}),
		plain("command <action> of <version>", "for that revision", "", func(g gaps) Event {
			return Event{Kind: Command, Action: g.word(0), Version: g.word(1)}
		}),
		s.change("scale <count>", "spec.replicas becomes the number", func(g gaps) []string { return []string{"replicas", g.word(0)} }),
		{words: "pause", about: "spec.paused holds the release", make: func(gaps) (Line, error) { return s.pause(true), nil }},
		{words: "resume", about: "spec.paused goes", make: func(gaps) (Line, error) { return s.pause(false), nil }},
		s.change("change <setting>", "the spec as one of the set-up's sentences says, or `step 2 …` for another step in the place of that one, or `no step 2`",
			func(g gaps) []string { return g[0] }),
	}
}

func (s *story) change(words, about string, setting func(gaps) []string) form[Line] {
	return form[Line]{words: words, about: about, make: func(g gaps) (Line, error) {
		spec, err := changed(s.spec, setting(g))
		if err != nil {
			return Line{}, err
		}
		s.spec = spec
		return Line{Kind: Happens, Event: Event{Kind: Change, Spec: spec}}, nil
	}}
}

func (s *story) pause(paused bool) Line {
	s.spec = *s.spec.DeepCopy()
	s.spec.Paused = paused
	return Line{Kind: Happens, Event: Event{Kind: Change, Spec: s.spec}}
}

// accidents are what others do.
func accidents() []form[Line] {
	verdict := func(words string, phase v1alpha1.AnalysisPhase) form[Line] {
		return plain(words, "so do analyses from here on; before, they have no data and go on", NeedVerdicts, func(gaps) Event {
			return Event{Kind: Verdict, Phase: phase}
		})
	}
	pods := func(words, about string, need Need, kind EventKind) form[Line] {
		return plain(words, about, need, func(g gaps) Event { return Event{Kind: kind, Version: g.word(0)} })
	}
	simple := func(words, about string, need Need, kind EventKind) form[Line] {
		return plain(words, about, need, func(gaps) Event { return Event{Kind: kind} })
	}
	return []form[Line]{
		verdict("analysis passes", v1alpha1.AnalysisPassed),
		verdict("analysis fails", v1alpha1.AnalysisFailed),
		verdict("analysis is inconclusive", v1alpha1.AnalysisInconclusive),
		pods("pods of <version> never become ready", "those that start from here on", NeedPods, Unready),
		pods("pods of <version> become ready", "after all, those that are there too", NeedPods, Ready),
		pods("a pod of <version> dies", "one of its pods is deleted", "", KillOne),
		pods("all pods of <version> die", "all of them are deleted", "", KillAll),
		simple("delete Rollout without its pods", "as kubectl does with --cascade=orphan", "", Abandon),
		plain("ConfigMap says <word>", "its content changes", "", func(g gaps) Event { return Event{Kind: Say, Word: g.word(0)} }),
		existence("delete <object>", "somebody deletes it", Delete),
		existence("create <object>", "somebody makes it as it was", Create),
		plain("somebody writes weight <percent>", "into the route, for the standby Service", "", func(g gaps) Event {
			return Event{Kind: WriteWeight, Number: g.number(0)}
		}),
		simple("somebody puts the route back", "writes it as it was before the first release", "", PutBack),
		plain("somebody points the active Service at <version>", "and at no other", "", func(g gaps) Event {
			return Event{Kind: Repoint, Object: Object{Kind: ActiveService}, Version: g.word(0)}
		}),
		plain("somebody scales the ReplicaSet of <version> to <count>", "past the Rollout", "", func(g gaps) Event {
			return Event{Kind: Resize, Object: Object{Kind: ReplicaSet, Version: g.word(0)}, Number: g.number(1)}
		}),
		pods("a stranger has the name of <version>", "that its ReplicaSet would get", "", Occupy),
		simple("gateway refuses the route", "whatever is in it", NeedGateway, Refuse),
		simple("gateway accepts the route", "again", NeedGateway, Accept),
		simple("controller stops", "at once", NeedController, Stop),
		simple("controller starts", "again, and knows nothing but what is in the API", NeedController, Start),
	}
}

func existence(words, about string, kind EventKind) form[Line] {
	return form[Line]{words: words, about: about, make: func(g gaps) (Line, error) {
		object, err := readObject(g[0])
		if err == nil && kind == Create && !slices.Contains([]ObjectKind{ActiveService, Route, AnalysisTemplate}, object.Kind) {
			err = fmt.Errorf("nobody creates the %s by hand: write active Service, route or AnalysisTemplate", object.Kind)
		}
		return Line{Kind: Happens, Event: Event{Kind: kind, Object: object}}, err
	}}
}

// objectForms are the names of objects.
func objectForms() []form[Object] {
	forms := []form[Object]{{words: string(ReplicaSet) + " of <version>", make: func(g gaps) (Object, error) {
		return Object{Kind: ReplicaSet, Version: g.word(0)}, nil
	}}}
	for _, kind := range []ObjectKind{ActiveService, StandbyService, BaselineService, Route, AnalysisTemplate, AnalysisRun, Deployment, Rollout} {
		forms = append(forms, form[Object]{words: string(kind), make: func(gaps) (Object, error) { return Object{Kind: kind}, nil }})
	}
	return forms
}

func readObject(words []string) (Object, error) {
	object, _, err := read(objectForms(), words)
	return object, err
}
