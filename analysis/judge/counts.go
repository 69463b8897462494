package judge

import "math"

const (
	effects     = 32   // values of g that are mixed
	leastEffect = 1.25 // times what is tolerated
	mostEffect  = 32
	passes      = 12 // values of A < 1 that are mixed
)

// Counts tests counts of bad requests, batch by batch. It is not safe for concurrent use. The zero value is of no use.
type Counts struct {
	settings Settings
	seen     Batch
	over     float64 // the sums of Ratio
	under    float64
	batches  int
	fail     harm
	pass     harmless
}

// NewCounts begins a test, in the first step. The error says what is wrong with the settings.
func NewCounts(settings Settings) (*Counts, error) {
	if err := settings.Check(); err != nil {
		return nil, err
	}
	c := &Counts{settings: settings}
	c.fail = newHarm(settings.Steps)
	c.pass = newHarmless()
	return c, nil
}

// Observe takes in one batch. The error says why its numbers can be no counts; then nothing has changed. A batch in which
// a side had no requests adds what it can: nothing to a comparison.
func (c *Counts) Observe(b Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	c.seen = c.seen.Plus(b)
	over, under := weighed(b)
	c.over, c.under = c.over+over, c.under+under
	c.batches++
	c.fail.observe(b, c.settings)
	c.pass.observe(b, c.settings)
	return nil
}

// Step begins the next step: harm may begin here, and a pass is shown anew.
func (c *Counts) Step() {
	c.fail.step()
	c.pass = newHarmless()
}

// Fail is the logarithm of the evidence that the candidate does harm. It has failed for good once this reaches
// Settings.FailAt.
func (c *Counts) Fail() float64 { return c.fail.log }

// Pass is the logarithm of the evidence that the candidate did no harm in this step. It passes once this reaches
// Settings.PassAt.
func (c *Counts) Pass() float64 { return c.pass.log }

// Seen is the sum of all batches.
func (c *Counts) Seen() Batch { return c.seen }

// Ratio is that of all batches, as the function Ratio has it.
func (c *Counts) Ratio() float64 { return c.over / c.under }

// Since is the sum of all batches since an earlier state of the same test, and their ratio; nil is the beginning.
func (c *Counts) Since(before *Counts) (Batch, float64) {
	if before == nil {
		return c.seen, c.Ratio()
	}
	return c.seen.minus(before.seen), (c.over - before.over) / (c.under - before.under)
}

// Batches is how many were observed.
func (c *Counts) Batches() int { return c.batches }

// Settings of the test.
func (c *Counts) Settings() Settings { return c.settings }

// harm is the evidence for harm. A step that has not begun is part of reserve, with all of its weight; one that has is
// spread over the effects. Evidence since step k for effect j is M_j(now) / M_j(k), so that the sum over all steps needs
// one number per effect, to which a step adds its weight when it begins.
type harm struct {
	effect  [effects]float64 // g − 1
	logG    [effects]float64 // natural logarithm of g
	mass    [effects]float64 // natural logarithms
	reserve float64          // natural logarithm; −∞ when all steps have begun
	left    int              // steps that have not begun
	share   float64          // natural logarithm of the weight of one step
	log     float64          // of all evidence
}

// newHarm begins with the first of so many steps.
func newHarm(steps int) harm {
	steps = max(steps, 1)
	h := harm{left: steps - 1, share: -math.Log(float64(steps)), reserve: math.Log(float64(steps-1) / float64(steps))}
	for j := range h.effect {
		g := leastEffect * math.Pow(mostEffect/leastEffect, float64(j)/(effects-1))
		h.effect[j], h.logG[j] = g-1, math.Log(g)
		h.mass[j] = h.share - math.Log(effects)
	}
	return h
}

// step moves the weight of one step from the reserve to the effects. What a cap took is gone from the reserve as well, so
// that the step begins with less: the sum stays what it was.
func (h *harm) step() {
	if h.left == 0 {
		return
	}
	begins := h.reserve - math.Log(float64(h.left)) - math.Log(effects)
	for j := range h.mass {
		h.mass[j] = logAdd(h.mass[j], begins)
	}
	h.left--
	h.reserve += math.Log(float64(h.left) / float64(h.left+1))
}

