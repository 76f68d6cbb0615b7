package alert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"buildmon/internal/anomaly"
)

// Config says what is told to whom.
type Config struct {
	DedupBy []string // members that events of one alert have in common
	GroupBy []string // members that alerts of one message have in common; may be empty

	GroupWait      time.Duration // from the first news of a group to its message
	GroupInterval  time.Duration // least time between two messages of a group
	RepeatInterval time.Duration // after which an open alert is told again; 0 is never
	CoolDown       time.Duration // after a message about an alert, in which it is not new again unless worse
	MaxAge         time.Duration // events that ended longer ago are not news

	MaxListed int            // alerts that a message lists; the others are counted
	Location  *time.Location // of the times in texts
	Routes    []Route
}

// Route is one way on which messages leave. Each route that fits an event is told.
type Route struct {
	Name        string
	MinSeverity anomaly.Severity
	Where       Where
	For         time.Duration // how long an event must have lasted
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{
		{"group_wait", c.GroupWait, 0},
		{"group_interval", c.GroupInterval, 0},
		{"repeat_interval", c.RepeatInterval, 0},
		{"cool_down", c.CoolDown, 0},
		{"max_age", c.MaxAge, time.Second},
	} {
		if d.value < d.least {
			return fmt.Errorf("%s must be at least %s, got %s", d.name, d.least, d.value)
		}
	}
	for _, l := range []struct {
		name    string
		members []string
	}{{"dedup_by", c.DedupBy}, {"group_by", c.GroupBy}} {
		for i, name := range l.members {
			if !slices.Contains(Members, name) {
				return unknownMember(l.name, name)
			}
			if slices.Contains(l.members[:i], name) {
				return fmt.Errorf("%s has %q twice", l.name, name)
			}
		}
	}
	switch {
	case len(c.DedupBy) == 0:
		return errors.New("dedup_by must not be empty")
	case c.MaxListed < 1:
		return fmt.Errorf("max_listed must be at least 1, got %d", c.MaxListed)
	case c.Location == nil:
		return errors.New("a location is needed")
	case len(c.Routes) == 0:
		return errors.New("routes must not be empty")
	}
	names := map[string]bool{}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Name == "" {
			return fmt.Errorf("route %d needs a name", i+1)
		}
		if names[r.Name] {
			return fmt.Errorf("route %q is there twice", r.Name)
		}
		names[r.Name] = true
		if err := r.validate(); err != nil {
			return fmt.Errorf("route %q: %w", r.Name, err)
		}
	}
	return nil
}

func (r *Route) validate() error {
	if !slices.Contains(anomaly.Severities, r.MinSeverity) {
		return fmt.Errorf("unknown min_severity %q, want one of %v", r.MinSeverity, anomaly.Severities)
	}
	if r.For < 0 {
		return fmt.Errorf("for must not be negative, got %s", r.For)
	}
	return r.Where.validate()
}

func (r *Route) fits(e *Event) bool {
	return e.Severity.Rank() >= r.MinSeverity.Rank() && e.Last.Sub(e.Started) >= r.For && r.Where.fits(e)
}

func unknownMember(field, name string) error {
	return fmt.Errorf("unknown member %q in %s, want one of %s", name, field, strings.Join(Members, ", "))
}
