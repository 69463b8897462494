// Package view writes what the demonstration shows: a panel that a terminal draws over and over, a line where there is
// no terminal, and the table at the end. It is pure: the same View gives the same text.
package view

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-dev/sluice/test/load/stats"
)

// View is what is known at one moment.
type View struct {
	// Release says what is going on: "v2 as a canary".
	Release string
	// Elapsed is the time since the demonstration began.
	Elapsed time.Duration
	// Phase, Step, Weight and Message are those of the Rollout's status.
	Phase, Step, Weight, Message string
	// Revisions that have pods or had requests lately, in the order of their versions.
	Revisions []Revision
	// Seconds is how many seconds the recent requests of the revisions were counted over.
	Seconds int64
	// Sent is what the load has counted since it began, and P99 the latency of its answers.
	Sent stats.Counts
	P99  time.Duration
	// Rate is the number of requests that are begun each second; 0 before the load has begun.
	Rate float64
}

// Revision is one version of the app.
type Revision struct {
	// Version as the app names itself.
	Version string
	// Role is stable, candidate, or empty.
	Role string
	// Ready of Pods pods are ready; Pods leaves out those that are ending.
	Ready, Pods int
	// Recent counts its requests of the last seconds.
	Recent stats.Counts
}

// barWidth is how many characters show all traffic.
const barWidth = 20

// Panel is the view as lines, none longer than width characters.
func Panel(v View, width int, paint Paint) []string {
	lines := []string{
		paint(Strong, fit(heading(v), width)),
		paint(Plain, fit(v.Message, width)),
		"",
		paint(Faint, fit("version  role       pods    traffic                      req/s   own errors", width)),
	}
	var all int64
	for _, r := range v.Revisions {
		all += r.Recent.Requests
	}
	for _, r := range v.Revisions {
		lines = append(lines, paint(style(r), fit(row(r, all, v.Seconds), width)))
	}
	return append(lines, "", paint(Faint, fit(load(v), width)))
}

func heading(v View) string {
	parts := []string{clock(v.Elapsed) + "  " + v.Release}
	if v.Step != "" {
		parts = append(parts, "step "+v.Step)
	}
	if v.Weight != "" {
		parts = append(parts, v.Weight+" % to the candidate")
	}
	if v.Phase != "" {
		parts = append(parts, v.Phase)
	}
	return strings.Join(parts, "  ·  ")
}

func row(r Revision, all, seconds int64) string {
	share := 0.0
	if all > 0 {
		share = float64(r.Recent.Requests) / float64(all)
	}
	filled := int(share*barWidth + 0.5)
	bar := strings.Repeat("█", filled) + strings.Repeat("·", barWidth-filled)
	return fmt.Sprintf("%-8s %-10s %-7s %s %3.0f %%  %6.1f  %9.1f %%", r.Version, r.Role,
		fmt.Sprintf("%d/%d", r.Ready, r.Pods), bar, 100*share, perSecond(r.Recent.Requests, seconds), 100*errorShare(r.Recent))
}

func style(r Revision) Style {
	if r.Recent.AppErrors > 0 {
		return Bad
	}
	return Plain
}

func load(v View) string {
	if v.Rate == 0 {
		return "no load yet"
	}
	return fmt.Sprintf("load: %.0f requests/s, %d sent, %d answered with an error by the app, %d failed otherwise, p99 %s",
		v.Rate, v.Sent.Requests, v.Sent.AppErrors, v.Sent.Failures, short(v.P99))
}

// Line is the view as one line, for where there is no terminal.
func Line(v View) string {
	line := heading(v)
	if v.Message != "" {
		line += "  ·  " + v.Message
	}
	var figures []string
	for _, r := range v.Revisions {
		figures = append(figures, fmt.Sprintf("%s %d/%d pods, %.0f req/s, %.1f %% errors", r.Version, r.Ready, r.Pods,
			perSecond(r.Recent.Requests, v.Seconds), 100*errorShare(r.Recent)))
	}
	if len(figures) > 0 {
		line += "  [" + strings.Join(figures, " | ") + "]"
	}
	return line
}

// Change is what of a view is worth a line of its own when it changes. Figures are not: they always do.
func Change(v View) string {
	return strings.Join([]string{v.Release, v.Phase, v.Step, v.Weight, v.Message}, "\x00")
}

func perSecond(requests, seconds int64) float64 {
	if seconds == 0 {
		return 0
	}
	return float64(requests) / float64(seconds)
}

func errorShare(c stats.Counts) float64 {
	if c.Requests == 0 {
		return 0
	}
	return float64(c.AppErrors) / float64(c.Requests)
}

// clock writes minutes and seconds: 01:07.
func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}

// short writes a duration with two digits or so: 4.2ms, 31ms, 1.3s.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(100 * time.Microsecond).String()
	}
}

// fit cuts a line off at width characters, so that it stays one line on the terminal.
func fit(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:max(width-1, 0)]) + "…"
}
