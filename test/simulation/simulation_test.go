package simulation

import (
	"flag"
	"os"
	"testing"
	"time"
)

func newTestKit(tb testing.TB) *Kit {
	tb.Helper()
	kit, err := NewKit()
	if err != nil {
		tb.Fatal(err)
	}
	return kit
}

// Without a fault every story comes to rest, and breaks nothing.
func TestStories(t *testing.T) {
	kit := newTestKit(t)
	for _, story := range Stories() {
		t.Run(story.Name, func(t *testing.T) {
			_, got := story.Tell(kit)
			if got.Stuck != nil {
				t.Error(got.Stuck)
			}
			for _, v := range got.Violations {
				t.Error(v)
			}
			t.Logf("%d writes, %d passes, %d checks, %v", got.Writes, got.Passes, got.Checks, got.Picture)
		})
	}
}

// every are the writes at which faults are tried in stories: a crash of each kind at each write, and of the rest a part, a
// different one in each story.
func every() Strides {
	return Strides{Crashes: 1, StaleReads: 48, LostEvents: 32, Leaders: 12, Refusals: 24, Jumps: 16, Orders: 43}
}

// sparse are those in stories that say so: a crash of each kind at every sixth write.
func sparse() Strides {
	out := every()
	out[Crashes] = 6
	return out
}

// some are those in scenarios, of which there are many: a crash of some kind at every eighth write.
// With SOAK set there is a crash of each kind at each write, and one fault of every other class.
func some() Strides {
	if os.Getenv("SOAK") != "" {
		return Strides{Crashes: 1, StaleReads: 18, LostEvents: 10, Leaders: 5, Refusals: 6, Jumps: 4, Orders: 18}
	}
	return Strides{Crashes: 32, StaleReads: 720, LostEvents: 400, Leaders: 200, Refusals: 300, Jumps: 240, Orders: 720}
}

// told are all stories that are told with faults: ours, and every scenario.
func told(tb testing.TB) (stories []Story, own int) {
	tb.Helper()
	stories = Stories()
	own = len(stories)
	for _, s := range scenarios(tb) {
		stories = append(stories, StoryOf(s))
	}
	return stories, own
}

// Every story with every fault ends as it does without, or, where the fault is an order, in safety.
func TestExplore(t *testing.T) {
	all, own := told(t)
	kit, reports := newTestKit(t), make([]Report, len(all))
	t.Run("stories", func(t *testing.T) {
		for i, story := range all {
			t.Run(story.Name, func(t *testing.T) {
				t.Parallel()
				strides := some()
				if i < own && os.Getenv("SOAK") == "" {
					strides = every()
					if story.Sparse {
						strides = sparse()
					}
				}
				reports[i] = Explore(kit, &story, strides)
				for _, failure := range reports[i].Failures {
					t.Error(failure)
				}
			})
		}
	})
	var sum Report
	for _, report := range reports {
		sum.Add(report)
	}
	t.Log(&sum)
}

// seed is a run to be told again.
var seed = flag.Uint64("seed", 0, "tell the run of this seed again") //nolint:gochecknoglobals // flags are globals

// fewSeeds is how many runs TestSoak tells when nobody asks for more: always the same, so that a change which has nothing to
// do with them does not fail on a run that nobody has seen before.
const fewSeeds = 12

// TestSoak tells stories with pairs of faults: a few of them, or new ones for as long as SOAK says.
func TestSoak(t *testing.T) {
	all, _ := told(t)
	kit := newTestKit(t)
	var sum Report
	if *seed != 0 {
		sum.Add(Wander(kit, all, *seed))
		t.Log(&sum)
		for _, failure := range sum.Failures {
			t.Error(failure)
		}
		return
	}
	first, more := soakFrom(t)
	seeds := uint64(0)
	for ; more(seeds) && len(sum.Failures) < mostFailures; seeds++ {
		sum.Add(Wander(kit, all, first+seeds))
	}
	t.Logf("%d seeds from %d: %s", seeds, first, &sum)
	for _, failure := range sum.Failures {
		t.Error(failure)
	}
}

// soakFrom is the first seed, and says after so many whether there are more.
func soakFrom(t *testing.T) (first uint64, more func(seeds uint64) bool) {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return 2, func(seeds uint64) bool { return seeds < fewSeeds }
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SOAK=%s: write a duration such as 10m: %v", text, err)
	}
	end := time.Now().Add(length)
	return uint64(time.Now().UnixNano()), func(uint64) bool { return time.Now().Before(end) }
}