// observe multiplies each effect by its factor of the batch: log L = x·log g + (x+y)·log B − (A−1)·δ·c, where
// B = 1/(1+(g−1)·w) and A = g·B for the share w that the candidate has of all that the margin weighs.
func (h *harm) observe(b Batch, settings Settings) {
	margin := settings.Fail
	if !tells(b, margin) {
		return
	}
	h.multiply(b, margin, settings.Dispersion)
	h.settle(b, settings)
}

// multiply raises or lowers each effect, and leaves the sum to settle.
func (h *harm) multiply(b Batch, margin Margin, dispersion float64) {
	x, c, n := b.Candidate.Bad, b.Candidate.Total, b.Candidate.Bad+b.Stable.Bad
	w := share(margin.Relative, c, b.Stable.Total)
	if w == 0 { // an objective: stable has no part in it
		n = x
	}
	for j := range h.mass {
		d := h.effect[j] * w
		above := h.effect[j] * (1 - w) / (1 + d) // A − 1
		gain := -above * margin.Absolute * c
		if n > 0 {
			gain += x*h.logG[j] - n*log1p(d)
		}
		h.mass[j] += gain / dispersion
	}
}

// share is the part of the weighted requests that the candidate's are.
func share(relative, c, s float64) float64 {
	if relative == 0 {
		return 0
	}
	return relative * c / (relative*c + s)
}

// settle sums the evidence up, and takes away what a single batch gained beyond the cap.
func (h *harm) settle(b Batch, settings Settings) {
	log := logSum(h.reserve, h.mass[:])
	if surplus := log - h.log - settings.cap(); surplus > 0 && !b.glaring() {
		for j := range h.mass {
			h.mass[j] -= surplus
		}
		h.reserve -= surplus
		log -= surplus
	}
	h.log = log
}

// harmless is the evidence that a candidate stays below the margin for a pass.
type harmless struct {
	mass [passes]float64 // natural logarithms
	log  float64
}

func newHarmless() harmless {
	h := harmless{}
	for j := range h.mass {
		h.mass[j] = -math.Log(passes)
	}
	return h
}

// passGrid are the values of A that are mixed: few and small ones find candidates without any error fast, and those near
// 1 find what is just below the margin.
func passGrid() [passes]float64 {
	return [passes]float64{0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
}

// observe multiplies each A by its factor of the batch: log L = x·log A + y·log(1 + (1−A)·ρ·c/s) + (1−A)·δ·c.
func (h *harmless) observe(b Batch, settings Settings) {
	margin := settings.Pass
	if !tells(b, margin) {
		return
	}
	h.multiply(b, margin, settings.Dispersion)
	h.log = logSum(math.Inf(-1), h.mass[:])
}

// multiply raises or lowers each A, and leaves the sum to the caller.
func (h *harmless) multiply(b Batch, margin Margin, dispersion float64) {
	x, c, y := b.Candidate.Bad, b.Candidate.Total, b.Stable.Bad
	weight := 0.0
	if margin.Relative > 0 {
		weight = margin.Relative * c / b.Stable.Total
	}
	for j, a := range passGrid() {
		gain := (1 - a) * margin.Absolute * c
		if x > 0 {
			gain += x * math.Log(a)
		}
		if y > 0 { // a share of stable that is next to nothing makes weight infinite
			gain += y * log1p((1-a)*weight)
		}
		h.mass[j] += gain / dispersion
	}
}

// tells says whether a batch says anything about a margin: both sides were asked, or the one that an objective needs.
func tells(b Batch, margin Margin) bool {
	return b.Candidate.Total > 0 && (b.Stable.Total > 0 || margin.Relative == 0)
}

// negligible is the logarithm of a part of a sum that its 53 bits cannot hold: 4e-18. After some minutes most effects are
// refuted so far that they are.
const negligible = -40

// logSum is the logarithm of the sum of exp(first) and exp of all others.
func logSum(first float64, others []float64) float64 {
	top := first
	for _, v := range others {
		top = max(top, v)
	}
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	if first-top > negligible {
		sum = math.Exp(first - top)
	}
	for _, v := range others {
		if v-top > negligible {
			sum += math.Exp(v - top)
		}
	}
	return top + math.Log(sum)
}

// logAdd is the logarithm of exp(a) + exp(b).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// log1p is the logarithm of 1 + d for d ≥ 0. math.Log takes half the time of math.Log1p, and loses nothing that matters
// once d is no small fraction: less than 1e-13 of the result.
func log1p(d float64) float64 {
	if d < 1e-3 {
		return math.Log1p(d)
	}
	return math.Log(1 + d)
}
