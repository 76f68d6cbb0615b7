package simulate

import (
	"fmt"
	"math"
	"strings"

	"buildmon/internal/reading"
)

// Fault is what is wrong with a sensor or its room.
type Fault uint8

// The faults. All sizes are chosen: beyond what a healthy room of any type
// shows, except for the drifts, which begin at nothing.
const (
	Healthy              Fault = iota
	Overheating                // cooling fails: 13 to 19 °C warmer, and so drier
	HumiditySpike              // water leaks: 30 to 45 % more humid
	VentilationFailure         // dampers shut: 900 to 1600 ppm more CO₂
	EquipmentMalfunction       // a machine runs wild: 150 to 350 kWh more
	Stuck                      // one metric keeps its value
	Drift                      // one metric runs away slowly
	Dropout                    // the sensor is silent
	GatewayFailure             // all sensors of a floor are silent
	CO2Drift                   // the CO₂ sensor loses its calibration over days
	NightUse                   // people are there at night
	numFaults
)

// episodes says how long faults last on average, in ticks, which metric is at fault where
// that does not vary, and in which others it shows. Single episodes last between 0.2 and 1.8
// times that long. Chosen; the shortest spans many readings at usual intervals.
var episodes = [numFaults]struct {
	name   string
	length int64
	metric reading.Metric
	also   []reading.Metric
}{
	Healthy:              {name: "healthy"},
	Overheating:          {"overheating", 60, reading.Temperature, []reading.Metric{reading.Humidity}},
	HumiditySpike:        {name: "humidity_spike", length: 15, metric: reading.Humidity},
	VentilationFailure:   {"ventilation_failure", 120, reading.CO2, []reading.Metric{reading.Temperature}},
	EquipmentMalfunction: {name: "equipment_malfunction", length: 20, metric: reading.Energy},
	Stuck:                {name: "stuck", length: 180},
	Drift:                {name: "drift", length: 720},
	Dropout:              {name: "dropout", length: 30},
	GatewayFailure:       {name: "gateway_failure", length: 45},
	CO2Drift:             {name: "co2_drift", length: 14_400, metric: reading.CO2},
	NightUse:             {"night_use", 90, reading.Occupancy, []reading.Metric{reading.CO2, reading.Energy}},
}

// Maintenance is announced in the status; it is no fault and changes no value.
const (
	maintenanceShare  = 0.004
	maintenanceLength = 45
	maintenanceIndex  = 15 // the last of its streams, so that a new kind of fault leaves it alone
)

// driftPerHour is how far a drifting metric is off after one hour. Chosen: too
// little to see between two readings, well outside normal after half a day.
var driftPerHour = [reading.NumMetrics]float64{reading.Temperature: 0.5, reading.Humidity: 1.8, reading.CO2: 18}

// String is the name of the fault in configuration and metadata.
func (f Fault) String() string {
	if f < numFaults {
		return episodes[f].name
	}
	return fmt.Sprintf("Fault(%d)", uint8(f))
}

// Also are the metrics in which a fault shows beside the one that is at fault: heat dries
// the air, and people breathe.
func (f Fault) Also() []reading.Metric { return episodes[f].also }

// Faults returns all kinds of faults.
func Faults() []Fault {
	var all []Fault
	for f := Healthy + 1; f < numFaults; f++ {
		all = append(all, f)
	}
	return all
}

// ParseFault returns the kind of fault of that name.
func ParseFault(name string) (Fault, error) {
	var names []string
	for _, f := range Faults() {
		if f.String() == name {
			return f, nil
		}
		names = append(names, f.String())
	}
	return Healthy, fmt.Errorf("unknown fault kind %q, want one of %s", name, strings.Join(names, ", "))
}

// episode is a fault in progress.
type episode struct {
	fault  Fault
	since  int64 // tick
	metric reading.Metric
	size   float64 // meaning depends on the fault
}

// slot is a stretch of time in which one kind of fault holds from end to end or
// not at all. Slots of a kind follow one another; their boundaries are those of
// an even grid, each moved at random by up to 0.4 of the mean length. Whether a
// fault holds does not depend on the boundaries, so at every instant it holds
// with the probability asked for.
type slot struct {
	index    int64
	from, to int64 // ticks
}

func slotAt(key uint64, kind Fault, length, tick int64) slot {
	phase := int64(unit(draw(key, streamPhase+stream(kind), 0)) * float64(length))
	boundary := func(i int64) int64 {
		shift := between(draw(key, streamBoundary+stream(kind), i), -0.4, 0.4)
		return i*length - phase + int64(math.Round(shift*float64(length)))
	}
	i := floorDiv(tick+phase, length)
	for tick < boundary(i) {
		i--
	}
	for tick >= boundary(i+1) {
		i++
	}
	return slot{index: i, from: boundary(i), to: boundary(i + 1)}
}

