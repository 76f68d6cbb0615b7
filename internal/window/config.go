package window

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// LatePolicy is what becomes of a reading that arrives after the watermark of
// its source has passed the end of its window.
type LatePolicy string

// The late policies.
const (
	// Update adds late readings to their windows, however old those are.
	Update LatePolicy = "update"

	// Drop leaves late readings out of their windows.
	Drop LatePolicy = "drop"
)

// Config is what a Tumbling needs to know.
type Config struct {
	Spec Spec

	// Lateness is how far the watermark of a source stays behind the latest event
	// time it has seen: readings out of order by up to this are not late.
	Lateness time.Duration

	// Idle is the processing time without readings after which a source holds no
	// window open any more.
	Idle time.Duration

	Late LatePolicy

	// Memory bounds the number of distinct readings that held windows remember.
	// Beyond it the oldest windows are forgotten before they are final, which
	// makes later rows of them partial and changes no pane, except that a reading
	// that is delivered again may then be taken for a late one.
	Memory int
}

func (c *Config) validate() error {
	switch {
	case c.Spec.Size <= 0:
		return fmt.Errorf("window size must be positive, got %s", c.Spec.Size)
	case c.Spec.Size%time.Microsecond != 0:
		return fmt.Errorf("window size must be whole microseconds, got %s", c.Spec.Size)
	case c.Lateness < 0:
		return fmt.Errorf("allowed lateness must not be negative, got %s", c.Lateness)
	case c.Idle <= 0:
		return fmt.Errorf("idle timeout must be positive, got %s", c.Idle)
	case c.Late != Update && c.Late != Drop:
		return fmt.Errorf("unknown late policy %q, want %s or %s", c.Late, Update, Drop)
	case c.Memory <= 0:
		return fmt.Errorf("remembered readings must be positive, got %d", c.Memory)
	}
	if err := names("label to group by", c.Spec.GroupBy); err != nil {
		return err
	}
	if len(c.Spec.Metrics) == 0 {
		return errors.New("metrics to summarize must not be empty")
	}
	return names("metric", c.Spec.Metrics)
}

func names(what string, list []string) error {
	for i, name := range list {
		if name == "" {
			return fmt.Errorf("%s %d of %d must not be empty", what, i+1, len(list))
		}
		if slices.Contains(list[:i], name) {
			return fmt.Errorf("%s %q is named twice", what, name)
		}
	}
	return nil
}
