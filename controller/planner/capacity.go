package planner

import "github.com/sluice-dev/sluice/api/v1alpha1"

// need is the number of pods that carry a share of the traffic of a Rollout: ceil(replicas × share / 1000), and so at
// least 1 for any share above 0 of at least one replica. The share is in tenths of a percent.
func need(replicas, share int32) int32 {
	return int32((int64(replicas)*int64(share) + int64(FullWeight) - 1) / int64(FullWeight))
}

// needs is need for this spec, which may ask for more pods of a revision that has traffic at all.
func (s Spec) needs(share int32) int32 {
	if share <= 0 {
		return 0
	}
	return max(need(s.Replicas, share), min(s.MinPods, s.Replicas))
}

// carries is the largest share, in tenths of a percent, for which so many pods are enough.
func carries(replicas, ready int32) int32 {
	if replicas == 0 {
		return FullWeight
	}
	return int32(min(int64(FullWeight), int64(FullWeight)*int64(ready)/int64(replicas)))
}

// requires is the number of candidate pods that a step asks for: where there is traffic at least one, and at least
// MinPods, whatever the step says; and none where there are no replicas. How many requests match nobody knows: they count
// as a share that is more than none.
func (p *pass) requires(step Step) int32 {
	share := step.Weight
	if step.Overlay != v1alpha1.NoOverlay {
		share = max(share, 1)
	}
	switch {
	case step.Replicas == AllReplicas:
		return p.Spec.Replicas
	case step.Replicas == WhatTheWeightNeeds || p.Spec.Replicas == 0:
		return p.Spec.needs(share)
	case share == 0:
		return step.Replicas
	}
	return max(step.Replicas, 1, min(p.Spec.MinPods, p.Spec.Replicas))
}

// sizes are wanted numbers of pods of the two revisions; every other revision is wanted at 0.
type sizes struct {
	stable, candidate int32
}

// ratio shares pods between two revisions behind one Service so that the candidate's share comes nearest to weight.
// Where a pod more than replicas is allowed, replicas + 1 is tried as well: 1 replica at 50 % is 1 and 1. For a weight
// between 0 and 100 % the candidate has at least one pod, and so has stable as soon as there are two.
func ratio(replicas, weight, surge int32) sizes {
	switch {
	case weight <= 0:
		return sizes{stable: replicas}
	case weight >= FullWeight || replicas == 0:
		return sizes{candidate: replicas}
	}
	best := split(replicas, weight)
	if surge > 0 {
		if more := split(replicas+1, weight); nearer(more, best, weight) {
			best = more
		}
	}
	return best
}

// split shares a total number of pods.
func split(total, weight int32) sizes {
	candidate := int32((int64(total)*int64(weight) + int64(FullWeight)/2) / int64(FullWeight))
	candidate = max(1, min(candidate, total-1))
	return sizes{stable: total - candidate, candidate: candidate}
}

// nearer says whether a comes strictly nearer to the weight than b: |cₐ/tₐ − w| < |c_b/t_b − w|, without fractions.
func nearer(a, b sizes, weight int32) bool {
	ta, tb := int64(a.stable+a.candidate), int64(b.stable+b.candidate)
	missA := abs(int64(a.candidate)*int64(FullWeight) - int64(weight)*ta)
	missB := abs(int64(b.candidate)*int64(FullWeight) - int64(weight)*tb)
	return missA*tb < missB*ta
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
