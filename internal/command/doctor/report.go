package doctor

import (
	"errors"
	"fmt"
	"strings"

	"buildmon/internal/command/show"
)

// Status is the result of a check.
type Status int

// A warning is worth a look; what failed keeps a pipeline from working.
const (
	OK Status = iota
	Warn
	Fail
)

func (s Status) String() string { return [...]string{"ok", "warn", "FAIL"}[s] }

// Line is the result of one check.
type Line struct {
	Section string
	Status  Status
	Name    string
	Finding string
	Remedy  string // empty when there is nothing to do
}

// Report is what was found. The zero value is an empty report.
type Report struct{ Lines []Line }

// section collects the lines of one part of the report.
type section struct {
	report *Report
	name   string
}

func (s section) ok(name, format string, args ...any) {
	s.add(OK, name, "", format, args...)
}

func (s section) warn(name, remedy, format string, args ...any) {
	s.add(Warn, name, remedy, format, args...)
}

func (s section) fail(name, remedy, format string, args ...any) {
	s.add(Fail, name, remedy, format, args...)
}

func (s section) add(status Status, name, remedy, format string, args ...any) {
	s.report.Lines = append(s.report.Lines, Line{
		Section: s.name, Status: status, Name: name, Finding: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

func (r *Report) count(s Status) (n int64) {
	for _, l := range r.Lines {
		if l.Status == s {
			n++
		}
	}
	return n
}

// Err is nil unless a check failed.
func (r *Report) Err() error {
	if n := r.count(Fail); n > 0 {
		return errors.New(show.Some(n, "check") + " failed")
	}
	return nil
}

// String is the report as a page of text.
func (r *Report) String() string {
	var b strings.Builder
	last := ""
	for _, l := range r.Lines {
		if l.Section != last {
			if last != "" {
				b.WriteByte('\n')
			}
			b.WriteString(l.Section + "\n")
			last = l.Section
		}
		fmt.Fprintf(&b, "  %-4s  %-12s  %s\n", l.Status, l.Name, l.Finding)
		if l.Remedy != "" {
			fmt.Fprintf(&b, "  %-4s  %-12s  → %s\n", "", "", l.Remedy)
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %s, %d failed\n", r.count(OK), show.Some(r.count(Warn), "warning"), r.count(Fail))
	return b.String()
}
