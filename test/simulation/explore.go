package simulation

import (
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// Class is a kind of faults that is tried at writes of a story.
type Class string

// The classes.
const (
	Crashes    Class = "crash points"
	StaleReads Class = "stale reads"
	LostEvents Class = "lost, repeated and reordered events"
	Leaders    Class = "two leaders"
	Refusals   Class = "refusals"
	Jumps      Class = "clock jumps"
	Orders     Class = "orders and losses"
)

// Classes are all of them, in the order of reports.
func Classes() []Class {
	return []Class{Crashes, StaleReads, LostEvents, Leaders, Refusals, Jumps, Orders}
}

// faultsOf are the faults of a class for an episode: of kinds that there are.
func (e *episode) faultsOf(class Class) []Fault {
	switch class {
	case Crashes:
		return crashes()
	case StaleReads:
		return staleReads(e.kinds())
	case LostEvents:
		return lostEvents(e.kinds())
	case Refusals:
		return refusals()
	case Leaders:
		return leaders()
	case Jumps:
		return jumps()
	case Orders:
		return append(orders(e.story.Key), e.ordersOfMatches()...)
	}
	return nil
}

// ordersOfMatches are those of a story that has matches.
func (e *episode) ordersOfMatches() []Fault {
	if rollout := e.end.Rollout(e.story.Key); rollout != nil {
		if overlays, _ := rollout.Spec.Overlays(); len(overlays) > 1 {
			return ordersOfMatches(e.story.Key)
		}
	}
	return nil
}

// kinds are those in the cache of which there are objects.
func (e *episode) kinds() []kind {
	return slices.DeleteFunc(watchedKinds(), func(k kind) bool { return len(e.end.Server.table(k).log) == 0 })
}

// Strides say at which writes the faults of a class are tried: 1 at each, 4 at every fourth. What one fault of a class
// leaves out the next one tries, and what a stride leaves out in one story it does not in another.
type Strides map[Class]int

// Report counts what was explored.
type Report struct {
	// Stories, and Runs of them, with and without faults.
	Stories, Runs int
	// Faults counts runs by the class of their fault.
	Faults map[Class]int
	// Writes, Passes and Checks are those of all runs.
	Writes, Passes, Checks int
	// Violations of invariants, ends that differ and counts of updates that are too large; Stuck runs do not come to rest.
	Violations, Differences, Stuck int
	// Failures describe them, so that each can be told again.
	Failures []string
}

// mostFailures is how many are described.
const mostFailures = 40

// Add counts another report.
func (r *Report) Add(o Report) {
	r.Stories += o.Stories
	r.Runs += o.Runs
	if r.Faults == nil {
		r.Faults = map[Class]int{}
	}
	for class, n := range o.Faults {
		r.Faults[class] += n
	}
	r.Writes, r.Passes, r.Checks = r.Writes+o.Writes, r.Passes+o.Passes, r.Checks+o.Checks
	r.Violations, r.Differences, r.Stuck = r.Violations+o.Violations, r.Differences+o.Differences, r.Stuck+o.Stuck
	r.Failures = append(r.Failures, o.Failures...)
	r.Failures = r.Failures[:min(len(r.Failures), mostFailures)]
}

// String is one line of counts.
func (r *Report) String() string {
	var classes []string
	for _, class := range Classes() {
		classes = append(classes, fmt.Sprintf("%s %d", class, r.Faults[class]))
	}
	return fmt.Sprintf("%d stories, %d worlds (%s), %d passes, %d writes, %d checks, %d violations, %d ends that differ, %d stuck",
		r.Stories, r.Runs, strings.Join(classes, ", "), r.Passes, r.Writes, r.Checks, r.Violations, r.Differences, r.Stuck)
}

func (r *Report) note(got Result) {
	r.Runs++
	r.Writes, r.Passes, r.Checks = r.Writes+got.Writes, r.Passes+got.Passes, r.Checks+got.Checks
}

func (r *Report) fail(format string, args ...any) {
	if len(r.Failures) < mostFailures {
		r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
	}
}

// mostOffset is larger than every stride, so that each write is as likely to be the first.
const mostOffset = 10_007

// Explore tells a story without a fault, and each of its steps, from where it begins, with each fault of each class that
// has a stride, at writes that are so far apart: which ones follows from the name of the story, so that another story beside it
// moves none of them. What has come to the same as without the fault by
// the end of the step goes on in the same way; everything else is told to its end.
func Explore(kit *Kit, s *Story, strides Strides) Report {
	out, offset := Report{Stories: 1, Faults: map[Class]int{}}, int(crc32.ChecksumIEEE([]byte(s.Name))%mostOffset)
	for n, e := range out.episodes(kit, s) {
		out.faults(&e, strides, offset+n)
	}
	return out
}

// episodes tells a story without a fault, and keeps where each of its steps begins.
func (r *Report) episodes(kit *Kit, s *Story) []episode {
	begin, err := s.open(kit)
	if err != nil {
		r.Stuck++
		r.fail("%s: %v", s.Name, err)
		return nil
	}
	var out []episode
	for n, step := range s.chapters() {
		clean := begin.fork()
		want := clean.tell(step)
		r.note(want)
		r.judge(fmt.Sprintf("%s, %s", s.Name, step.Name), want)
		want.Attempt = clean.attempt(s.Key)
		out = append(out, episode{story: s, chapter: n, begin: begin, end: clean, want: want})
		begin = clean
	}
	end := begin.Picture(s.Key)
	for n := range out {
		out[n].want.Picture = end
	}
	return out
}

// episode is one step of a story, from where it begins.
type episode struct {
	story   *Story
	chapter int
	// begin is the world where it begins, and end the one where it ends without a fault.
	begin, end *World
	want       Result
	// cured is the picture when everything has been let go on at its end; nil as long as nobody has asked.
	cured map[string]string
}

// cure lets everything go on at the end of an episode without a fault, and takes a picture.
func (e *episode) cure() (map[string]string, error) {
	if e.cured != nil {
		return e.cured, nil
	}
	w := e.end.fork()
	if !w.stopped {
		w.Start()
	}
	w.flows = false
	if err := w.cure(e.story.Key); err != nil {
		return nil, err
	}
	e.cured = w.Picture(e.story.Key)
	return e.cured, nil
}

// faults tries those of all classes.
func (r *Report) faults(e *episode, strides Strides, offset int) {
	for _, class := range Classes() {
		stride := strides[class]
		if stride == 0 {
			continue
		}
		for n, fault := range e.faultsOf(class) {
			for at := 1 + (n+offset)%stride; at <= e.want.Writes; at += stride {
				fault.At = at
				r.Faults[class]++
				r.try(e, fault)
			}
		}
	}
}

// try tells an episode with one fault or two, and compares it with the telling without.
func (r *Report) try(e *episode, fault Fault, also ...Fault) {
	w := e.begin.fork()
	w.fault, w.want = &fault, &e.want
	chapters := e.story.chapters()
	name := fmt.Sprintf("%s, %s: %s", e.story.Name, chapters[e.chapter].Name, &fault)
	if len(also) > 0 {
		w.second = &also[0]
		name += " and " + also[0].String()
		fault.Differs = fault.Differs || also[0].Differs
		w.second.Excuses = slices.Concat(fault.Excuses, also[0].Excuses)
	}
	got := w.tell(chapters[e.chapter])
	if fault.Differs && got.Stuck == nil {
		w.flows = false
		got = w.result(w.cure(e.story.Key))
	}
	r.note(got)
	r.judge(name, got)
	switch {
	case got.Stuck != nil:
	case !fault.Differs:
		r.beside(name, e, w, got)
	case len(also) == 0:
		r.asOrdered(name, e, &fault, w)
	}
}

// beside compares a run with the one without the fault, and tells the rest of the story if it has come to something else.
func (r *Report) beside(name string, e *episode, w *World, got Result) {
	r.compare(name, e.want, got)
	if contrast(e.want.essence, got.essence) != "" {
		r.goOn(name, e, w)
	}
}

// asOrdered compares the end of an episode with what somebody has ordered in it.
func (r *Report) asOrdered(name string, e *episode, fault *Fault, w *World) {
	if w.ordered != nil {
		if detail := w.ordered(w); detail != "" {
			r.Differences++
			r.fail("%s: the end is not as ordered: %s", name, detail)
		}
	}
	if !fault.Same || w.unlike {
		return
	}
	want, err := e.cure()
	if err != nil {
		r.Stuck++
		r.fail("%s: without it: %v", name, err)
		return
	}
	if diff := differences(want, w.Picture(e.story.Key)); len(diff) > 0 {
		r.Differences++
		r.fail("%s: the end differs: %s", name, strings.Join(diff, "; "))
	}
}

// goOn tells the rest of a story in a world that differs from the one without the fault, and compares the ends.
func (r *Report) goOn(name string, e *episode, w *World) {
	var got Result
	for _, step := range e.story.chapters()[e.chapter+1:] {
		w.rested = false
		if got = w.tell(step); got.Stuck != nil {
			break
		}
	}
	r.judge(name, got)
	if diff := differences(e.want.Picture, w.Picture(e.story.Key)); len(diff) > 0 {
		r.Differences++
		r.fail("%s: the end differs: %s", name, strings.Join(diff, "; "))
	}
}

// spareUpdates is how many writes of an object a fault may add beyond twice as many: a pass that is repeated tells of itself.
const spareUpdates = 8

// judge counts what is wrong with a run by itself.
func (r *Report) judge(name string, got Result) {
	if got.Stuck != nil {
		r.Stuck++
		r.fail("%s: %v", name, got.Stuck)
		return
	}
	if len(got.Violations) > 0 {
		r.Violations++
		r.fail("%s: %s", name, got.Violations[0]) // the others mostly follow from the first
	}
}

// compare counts what is wrong with a run beside another one.
func (r *Report) compare(name string, want, got Result) {
	for _, object := range slices.Sorted(maps.Keys(got.Updates)) {
		if most := 2*want.Updates[object] + spareUpdates; got.Updates[object] > most {
			r.Differences++
			r.fail("%s: %d updates of %s, and %d without the fault", name, got.Updates[object], object, want.Updates[object])
		}
	}
}

// Wander tells stories with two faults each, chosen by a number that says everything about the run: the same number on the
// same stories is the same run.
func Wander(kit *Kit, stories []Story, seed uint64) Report {
	random := rand.New(rand.NewPCG(seed, seed))
	out := Report{Stories: 1, Faults: map[Class]int{}}
	story := &stories[random.IntN(len(stories))]
	episodes := out.episodes(kit, story)
	if len(episodes) == 0 {
		return out
	}
	for range wanderings {
		e := &episodes[random.IntN(len(episodes))]
		if e.want.Writes == 0 {
			continue
		}
		pick := func() Fault {
			class := Classes()[random.IntN(len(Classes()))]
			out.Faults[class]++
			all := e.faultsOf(class)
			fault := all[random.IntN(len(all))]
			fault.At = 1 + random.IntN(e.want.Writes)
			return fault
		}
		first, second := pick(), pick()
		second.At += first.At
		out.try(e, first, second)
	}
	for i := range out.Failures {
		out.Failures[i] = fmt.Sprintf("seed %d: %s", seed, out.Failures[i])
	}
	return out
}

// wanderings is how many pairs of faults one seed tries: telling the story without a fault is as long as some of them.
const wanderings = 10
