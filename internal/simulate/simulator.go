package simulate

import (
	"math"
	"time"

	"buildmon/internal/reading"
)

// WarmUp is how long the state of a room is simulated before the first reading.
// The slowest memory, that of CO₂ in a warehouse at night, fades to e⁻²² of
// itself in that time.
const WarmUp = 24 * time.Hour

// noiseSteps is how many steps of noise precede the first reading; what was
// before them counts for less than 1e-12.
const noiseSteps = 80

// Truth is what a detector would like to know of a reading.
type Truth struct {
	Fault  Fault          // Healthy when nothing is wrong
	Metric reading.Metric // the metric at fault; meaningless when nothing is wrong
}

// Event is a reading and the truth about it.
type Event struct {
	Reading reading.Reading
	Truth   Truth
}

// Simulator makes the readings of a portfolio in the order of their event time.
// It is not safe for concurrent use.
type Simulator struct {
	cfg    Config
	chance float64 // of each kind of fault at any instant

	rooms    []room
	interval int64 // milliseconds
	end      int64 // milliseconds since the Unix epoch

	tick int64 // current state of the rooms
	step int64 // number of the interval since the Unix epoch
	next int   // room that speaks next in this interval

	made   int64
	silent [numFaults]int64
}

// New returns a simulator whose rooms have been warmed up to the start. Readings
// lie on a grid of intervals since the Unix epoch, each sensor at an offset of
// its own within it, so the first reading lies on or after the start.
func New(cfg Config) (*Simulator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Simulator{cfg: cfg, interval: cfg.Interval.Milliseconds(), end: math.MaxInt64}
	if !cfg.End.IsZero() {
		s.end = ceilMillis(cfg.End)
	}
	if len(cfg.FaultKinds) > 0 {
		// Kinds come independently; this makes the probability of any be FaultShare.
		s.chance = 1 - math.Pow(1-cfg.FaultShare, 1/float64(len(cfg.FaultKinds)))
	}
	s.rooms = make([]room, 0, cfg.Buildings*cfg.Floors*cfg.RoomsPerFloor)
	for b := range cfg.Buildings {
		for f := range cfg.Floors {
			for r := range cfg.RoomsPerFloor {
				room := newRoom(cfg.Seed, placeAt(b, f, r))
				if cfg.Stories {
					room.stories = storiesOf(b, f, r)
				}
				s.rooms = append(s.rooms, room)
			}
		}
	}
	s.seek(ceilMillis(cfg.Start))
	return s, nil
}

// seek goes to the first reading at or after an instant.
func (s *Simulator) seek(start int64) {
	s.step = floorDiv(start, s.interval)
	for s.next = 0; s.next < len(s.rooms) && s.nextMillis() < start; {
		s.next++
	}
	if s.next == len(s.rooms) {
		s.step, s.next = s.step+1, 0
	}
	first := floorDiv(s.nextMillis(), tickMillis)
	for s.tick = first - int64(WarmUp/time.Second)/tickSeconds - 1; s.tick < first; {
		s.advance()
	}
	for i := range s.rooms {
		r := &s.rooms[i]
		// The step itself is drawn with its reading.
		last := s.step
		if i < s.next {
			last++
		}
		for step := last - noiseSteps; step < last; step++ {
			r.stir(step)
		}
	}
}

func (s *Simulator) nextMillis() int64 {
	return s.step*s.interval + int64(s.next)*s.interval/int64(len(s.rooms))
}

// advance takes all rooms to the next tick.
func (s *Simulator) advance() {
	s.tick++
	m := momentAt(s.cfg.Seed, s.cfg.Location, s.tick)
	for i := range s.rooms {
		r := &s.rooms[i]
		r.advance(&m)
		if s.tick >= r.until {
			r.schedule(s.cfg.FaultKinds, s.chance, &m, s.tick)
		}
	}
}

// Next fills in the next event and reports whether there was one. It allocates
// nothing; the texts of the reading are shared.
func (s *Simulator) Next(e *Event) bool {
	for {
		at := s.nextMillis()
		if at >= s.end || (s.cfg.Count > 0 && s.made >= s.cfg.Count) {
			return false
		}
		for at >= (s.tick+1)*tickMillis {
			s.advance()
		}
		r := &s.rooms[s.next]
		r.stir(s.step)
		if s.next++; s.next == len(s.rooms) {
			s.step, s.next = s.step+1, 0
		}
		if r.episode.fault.silent() {
			s.silent[r.episode.fault]++
			continue
		}
		s.made++
		r.measure(float64(at-s.tick*tickMillis)/tickMillis, floorDiv(at, 1000), &e.Reading.Values)
		e.Reading.SensorID, e.Reading.RoomID = r.sensorID, r.roomID
		e.Reading.Building, e.Reading.Floor, e.Reading.RoomType = r.building, r.floor, r.kind.name
		e.Reading.Status = Status(&e.Reading.Values, r.serviced)
		e.Reading.Time = time.UnixMilli(at).UTC()
		e.Reading.Extra = nil
		e.Truth = Truth{Fault: r.episode.fault, Metric: r.episode.metric}
		return true
	}
}

// Silent is the number of readings that a fault has left out so far: a dropout or
// the failure of a gateway.
func (s *Simulator) Silent(f Fault) int64 { return s.silent[f] }

// Sensors is the number of sensors.
func (s *Simulator) Sensors() int { return len(s.rooms) }

func ceilMillis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return ms
}
