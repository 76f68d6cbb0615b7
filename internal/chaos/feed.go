//go:build unix

package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"buildmon/internal/reading"
)

// What the feed looks like. Each sensor has a reading every step of event time,
// beginning a week ago, at whatever speed the machine allows: event time has
// nothing to do with the clock.
const (
	sensors   = 240
	step      = time.Minute
	lateShare = 0.10  // readings held back and sent up to lateMost later
	lateMost  = 3000  // readings of the feed
	twice     = 0.03  // readings produced a second time
	malformed = 0.002 // messages that are no readings
)

// malformedHeader marks what the producer knows to be no reading.
const malformedHeader = "malformed"

// Fate is what the producer knows about a reading.
type fate uint8

const (
	notSent fate = iota
	unsure       // sent, and Kafka did not say that it has it
	acked        // Kafka has it
)

// Ledger is the producer's own account: the fate of the k-th reading of each
// sensor. It is safe for concurrent use.
type ledger struct {
	mu    sync.Mutex
	fates [sensors][]fate
}

func (l *ledger) set(sensor, k int, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.fates[sensor]) <= k {
		l.fates[sensor] = append(l.fates[sensor], notSent)
	}
	l.fates[sensor][k] = max(l.fates[sensor][k], f)
}

func (l *ledger) count(f fate) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fates := range l.fates {
		for _, have := range fates {
			if have == f {
				n++
			}
		}
	}
	return n
}

// Feed produces readings until its context ends, and keeps the ledger.
type feed struct {
	client *kgo.Client
	topic  string
	origin time.Time
	seed   uint64
	rate   int // messages per second
	ledger ledger

	mu        sync.Mutex
	messages  int // acknowledged, malformed ones and repetitions included
	malformed int // acknowledged
}

// sensorName is the sensor of the given number.
func sensorName(sensor int) string { return fmt.Sprintf("sensor-%03d", sensor) }

// reading is the k-th reading of a sensor. It depends on nothing but the feed's
// seed, so that it can be made again to be compared.
func (f *feed) reading(sensor, k int) *reading.Reading {
	rng := rand.New(rand.NewPCG(f.seed, uint64(sensor)<<32|uint64(k)))
	values := reading.Absent()
	values[reading.Temperature] = round(21 + rng.NormFloat64())
	values[reading.Humidity] = round(45 + 3*rng.NormFloat64())
	values[reading.CO2] = round(600 + 80*rng.NormFloat64())
	values[reading.Occupancy] = float64(rng.IntN(12))
	if sensor%4 != 0 { // a quarter of the sensors know nothing of energy
		values[reading.Energy] = round(40 + 5*rng.NormFloat64())
	}
	if rng.IntN(200) == 0 { // something for the detectors
		values[reading.Temperature] += 15
		values[reading.CO2] += 2000
	}
	return &reading.Reading{
		SensorID: sensorName(sensor),
		Time:     f.origin.Add(time.Duration(k) * step),
		RoomID:   fmt.Sprintf("room-%d", sensor/2),
		Building: fmt.Sprintf("Building %c", 'A'+sensor%3),
		Floor:    fmt.Sprintf("Floor %d", sensor%4),
		RoomType: []string{"Office", "Conference Room", "Server Room"}[sensor%3],
		Status:   "Normal",
		Values:   values,
	}
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

// run produces until ctx ends, then waits until Kafka has answered for all.
func (f *feed) run(ctx context.Context) error {
	rng := rand.New(rand.NewPCG(f.seed, math.MaxUint64))
	type held struct{ sensor, k, due int }
	var late []held
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	start := time.Now()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			for _, h := range late {
				f.send(h.sensor, h.k)
			}
			if err := f.client.Flush(context.WithoutCancel(ctx)); err != nil {
				return fmt.Errorf("producing to %s: %w", f.topic, err)
			}
			return nil
		case <-ticker.C:
		}
		for due := int(time.Since(start).Seconds() * float64(f.rate)); n < due; n++ {
			sensor, k := n%sensors, n/sensors
			if rng.Float64() < lateShare {
				late = append(late, held{sensor, k, n + rng.IntN(lateMost)})
			} else {
				f.send(sensor, k)
			}
			if rng.Float64() < twice {
				f.send(sensor, max(0, k-rng.IntN(50)))
			}
			if rng.Float64() < malformed {
				f.sendMalformed(n)
			}
			for len(late) > 0 && late[0].due <= n {
				f.send(late[0].sensor, late[0].k)
				late = late[1:]
			}
		}
	}
}

func (f *feed) send(sensor, k int) {
	r := f.reading(sensor, k)
	f.ledger.set(sensor, k, unsure)
	record := &kgo.Record{Topic: f.topic, Key: []byte(r.SensorID), Value: r.AppendJSON(nil)}
	f.client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
		if err != nil {
			return
		}
		f.ledger.set(sensor, k, acked)
		f.mu.Lock()
		f.messages++
		f.mu.Unlock()
	})
}

func (f *feed) sendMalformed(n int) {
	text := fmt.Sprintf([]string{
		`{"sensor_id": "broken-%d", "timest`,
		`{"timestamp": "2026-01-05T09:30:00Z", "number": %d}`,
		`{"sensor_id": "x", "timestamp": "2026-01-05T09:30:00Z", "temperature": "warm", "number": %d}`,
		`{"sensor_id": "x", "timestamp": "2150-01-05T09:30:00Z", "number": %d}`,
		"\x00\xff %d",
	}[n%5], n)
	record := &kgo.Record{Topic: f.topic, Value: []byte(text), Headers: []kgo.RecordHeader{{Key: malformedHeader}}}
	f.client.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
		if err != nil {
			return
		}
		f.mu.Lock()
		f.messages++
		f.malformed++
		f.mu.Unlock()
	})
}
