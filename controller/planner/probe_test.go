package planner

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-dev/sluice/api/v1alpha1"
)

// unprobed is a canary whose first step has its traffic, and asks for a probe of it before its gates.
func unprobed(change func(*Snapshot)) Snapshot {
	return with(canary(Gate{Kind: AnalysisGate, Name: "step-1"}), func(s *Snapshot) {
		s.Spec.Steps[0].Probe = 200
		s.State.GatesAt = metav1.MicroTime{}
		change(s)
	})
}

// probeOf is a probe of the traffic of that step.
func probeOf(change func(*Probe)) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Probe = &Probe{Of: Probed{Attempt: 2, Weight: 250, Since: s.State.ShiftedAt.Time}, EndedAt: noon(), Message: "31 of 200 answers"}
		change(s.Probe)
	}
}

func TestGatesWaitForAProbe(t *testing.T) {
	const ask, begin = "probe whether v2 answers 25% of 200 requests", "start analysis step-1 of v2"
	confirmed := func(p *Probe) { p.Confirmed = true }
	failed := func(n int32, ago time.Duration) func(*Snapshot) {
		return probeOf(func(p *Probe) { p.Failed, p.EndedAt = n, noon().Add(-ago) })
	}
	both := func(changes ...func(*Snapshot)) Snapshot {
		return unprobed(func(s *Snapshot) {
			for _, change := range changes {
				change(s)
			}
		})
	}
	holdOutcomes(t, map[string]outcome{
		"it is asked for":                       {unprobed(func(*Snapshot) {}), ask},
		"not where the spec asks for none":      {unprobed(func(s *Snapshot) { s.Spec.Steps[0].Probe = 0 }), begin},
		"not before the settle time is over":    {unprobed(func(s *Snapshot) { s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-time.Second)) }), ""},
		"not before gateways have accepted it":  {unprobed(func(s *Snapshot) { s.Route.Accepted = false }), ""},
		"not while spec.paused holds":           {unprobed(func(s *Snapshot) { s.Spec.Paused = true }), ""},
		"not while a problem holds":             {unprobed(func(s *Snapshot) { s.Problems = []Problem{{Reason: v1alpha1.ReasonRouteUnusable, Message: "x"}} }), ""},
		"it is waited for":                      {both(probeOf(func(p *Probe) { p.Running = true })), ""},
		"what is confirmed begins the gates":    {both(probeOf(confirmed)), begin},
		"also when that was read with a zone":   {both(probeOf(confirmed), func(s *Snapshot) { s.Probe.Of.Since = s.Probe.Of.Since.In(time.FixedZone("", 3600)) }), begin},
		"not of another attempt":                {both(probeOf(confirmed), func(s *Snapshot) { s.Probe.Of.Attempt = 1 }), ask},
		"nor of another step":                   {both(probeOf(confirmed), func(s *Snapshot) { s.Probe.Of.Step = 1 }), ask},
		"nor of another round":                  {both(probeOf(confirmed), func(s *Snapshot) { s.State.Round = 1 }), ask},
		"nor of another weight":                 {both(probeOf(confirmed), func(s *Snapshot) { s.Probe.Of.Weight = 240 }), ask},
		"nor of other matches":                  {both(probeOf(confirmed), func(s *Snapshot) { s.Probe.Of.Overlay = 1 }), ask},
		"nor of before the last write":          {both(probeOf(confirmed), func(s *Snapshot) { s.Probe.Of.Since = noon().Add(-time.Hour) }), ask},
		"nor of another, while it is asked for": {both(probeOf(func(p *Probe) { p.Running = true }), func(s *Snapshot) { s.Probe.Of.Attempt = 1 }), ask},
		"after a first failure it waits":        {both(failed(1, 4*time.Second)), ""},
		"and is asked again":                    {both(failed(1, 5*time.Second)), ask},
		"later after a second":                  {both(failed(2, 5*time.Second)), ""},
		"which is twice as long":                {both(failed(2, 10*time.Second)), ask},
		"and no longer than five minutes":       {both(failed(50, 5*time.Minute)), ask},
		"but that":                              {both(failed(50, 299*time.Second)), ""},
		"a person lets it go on without":        {both(failed(9, time.Second), func(s *Snapshot) { s.State.PromotedAt = metav1.NewMicroTime(noon()) }), begin},
		"gates that have begun ask for none":    {both(func(s *Snapshot) { s.State.GatesAt = metav1.NewMicroTime(noon()) }), begin},
		"an abort is not held up": {both(failed(9, time.Second), func(s *Snapshot) {
			s.Command = v1alpha1.Command{ID: "1", Action: v1alpha1.ActionAbort, Revision: "v2"}
		}), "set the weight of standby to 0%"},
		"nor the way back": {both(failed(9, time.Second), func(s *Snapshot) { s.Target = "v1" }), "set the weight of standby to 0%"},
		"nor a rescue":     {both(failed(9, time.Second), func(s *Snapshot) { s.Standby.Endpoints = nil }), "set the weight of standby to 0%"},
		"nor promote-full": {both(failed(9, time.Second), func(s *Snapshot) {
			s.Command = v1alpha1.Command{ID: "1", Action: v1alpha1.ActionPromoteFull, Revision: "v2"}
		}), "scale v2 to 4 pods"},
	})
}

