package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"buildmon/internal/command/show"
)

const (
	barWidth = 30
	// leastFindings are shown before windows are.
	leastFindings = 3
)

// screen redraws a few lines of a terminal in place, below what was written
// before. It knows no more of terminals than to go up and to erase, which all
// that are called terminals today understand.
type screen struct {
	out  io.Writer
	size func() (width, height int)
	rows int // drawn the last time
}

// picture is what is drawn. Windows and findings give way when there is no room.
type picture struct {
	head     []string
	windows  []string // with two lines of heading
	findings []string // with two lines of heading
}

// draw replaces the last picture. Lines are cut to the width of the terminal,
// so that each takes one row.
func (s *screen) draw(p picture) {
	width, height := s.size()
	lines := fit(p, height-1)
	var b strings.Builder
	if s.rows > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", min(s.rows, max(1, height-1)))
	}
	b.WriteString("\r\x1b[J")
	for _, l := range lines {
		b.WriteString(cut(l, width-1) + "\n")
	}
	s.rows = len(lines)
	_, _ = io.WriteString(s.out, b.String()) // nobody to tell if the terminal is gone
}

// fit chooses the lines for so many rows: the head first, then a few findings,
// then windows, then more findings.
func fit(p picture, rows int) []string {
	lines := p.head
	if len(lines) >= rows {
		return lines[:max(0, rows)]
	}
	rows -= len(lines)
	findings := min(len(p.findings), rows, 2+leastFindings)
	windows := min(len(p.windows), rows-findings)
	findings = min(len(p.findings), rows-windows)
	if windows > 2 {
		lines = append(lines, p.windows[:windows]...)
	}
	if findings > 2 {
		lines = append(lines, p.findings[:findings]...)
	}
	return lines
}

// cut shortens a line to a number of characters.
func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	runes := []rune(line)
	return string(runes[:max(0, width-1)]) + "…"
}

// picture draws the present state.
func (w *watcher) picture(now time.Time) picture {
	var p picture
	state := "live"
	if !w.caughtUp(now) {
		done := w.progress()
		full := int(done * barWidth)
		state = fmt.Sprintf("filling in history  [%s%s] %3.0f %%", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), 100*done)
		if !w.last.reached.Before(w.begin) {
			state += "  to " + w.last.reached.UTC().Format("2006-01-02 15:04")
		}
	}
	p.head = []string{
		fmt.Sprintf("%s   running %s   Ctrl-C stops", state, now.Sub(w.started).Round(time.Second)),
		"",
		fmt.Sprintf("%s readings  %s      %s windows      %s, %s severe      %s refused",
			show.Count(w.last.readings), w.perSecond(), show.Count(w.last.windows),
			plural(w.last.anomalies, "anomaly", "anomalies"), show.Count(w.last.severe), show.Count(w.last.refused)),
	}
	if problem := w.log.problem(now); problem != "" {
		p.head = append(p.head, "problem: "+problem)
	}
	if len(w.last.shown) > 0 {
		first := w.last.shown[0]
		p.windows = append(p.windows, "", fmt.Sprintf("%-26s %11s %10s %8s %9s",
			fmt.Sprintf("window %s–%s", first.start.UTC().Format(time.TimeOnly), first.end.UTC().Format(time.TimeOnly)),
			"temperature", "CO₂", "people", "readings"))
		for _, r := range w.last.shown {
			p.windows = append(p.windows, r.String())
		}
	}
	if len(w.last.found) > 0 {
		p.findings = append(p.findings, "", "newest anomalies")
		for _, f := range w.last.found {
			p.findings = append(p.findings, fmt.Sprintf("%s  %-8s %.2f  %s  %s%s",
				f.at.UTC().Format("01-02 15:04:05"), f.severity, f.score, f.room, f.explanation, f.repeated()))
		}
	}
	return p
}

// String is the row of a table.
func (r windowRow) String() string {
	text := func(s *string) string {
		if s == nil {
			return "–"
		}
		return *s
	}
	number := func(v *float64, format string) string {
		if v == nil {
			return "–"
		}
		return fmt.Sprintf(format, *v)
	}
	people := "–"
	if r.occupancy != nil && r.occupancyCount > 0 {
		// Each sensor has spoken several times in the window.
		people = fmt.Sprintf("%.0f", *r.occupancy*float64(interval)/float64(r.end.Sub(r.start)))
	}
	return fmt.Sprintf("%-26s %11s %10s %8s %9d", text(r.building)+"  "+text(r.floor),
		number(r.temperature, "%.1f °C"), number(r.co2, "%.0f ppm"), people, r.count)
}
