package judge

import (
	"fmt"
	"math"
)

// boldest is the part of its evidence that Mean stakes at most.
const boldest = 0.5

// Mean tests whether the mean of values between 0 and 1 exceeds a limit, by betting: each value multiplies the evidence by
// 1 + λ·(z − limit), where λ comes from the values before it. It is valid as long as no value can be expected to exceed
// the limit given those before. Gauges such as memory or queue lengths break that, since what is high stays high: compare
// means per pod, with a margin of what stable pods differ by, and let nothing but a warning hang on it.
//
// Source: Waudby-Smith and Ramdas, with the plug-in bet and at most half at stake.
type Mean struct {
	limit  float64
	n      float64
	sum    float64
	square float64 // Σ (z − μ̂)², each with the mean of its time
	log    float64
}

// NewMean begins a test against a limit between 0 and 1, both excluded.
func NewMean(limit float64) (*Mean, error) {
	if !(limit > 0 && limit < 1) {
		return nil, fmt.Errorf("limit is %v: write a number between 0 and 1, on the scale of the values", limit)
	}
	return &Mean{limit: limit}, nil
}

// Observe takes in one value between 0 and 1. The error says that it is none; then nothing has changed.
func (m *Mean) Observe(z float64) error {
	if !(z >= 0 && z <= 1) {
		return fmt.Errorf("the value is %v: it must be between 0 and 1; divide by the range that the metric has", z)
	}
	m.log += math.Log1p(m.bet() * (z - m.limit))
	m.sum += z
	m.n++
	m.square += math.Pow(z-m.mean(), 2)
	return nil
}

// mean of the values, with one half before the first.
func (m *Mean) mean() float64 { return (0.5 + m.sum) / (m.n + 1) }

// bet is what the values so far suggest to stake on the next one.
func (m *Mean) bet() float64 {
	gap := m.mean() - m.limit
	variance := (0.25 + m.square) / (m.n + 1)
	return min(max(gap/(variance+gap*gap), 0), boldest/m.limit)
}

// Fail is the logarithm of the evidence that the mean exceeds the limit.
func (m *Mean) Fail() float64 { return m.log }