// silent tells whether readings are missing as long as the fault holds.
func (f Fault) silent() bool { return f == Dropout || f == GatewayFailure }

// schedule finds the fault that holds at a tick and until when that cannot
// change. chance is the probability of each of the kinds; where several hold at
// once, the one that was least probable to hold wins.
func (r *room) schedule(kinds []Fault, chance float64, m *moment, tick int64) {
	s := slotAt(r.key, maintenanceIndex, maintenanceLength, tick)
	r.serviced = unit(draw(r.key, streamEpisode+stream(maintenanceIndex), s.index)) < maintenanceShare
	r.until = s.to

	var found episode
	best := chance
	var bits uint64
	for _, kind := range kinds {
		if kind == NightUse {
			r.until = min(r.until, tick+minutesOfHour-int64(m.minute%minutesOfHour)) // when night may begin or end
			if !r.deserted(m) {
				continue
			}
		}
		key := r.key
		if kind == GatewayFailure {
			key = r.floorKey
		}
		s := slotAt(key, kind, episodes[kind].length, tick)
		r.until = min(r.until, s.to)
		if u := unit(draw(key, streamEpisode+stream(kind), s.index)); u < best {
			best = u
			found = episode{fault: kind, since: s.from}
			bits = draw(key, streamEpisode+stream(kind), math.MinInt64+s.index)
		}
	}
	found, told := r.tell(m, tick, found)
	if told != nil {
		bits = told.bits
	}
	if found.fault == r.episode.fault && found.since == r.episode.since {
		return
	}
	r.episode = found
	r.begin(bits)
	if told != nil && told.size != 0 {
		r.episode.size = told.size
	}
}

const minutesOfHour = 60

// deserted tells whether it is night and nobody works in rooms of this kind.
func (r *room) deserted(m *moment) bool {
	return r.kind.hours != aroundTheClock && (m.minute >= nightBegins*minutesOfHour || m.minute < nightEnds*minutesOfHour)
}

// The hours at which nobody is in a healthy room, except for a technician in one of
// servers.
const nightBegins, nightEnds = 22, 5

// begin draws what is particular to an episode.
func (r *room) begin(bits uint64) {
	e := &r.episode
	e.metric = episodes[e.fault].metric
	anyAir := [...]reading.Metric{reading.Temperature, reading.Humidity, reading.CO2}[bits%3]
	switch e.fault {
	case Overheating:
		e.size = between(bits, 13, 19)
	case HumiditySpike:
		e.size = between(bits, 30, 45)
	case VentilationFailure:
		e.size = between(bits, 900, 1600)
	case EquipmentMalfunction:
		e.size = between(bits, 150, 350)
	case Stuck:
		e.metric = anyAir
		e.size = r.frozen(anyAir)
	case CO2Drift:
		e.size = between(bits, 20, 40)
		if bits>>3&1 == 0 {
			e.size = -e.size
		}
	case NightUse:
		e.size = float64(1 + bits%3)
	case Drift:
		e.metric = anyAir
		e.size = driftPerHour[anyAir]
		if bits>>32&1 == 0 {
			e.size = -e.size
		}
	}
}

// frozen is the value of a metric at the current tick.
func (r *room) frozen(m reading.Metric) float64 {
	switch m {
	case reading.Temperature:
		return r.now.celsius
	case reading.Humidity:
		return 100 * r.now.vapour / saturation(r.now.celsius)
	}
	return r.now.co2
}

// onset grows from 0.4 at once to 1 within some minutes: what fails shows from
// the first reading on.
func (e *episode) onset(second int64) float64 {
	return 1 - 0.6*math.Exp(-float64(second-e.since*tickSeconds)/120)
}

// heat is how much warmer than it should be the room is.
func (e *episode) heat(second int64) float64 {
	if e.fault != Overheating {
		return 0
	}
	return e.size * e.onset(second)
}

// disturb applies the fault to what a healthy sensor would show.
func (e *episode) disturb(second int64, values *[reading.NumMetrics]float64) {
	switch e.fault {
	case HumiditySpike:
		values[reading.Humidity] += e.size * e.onset(second)
	case VentilationFailure:
		// The stale air is that of the whole floor, so it comes at night too: a fault
		// that no value shows could not be found by anybody.
		values[reading.CO2] += e.size * e.onset(second)
		values[reading.Temperature] += 0.8 * e.onset(second)
	case EquipmentMalfunction:
		values[reading.Energy] += e.size * e.onset(second)
	case Stuck:
		values[e.metric] = e.size
	case Drift:
		values[e.metric] += e.size * float64(second-e.since*tickSeconds) / 3600
	case NightUse:
		// With the light on, and some breath.
		values[reading.Occupancy] += e.size
		values[reading.Energy] += 8 + e.size
		values[reading.CO2] += 40 * e.size * e.onset(second)
	case CO2Drift:
		values[reading.CO2] += e.size * float64(second-e.since*tickSeconds) / 86400
	}
}