// tells is a snapshot of a Rollout that has told people of a share that is not confirmed.
func tells(message string, change func(*Snapshot)) func(*Snapshot) {
	return func(s *Snapshot) {
		s.LastReason, s.LastMessage = v1alpha1.ReasonShareNotConfirmed, message
		change(s)
	}
}

func TestWhatIsSaidOfAProbe(t *testing.T) {
	const told = "step 1/2: probe: 9 of 200 answers; it is tried again, or let a person promote the step"
	for name, row := range map[string]struct {
		probe                   func(*Snapshot)
		reason, message, events string
		stalled                 bool
	}{
		"asked": {func(*Snapshot) {}, v1alpha1.ReasonConfirmingShare, "step 1/2: weight 25% is in place; a probe of 200 requests is to confirm it", "", false},
		"under way": {
			probeOf(func(p *Probe) { p.Running, p.Message = true, "" }), v1alpha1.ReasonConfirmingShare,
			"step 1/2: weight 25% is in place; a probe of 200 requests is to confirm it", "", false,
		},
		"not confirmed": {
			probeOf(func(p *Probe) { p.Failed = 1 }), v1alpha1.ReasonShareNotConfirmed,
			"step 1/2: probe: 31 of 200 answers; it is tried again, or let a person promote the step", "ShareNotConfirmed", false,
		},
		"asked again": {
			probeOf(func(p *Probe) { p.Failed, p.Running = 1, true }), v1alpha1.ReasonShareNotConfirmed,
			"step 1/2: probe: 31 of 200 answers; it is tried again, or let a person promote the step", "ShareNotConfirmed", false,
		},
		"for long": {
			func(s *Snapshot) {
				s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-32 * time.Second))
				probeOf(func(p *Probe) { p.Failed = 1 })(s)
			}, v1alpha1.ReasonShareNotConfirmed,
			"step 1/2: probe: 31 of 200 answers; it is tried again, or let a person promote the step", "ShareNotConfirmed", true,
		},
		"told by who led before": {tells(told, func(*Snapshot) {}), v1alpha1.ReasonShareNotConfirmed, told, "", false},
		"told by who leads too": {
			tells(told, probeOf(func(p *Probe) { p.Failed, p.EndedAt = 1, noon().Add(-time.Second) })), v1alpha1.ReasonShareNotConfirmed, told, "", false,
		},
		"found since": {
			tells(told, probeOf(func(p *Probe) { p.Failed = 1 })), v1alpha1.ReasonShareNotConfirmed,
			"step 1/2: probe: 31 of 200 answers; it is tried again, or let a person promote the step", "", false,
		},
		"told of another step": {
			tells(strings.Replace(told, "1/2", "2/2", 1), func(*Snapshot) {}), v1alpha1.ReasonConfirmingShare,
			"step 1/2: weight 25% is in place; a probe of 200 requests is to confirm it", "", false,
		},
		"confirmed": {probeOf(func(p *Probe) { p.Confirmed = true }), v1alpha1.ReasonWaitingForAnalysis, "step 1/2: analysis step-1 begins", "ShareConfirmed", false},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Next(unprobed(func(s *Snapshot) {
				s.State.ShiftedAt = metav1.NewMicroTime(noon().Add(-10 * time.Second))
				row.probe(s)
			}))
			if plan.Why.Reason != row.reason || plan.Why.Message != row.message || plan.Stalled != row.stalled {
				t.Errorf("says %s, stalled %t: %q; want %s, %t: %q", plan.Why.Reason, plan.Stalled, plan.Why.Message, row.reason, row.stalled, row.message)
			}
			var events []string
			for _, e := range plan.Events {
				events = append(events, e.Reason)
			}
			if got := strings.Join(events, " "); got != row.events {
				t.Errorf("events %q, want %q", got, row.events)
			}
			if !plan.State.ProgressAt.IsZero() {
				t.Error("the deadline runs: a probe must not abort")
			}
		})
	}
}

