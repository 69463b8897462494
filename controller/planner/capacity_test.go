package planner

import "testing"

func TestNeed(t *testing.T) {
	for name, row := range map[string]struct{ replicas, share, want int32 }{
		"no traffic needs no pod":             {10, 0, 0},
		"the least share needs one":           {10, 1, 1},
		"a share is rounded up":               {10, 201, 3},
		"a whole share is not":                {10, 200, 2},
		"all traffic needs all":               {10, 1000, 10},
		"one replica carries any share":       {1, 5, 1},
		"no replicas need nothing":            {0, 1000, 0},
		"many replicas do not overflow int32": {2_000_000_000, 1000, 2_000_000_000},
	} {
		if got := need(row.replicas, row.share); got != row.want {
			t.Errorf("%s: need(%d, %d) = %d, want %d", name, row.replicas, row.share, got, row.want)
		}
	}
}

func TestNeedsAtTheLeast(t *testing.T) {
	for name, row := range map[string]struct{ replicas, min, share, want int32 }{
		"no traffic needs no pod":           {10, 3, 0, 0},
		"a small share needs the least":     {10, 3, 10, 3},
		"a larger one what it needs":        {10, 3, 500, 5},
		"never more than there are":         {2, 3, 500, 2},
		"no replicas need nothing":          {0, 3, 500, 0},
		"without a least it is the share's": {10, 0, 10, 1},
	} {
		if got := (Spec{Replicas: row.replicas, MinPods: row.min}).needs(row.share); got != row.want {
			t.Errorf("%s: needs %d, want %d", name, got, row.want)
		}
	}
}

func TestCarriesIsTheInverseOfNeed(t *testing.T) {
	for replicas := int32(1); replicas <= 12; replicas++ {
		for ready := range replicas + 2 {
			share := carries(replicas, ready)
			if need(replicas, share) > ready {
				t.Errorf("%d of %d ready pods carry %d, which needs %d", ready, replicas, share, need(replicas, share))
			}
			if share < FullWeight && need(replicas, share+1) <= ready {
				t.Errorf("%d of %d ready pods carry more than %d", ready, replicas, share)
			}
		}
	}
}

func TestRatio(t *testing.T) {
	for name, row := range map[string]struct {
		replicas, weight, surge int32
		want                    sizes
	}{
		"a tenth of ten":                          {10, 100, 0, sizes{9, 1}},
		"a third of ten":                          {10, 330, 0, sizes{7, 3}},
		"nothing":                                 {10, 0, 3, sizes{10, 0}},
		"everything":                              {10, 1000, 3, sizes{0, 10}},
		"never nobody below 100 %":                {10, 990, 0, sizes{1, 9}},
		"never no candidate above 0 %":            {10, 1, 0, sizes{9, 1}},
		"half of one, with a pod to spare":        {1, 500, 1, sizes{1, 1}},
		"half of one, with none":                  {1, 500, 0, sizes{0, 1}},
		"half of three, with a pod to spare":      {3, 500, 1, sizes{2, 2}},
		"no more pods than needed for the same":   {4, 500, 1, sizes{2, 2}},
		"a quarter of three, with a pod to spare": {3, 250, 1, sizes{3, 1}},
		"no replicas":                             {0, 500, 1, sizes{}},
	} {
		if got := ratio(row.replicas, row.weight, row.surge); got != row.want {
			t.Errorf("%s: ratio(%d, %d, %d) = %+v, want %+v", name, row.replicas, row.weight, row.surge, got, row.want)
		}
	}
}

func TestWhatAStepRequires(t *testing.T) {
	for name, row := range map[string]struct {
		replicas int32
		step     Step
		want     int32
	}{
		"what the weight needs":             {10, Step{Weight: 250, Replicas: WhatTheWeightNeeds}, 3},
		"all":                               {10, Step{Weight: 0, Replicas: AllReplicas}, 10},
		"a number":                          {10, Step{Weight: 500, Replicas: 2}, 2},
		"a number without traffic":          {10, Step{Replicas: 2}, 2},
		"none without traffic":              {10, Step{}, 0},
		"one at the least where traffic is": {10, Step{Weight: 1}, 1},
		"a number, scaled to none":          {0, Step{Weight: 500, Replicas: 2}, 0},
	} {
		p := pass{Snapshot: Snapshot{Spec: Spec{Replicas: row.replicas}}}
		if got := p.requires(row.step); got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
}
