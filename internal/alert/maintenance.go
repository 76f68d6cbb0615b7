package alert

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Window is a time in which nothing is told about a place, because somebody works
// there. Alerts that are still open when it ends are told then.
type Window struct {
	Reason string
	Where  Where

	// From and To bound the window; To is not part of it. Both are needed, so that
	// no window is forgotten.
	From, To time.Time

	// Weekly narrows the window to some hours of some days.
	Weekly *Weekly
}

// Weekly are hours that come every week. They begin on each of Days at From after
// midnight and end at To; a To that is not after From is on the next day. Clocks are
// those of Location, also when they change.
type Weekly struct {
	Days     []time.Weekday
	From, To time.Duration
	Location *time.Location
}

// Validate says what is wrong with the window.
func (w *Window) Validate() error {
	switch {
	case w.From.IsZero() || w.To.IsZero():
		return errors.New("from and to are both needed: a window without end is forgotten")
	case !w.To.After(w.From):
		return fmt.Errorf("to %s must be after from %s", w.To.Format(time.RFC3339), w.From.Format(time.RFC3339))
	}
	if err := w.Where.validate(); err != nil {
		return err
	}
	if w.Weekly == nil {
		return nil
	}
	if len(w.Weekly.Days) == 0 {
		return errors.New("weekly needs days")
	}
	if w.Weekly.Location == nil {
		return errors.New("weekly needs a time zone")
	}
	for _, t := range []time.Duration{w.Weekly.From, w.Weekly.To} {
		if t < 0 || t > 24*time.Hour {
			return fmt.Errorf("a time of day must lie within 00:00 and 24:00, got %s", t)
		}
	}
	return nil
}

// covers tells whether nothing is told about an event at now.
func (w *Window) covers(now time.Time, e *Event) bool {
	return !now.Before(w.From) && now.Before(w.To) && w.Where.fits(e) && (w.Weekly == nil || w.Weekly.covers(now))
}

func (w *Weekly) covers(now time.Time) bool {
	local := now.In(w.Location)
	for _, back := range []int{0, 1} { // hours that began today, or yesterday
		y, m, d := local.Date()
		day := time.Date(y, m, d-back, 0, 0, 0, 0, w.Location)
		if !w.on(day.Weekday()) {
			continue
		}
		from, to := clock(day, w.From), clock(day, w.To)
		if w.To <= w.From {
			to = clock(day.AddDate(0, 0, 1), w.To)
		}
		if !now.Before(from) && now.Before(to) {
			return true
		}
	}
	return false
}

func (w *Weekly) on(day time.Weekday) bool {
	for _, d := range w.Days {
		if d == day {
			return true
		}
	}
	return false
}

// clock is when the clocks of a day show a time. A time that is skipped in spring is
// taken for the one after the change.
func clock(day time.Time, t time.Duration) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d, int(t/time.Hour), int(t%time.Hour/time.Minute), 0, 0, day.Location())
}

// ParseWeekday reads the English name of a day, in any case.
func ParseWeekday(name string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), name) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unknown day %q, want monday to sunday", name)
}

// ParseClock reads a time of day such as 06:30, or 24:00.
func ParseClock(text string) (time.Duration, error) {
	if text == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("unknown time of day %q, want 06:30 or the like", text)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}