// TestAProbeNeverAborts holds that a share which is not confirmed for longer than the deadline only holds.
func TestAProbeNeverAborts(t *testing.T) {
	s := unprobed(probeOf(func(p *Probe) { p.Failed = 1 }))
	for range 100 {
		s.Now = s.Now.Add(s.Spec.Deadline)
		plan := Next(s)
		if plan.State.Stage != v1alpha1.StageStepping || !plan.State.GatesAt.IsZero() {
			t.Fatalf("stage %s, gates at %s", plan.State.Stage, plan.State.GatesAt)
		}
		s.State = plan.State
		s.Probe.Failed, s.Probe.EndedAt = s.Probe.Failed+1, s.Now
	}
}

func TestAStepThatWaitsForAProbeCanBePromoted(t *testing.T) {
	s := unprobed(probeOf(func(p *Probe) { p.Failed = 1 }))
	s.Command = v1alpha1.Command{ID: "1", Action: v1alpha1.ActionPromote, Revision: "v2"}
	if plan := Next(s); plan.Command == nil || !plan.Command.Accepted || plan.State.GatesAt.IsZero() {
		t.Errorf("answered %+v, gates at %s", plan.Command, plan.State.GatesAt)
	}
	s.Spec.Steps[0].Probe = 0
	if plan := Next(s); plan.Command.Accepted {
		t.Error("without a probe there is nothing for a person to open")
	}
}

func TestCompileAProbe(t *testing.T) {
	weights := []v1alpha1.CanaryStep{{Weight: new(intstr.FromInt32(0))}, {Weight: new(intstr.FromInt32(1))}, {Weight: new(intstr.FromInt32(50))}}
	for name, row := range map[string]struct {
		traffic *v1alpha1.Traffic
		want    []int32
	}{
		"none":       {&v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{}}, []int32{0, 0, 0}},
		"as many":    {&v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{}, Probe: &v1alpha1.TrafficProbe{Requests: 50}}, []int32{50, 50, 50}},
		"as it says": {&v1alpha1.Traffic{GatewayAPI: &v1alpha1.GatewayAPITraffic{}, Probe: &v1alpha1.TrafficProbe{}}, []int32{200, 757, 200}},
	} {
		spec := &v1alpha1.RolloutSpec{
			Services: &v1alpha1.Services{Active: "web"}, Traffic: row.traffic,
			Strategy: v1alpha1.Strategy{Canary: &v1alpha1.CanaryStrategy{Steps: weights}},
		}
		compiled, err := Compile(spec, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []int32
		for _, step := range compiled.Steps {
			got = append(got, step.Probe)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}
