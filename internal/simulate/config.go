package simulate

import (
	"fmt"
	"time"

	"buildmon/internal/reading"
)

// MaxRooms bounds the layout: each room is warmed up before the first reading,
// which takes about a tenth of a millisecond.
const MaxRooms = 50_000

// Config describes a portfolio, the time it covers, and how often it fails.
type Config struct {
	// Seed selects one of many portfolios of the same layout.
	Seed uint64

	// Layout. Rooms beyond the six types go through the types again. A room keeps
	// its names and its values when the layout grows around it.
	Buildings, Floors, RoomsPerFloor int

	// Location is where people keep their hours.
	Location *time.Location

	// Start is the earliest event time. End, if not zero, is where event time
	// stops; no reading lies on it or after it.
	Start, End time.Time

	// Interval is the time between two readings of one sensor, in whole
	// milliseconds. The sensors are spread evenly over it.
	Interval time.Duration

	// Count is the number of readings after which the simulator ends; 0 means
	// that it does not.
	Count int64

	// FaultShare is the share of sensor time that lies within a fault of one of
	// FaultKinds, 0 to 1: the probability that a reading is affected. Kinds share
	// it equally by time, so short ones come more often than long ones. Under a
	// dropout, and when a gateway fails, the affected readings are those that are
	// missing.
	FaultShare float64
	FaultKinds []Fault

	// Stories adds faults that come back in the same places on the same days of each
	// week, for visitors to find.
	Stories bool
}

func (c *Config) validate() error {
	for _, f := range []struct {
		name       string
		value, max int
	}{
		{"buildings", c.Buildings, MaxRooms},
		{"floors", c.Floors, MaxRooms},
		{"rooms_per_floor", c.RoomsPerFloor, MaxRooms},
	} {
		if f.value < 1 || f.value > f.max {
			return fmt.Errorf("%s must be 1 to %d, got %d", f.name, f.max, f.value)
		}
	}
	if rooms := int64(c.Buildings) * int64(c.Floors); rooms > MaxRooms || rooms*int64(c.RoomsPerFloor) > MaxRooms {
		return fmt.Errorf("buildings × floors × rooms_per_floor must be at most %d, got %d × %d × %d",
			MaxRooms, c.Buildings, c.Floors, c.RoomsPerFloor)
	}
	switch {
	case c.Location == nil:
		return fmt.Errorf("time_zone is missing")
	case c.Interval <= 0:
		return fmt.Errorf("interval must be positive, got %s", c.Interval)
	case c.Interval%time.Millisecond != 0:
		return fmt.Errorf("interval must be a whole number of milliseconds, got %s", c.Interval)
	case c.Start.IsZero():
		return fmt.Errorf("start_time is missing")
	case c.Start.Before(reading.Oldest):
		return fmt.Errorf("start_time %s must not be before %s, older readings are refused", c.Start.Format(time.RFC3339), reading.Oldest.Format(time.RFC3339))
	case !c.End.IsZero() && !c.End.After(c.Start):
		return fmt.Errorf("end_time %s must be after start_time %s", c.End.Format(time.RFC3339), c.Start.Format(time.RFC3339))
	case c.Count < 0:
		return fmt.Errorf("count must be 0 or more, got %d", c.Count)
	case !(c.FaultShare >= 0 && c.FaultShare <= 1):
		return fmt.Errorf("fault probability must be 0 to 1, got %v", c.FaultShare)
	case c.FaultShare > 0 && len(c.FaultKinds) == 0:
		return fmt.Errorf("fault kinds must not be empty, set probability to 0 for no faults")
	}
	seen := map[Fault]bool{}
	for _, k := range c.FaultKinds {
		if k <= Healthy || k >= numFaults {
			return fmt.Errorf("unknown fault kind %d", k)
		}
		if seen[k] {
			return fmt.Errorf("fault kinds must not repeat, got %q twice", k)
		}
		seen[k] = true
	}
	return nil
}
