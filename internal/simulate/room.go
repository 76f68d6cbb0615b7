package simulate

import (
	"math"

	"buildmon/internal/reading"
)

// The state of a room advances on a grid of its own, whatever the interval of
// the readings, so that the same instant has the same state.
const (
	tickSeconds = 60
	tickMillis  = tickSeconds * 1000
)

const (
	// outdoorCO2 is the concentration that fresh air brings, in ppm: the global
	// mean of recent years (NOAA Global Monitoring Laboratory).
	outdoorCO2 = 420

	// breathCO2 is what a person doing office work exhales, in l/s: 0.0052 at
	// 1.2 met (ASHRAE 62.1, appendix on CO₂ and ventilation; Persily and de Jonge,
	// "Carbon dioxide generation rates for building occupants", 2017, agree).
	breathCO2 = 0.0052

	// nightAir is the share of the fresh air that remains outside working hours
	// in a room where nobody is.
	nightAir = 0.6

	// thermalLag is how long heating or cooling takes to do 63 % of its work, in
	// seconds.
	thermalLag = 40 * 60

	// noiseMemory is the correlation of the noise of consecutive readings.
	noiseMemory = 0.7
)

// noise is the deviation of what sensors add, energy as a share of its value.
// Chosen, of the order of the repeatability that makers of such sensors state.
var noise = [...]struct {
	metric    reading.Metric
	deviation float64
}{{reading.Temperature, 0.06}, {reading.Humidity, 0.3}, {reading.CO2, 5}, {reading.Energy, 0.015}}

var thermalStep = 1 - math.Exp(-tickSeconds/float64(thermalLag))

// air is the state of a room that has a memory.
type air struct {
	celsius float64
	vapour  float64 // hPa
	co2     float64 // ppm
}

type room struct {
	place
	key      uint64 // of its own draws
	floorKey uint64 // of those that all rooms of its floor share

	// What tells this room from others of its kind.
	capacity float64
	offset   float64 // °C
	size     float64 // factor for energy

	// now and next are the air at the current tick and the one after it; readings
	// lie between them. people and energy hold for the whole tick.
	now, next air
	people    int
	energy    float64

	noise    [reading.NumMetrics]float64
	episode  episode
	serviced bool  // under maintenance
	until    int64 // tick at which episode and serviced are looked up again
	stories  []*story
}

func newRoom(seed uint64, p place) room {
	r := room{place: p, key: keyOf(seed, p.sensorID), floorKey: keyOf(seed, p.building+"/"+p.floor), until: math.MinInt64}
	r.capacity = math.Round(p.kind.capacity * between(draw(r.key, streamRoom, 0), 0.8, 1.2))
	r.offset = between(draw(r.key, streamRoom, 1), -0.6, 0.6)
	r.size = between(draw(r.key, streamRoom, 2), 0.85, 1.15)
	r.next = air{p.kind.setpoint, p.kind.humidity / 100 * saturation(p.kind.setpoint), outdoorCO2}
	return r
}

// advance takes the room to the tick of m.
func (r *room) advance(m *moment) {
	k := r.kind
	r.now = r.next
	r.people = k.people(r.key, r.capacity, m, k.index)
	inUse := m.inUse[k.index]

	target := k.setpoint
	if !inUse {
		target -= k.setback * m.cold
	}
	r.energy = r.size * (k.base + k.perPerson*float64(r.people) + k.perKelvin*math.Abs(target-m.outdoor) +
		0.03*k.base*smooth(r.key, streamLoad, m.second, 2*3600))
	if inUse {
		r.energy += r.size * k.inUse
	}

	full := float64(r.people) / r.capacity
	target += r.offset + k.crowding*full + 0.03*k.exposure*(m.outdoor-11) + 0.2*smooth(r.key, streamSun, m.second, 3*3600)
	vapour := k.humidity/100*saturation(k.setpoint) + 0.08*k.exposure*(m.vapour-10) + 0.5*full +
		0.25*smooth(r.key, streamMoisture, m.second, 4*3600)
	r.next.celsius += (target - r.now.celsius) * thermalStep
	r.next.vapour += (vapour - r.now.vapour) * thermalStep

	// The mass balance of CO₂, V·dC/dt = G − Q·(C − outdoor), solved exactly over
	// one tick during which people and ventilation stay as they are.
	supply, step := k.freshAir*r.capacity, k.airStep // l/s
	if !inUse && r.people == 0 {
		supply, step = supply*nightAir, k.airStepNight
	}
	level := outdoorCO2 + 1e6*breathCO2*k.activity*float64(r.people)/supply
	r.next.co2 += (level - r.now.co2) * step
}

// stir draws the noise of one step.
func (r *room) stir(step int64) {
	fresh := math.Sqrt(1 - noiseMemory*noiseMemory)
	for i := range noise {
		n := &r.noise[noise[i].metric]
		*n = noiseMemory**n + fresh*noise[i].deviation*bell(draw(r.key, streamNoise+stream(i), step))
	}
}

// measure fills in what the sensor shows part of the way from this tick to the
// next, at the given second, with the fault that holds.
func (r *room) measure(part float64, second int64, values *[reading.NumMetrics]float64) {
	celsius := r.now.celsius + (r.next.celsius-r.now.celsius)*part + r.episode.heat(second)
	vapour := r.now.vapour + (r.next.vapour-r.now.vapour)*part
	co2 := r.now.co2 + (r.next.co2-r.now.co2)*part

	// Warm air holds more vapour, so relative humidity falls as a room heats up.
	values[reading.Temperature] = celsius + r.noise[reading.Temperature]
	values[reading.Humidity] = 100*vapour/saturation(celsius) + r.noise[reading.Humidity]
	values[reading.CO2] = co2 + r.noise[reading.CO2]
	values[reading.Occupancy] = float64(r.people)
	values[reading.Energy] = r.energy * (1 + r.noise[reading.Energy])
	r.episode.disturb(second, values)
	round(values)
}

// round cuts values to what a sensor can show.
func round(values *[reading.NumMetrics]float64) {
	to := func(v, low, high, perUnit float64) float64 {
		return math.Round(min(max(v, low), high)*perUnit) / perUnit
	}
	values[reading.Temperature] = to(values[reading.Temperature], -40, 85, 100)
	values[reading.Humidity] = to(values[reading.Humidity], 0, 100, 10)
	values[reading.CO2] = to(values[reading.CO2], 0, 10_000, 10)
	values[reading.Energy] = to(values[reading.Energy], 0, math.MaxFloat64, 100)
}
