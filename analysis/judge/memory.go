package judge

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// memorySize is how many numbers a test remembers.
const memorySize = effects + 2 + passes + 8

// Memory is all that a test has seen, as text of some 600 characters. Together with the settings, which it does not hold,
// Restore makes the same test of it.
func (c *Counts) Memory() string {
	raw := make([]byte, 0, 8*memorySize)
	for _, v := range c.numbers() {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// numbers are what a test remembers, in an order that does not change.
func (c *Counts) numbers() []float64 {
	all := append([]float64{}, c.fail.mass[:]...)
	all = append(all, c.fail.reserve, float64(c.fail.left))
	all = append(all, c.pass.mass[:]...)
	return append(all, float64(c.batches), c.seen.Candidate.Bad, c.seen.Candidate.Total, c.seen.Stable.Bad, c.seen.Stable.Total,
		c.fail.log, c.over, c.under)
}

// Restore makes a test of settings and of what one with the same settings remembered. The error says that the text is no
// memory of a test.
func Restore(settings Settings, memory string) (*Counts, error) {
	c, err := NewCounts(settings)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(memory)
	if err != nil || len(raw) != 8*memorySize {
		return nil, errors.New("the memory of a test was changed by hand or cut off; begin another analysis")
	}
	numbers := make([]float64, memorySize)
	for i := range numbers {
		numbers[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		if math.IsNaN(numbers[i]) {
			return nil, errors.New("the memory of a test holds what is no number; begin another analysis")
		}
	}
	rest := numbers[copy(c.fail.mass[:], numbers):]
	c.fail.reserve, c.fail.left = rest[0], int(rest[1])
	rest = rest[2:]
	rest = rest[copy(c.pass.mass[:], rest):]
	c.batches = int(rest[0])
	c.seen = Batch{Candidate: Arm{Bad: rest[1], Total: rest[2]}, Stable: Arm{Bad: rest[3], Total: rest[4]}}
	c.fail.log, c.pass.log = rest[5], logSum(math.Inf(-1), c.pass.mass[:])
	c.over, c.under = rest[6], rest[7]
	return c, nil
}

// Memory is all that a test of latency has seen, as text: for each bound what it is, and the memory of its test.
func (l *Latency) Memory() string {
	parts := make([]string, 0, len(l.tests))
	for i, test := range l.tests {
		parts = append(parts, fmt.Sprintf("%v %v %s", l.bounds[i].At, l.bounds[i].Tail, test.Memory()))
	}
	return strings.Join(parts, ";")
}

// RestoreLatency makes a test of latency of the settings for each of its bounds and of what one with the same settings
// remembered. The error says that the text is no memory of a test.
func RestoreLatency(settings func(Bound) Settings, memory string) (*Latency, error) {
	l := &Latency{}
	parts := strings.Split(memory, ";")
	for _, part := range parts {
		var bound Bound
		var rest string
		if _, err := fmt.Sscan(part, &bound.At, &bound.Tail, &rest); err != nil {
			return nil, errors.New("the memory of a test of latency was changed by hand or cut off; begin another analysis")
		}
		test, err := Restore(settings(bound).part(len(parts)), rest)
		if err != nil {
			return nil, err
		}
		l.bounds, l.tests = append(l.bounds, bound), append(l.tests, test)
	}
	return l, nil
}
