package alb

import (
	"testing"

	"github.com/sluice-dev/sluice/test/golden"
	"github.com/sluice-dev/sluice/test/golden/render"
	"github.com/sluice-dev/sluice/trafficrouting/routertest"
)

func TestMain(m *testing.M) { golden.Main(m) }

func TestGolden(t *testing.T) { render.Golden(t, Action{}) }

func TestReturns(t *testing.T) { render.Returns(t, Action{}) }

func TestConformance(t *testing.T) {
	routertest.RunObjects(t, routertest.Actions(), New, routertest.Features{Unreported: true})
}

// TestText holds that nothing of an action changes but the numbers that are weights, whatever else is in it.
func TestText(t *testing.T) {
	for name, tc := range map[string]struct {
		text    string
		weights map[int]int64
		want    string
	}{
		"spaces and unknown keys stay": {
			text:    ` { "future" : [ {"weight": 1} , "}" ], "type":"forward","forwardConfig":{"targetGroups":[ {"weight" : 100 ,"serviceName":"web" }, {"serviceName":"web-standby","weight":0}]} } `,
			weights: map[int]int64{0: 5, 1: 95},
			want:    ` { "future" : [ {"weight": 1} , "}" ], "type":"forward","forwardConfig":{"targetGroups":[ {"weight" : 5 ,"serviceName":"web" }, {"serviceName":"web-standby","weight":95}]} } `,
		},
		"the last one goes": {
			text:    `{"ForwardConfig":{"TargetGroups":[{"ServiceName":"web","Weight":80} , {"ServiceName":"web-standby","Weight":20}]},"Type":"forward"}`,
			weights: map[int]int64{0: 100},
			want:    `{"ForwardConfig":{"TargetGroups":[{"ServiceName":"web","Weight":100}]},"Type":"forward"}`,
		},
		"the first one goes": {
			text:    `{"forwardConfig":{"targetGroups":[{"serviceName":"web-standby","weight":20} , {"serviceName":"web","weight":80}]}}`,
			weights: map[int]int64{1: 100},
			want:    `{"forwardConfig":{"targetGroups":[{"serviceName":"web","weight":100}]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := parseAction(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.with(tc.weights); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// FuzzAction tries any text: it is read as what it is, or told of, and never breaks.
func FuzzAction(f *testing.F) {
	f.Add(`{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"web","servicePort":80,"weight":7}]}}`)
	f.Add(`[{}]`)
	f.Add(`{"forwardConfig":{"targetGroups":[1]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAction(text)
		if err != nil {
			return
		}
		same := map[int]int64{}
		for i, g := range a.groups {
			same[i] = g.weight
		}
		if got := a.with(same); got != text {
			t.Errorf("%q is written as %q", text, got)
		}
	})
}
