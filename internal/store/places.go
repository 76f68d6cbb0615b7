package store

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"buildmon/internal/reading"
)

// place is where a sensor reports from.
type place struct {
	room, building, floor, roomType string
}

func placeOf(r *reading.Reading) place {
	return place{r.RoomID, r.Building, r.Floor, r.RoomType}
}

// places remembers the place of each sensor that is in sensor_places, so that the
// table is written to when something is new and not for every reading. It is safe for
// concurrent use.
//
// It remembers hashes, which take a fifth of the memory of texts. That one of 63 bits
// hides a new place is as good as impossible; sensors of one hash are only written more
// often than they need be.
type places struct {
	mu    sync.Mutex
	seed  maphash.Seed
	known map[uint64]uint64 // places by sensors
}

func newPlaces() *places { return &places{seed: maphash.MakeSeed(), known: map[uint64]uint64{}} }

// forget makes every place new again.
func (p *places) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.known)
}

// news are the places in readings that are not known yet.
func (p *places) news(rs []*reading.Reading) []*sighting {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found map[sensorPlace]*sighting
	for _, r := range rs {
		key := sensorPlace{r.SensorID, placeOf(r)}
		if sensor, place := p.hash(&key); p.known[sensor] == place {
			continue
		}
		s := found[key]
		if s == nil {
			if found == nil {
				found = map[sensorPlace]*sighting{}
			}
			s = &sighting{sensorPlace: key, first: r.Time, last: r.Time}
			found[key] = s
		}
		if r.Time.Before(s.first) {
			s.first = r.Time
		}
		if r.Time.After(s.last) {
			s.last = r.Time
		}
	}
	// In the order of their keys, so that two writers do not deadlock.
	sorted := make([]*sighting, 0, len(found))
	for _, s := range found {
		sorted = append(sorted, s)
	}
	slices.SortFunc(sorted, func(a, b *sighting) int { return a.compare(&b.sensorPlace) })
	return sorted
}

// remember notes places that were committed.
func (p *places) remember(committed []*sighting) {
	if len(committed) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range committed {
		sensor, place := p.hash(&s.sensorPlace)
		p.known[sensor] = place
	}
}

// hash is that of a sensor, and of its place, which is not 0.
func (p *places) hash(of *sensorPlace) (sensor, place uint64) {
	return maphash.String(p.seed, of.sensor), maphash.Comparable(p.seed, of.place) | 1
}

// sensorPlace is the key of sensor_places.
type sensorPlace struct {
	sensor string
	place
}

func (a *sensorPlace) compare(b *sensorPlace) int {
	return cmp.Or(cmp.Compare(a.sensor, b.sensor), cmp.Compare(a.room, b.room), cmp.Compare(a.building, b.building),
		cmp.Compare(a.floor, b.floor), cmp.Compare(a.roomType, b.roomType))
}

// sighting says when a sensor was seen at a place.
type sighting struct {
	sensorPlace
	first, last time.Time
}

const addPlacesSQL = `
INSERT INTO sensor_places AS p (sensor_id, room_id, building, floor, room_type, first_seen, last_seen)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
ON CONFLICT (sensor_id, room_id, building, floor, room_type) DO UPDATE SET
	first_seen = least(p.first_seen, excluded.first_seen), last_seen = greatest(p.last_seen, excluded.last_seen)`

// refreshPlacesSQL brings last_seen near to what view sensors says, so that it is
// still known when the reading is past retention.
const refreshPlacesSQL = `
UPDATE sensor_places p SET last_seen = s.last_seen FROM sensors s
WHERE (p.sensor_id, p.room_id, p.building, p.floor, p.room_type) IS NOT DISTINCT FROM (s.sensor_id, s.room_id, s.building, s.floor, s.room_type)
	AND p.sensor_id = s.sensor_id AND p.last_seen < s.last_seen`

// queuePlaces notes places in sensor_places.
func queuePlaces(b *pgx.Batch, found []*sighting) {
	n := len(found)
	if n == 0 {
		return
	}
	sensors, firsts, lasts := make([]string, n), make([]time.Time, n), make([]time.Time, n)
	var texts [4][]pgtype.Text
	for i := range texts {
		texts[i] = make([]pgtype.Text, n)
	}
	for i, s := range found {
		sensors[i], firsts[i], lasts[i] = s.sensor, s.first, s.last
		for j, t := range [...]string{s.room, s.building, s.floor, s.roomType} {
			texts[j][i] = text(t)
		}
	}
	b.Queue(addPlacesSQL, sensors, texts[0], texts[1], texts[2], texts[3], firsts, lasts)
}
