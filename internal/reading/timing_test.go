package reading_test

import (
	"encoding/json"
	"testing"
	"time"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
)

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	d, message := decoder(), []byte(wire)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, err := d.Decode(message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeBuildings is of a thousand sensors that report in turn, as a partition
// holds them.
func BenchmarkDecodeBuildings(b *testing.B) {
	b.ReportAllocs()
	start := time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)
	s, err := simulate.New(simulate.Config{
		Seed: 1, Buildings: 3, Floors: 4, RoomsPerFloor: 84, Location: time.UTC, Start: start, End: start.Add(5 * time.Minute),
		Interval: 10 * time.Second, FaultShare: 0.05, FaultKinds: simulate.Faults(),
	})
	if err != nil {
		b.Fatal(err)
	}
	var messages [][]byte
	for e := (simulate.Event{}); s.Next(&e); {
		messages = append(messages, e.Reading.AppendJSON(nil))
	}
	d := decoder()
	var r reading.Reading
	for n := 0; b.Loop(); n++ {
		if err := d.DecodeTo(&r, messages[n%len(messages)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGeneric is what decoding into a map costs, for comparison.
func BenchmarkGeneric(b *testing.B) {
	b.ReportAllocs()
	message := []byte(wire)
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		var m map[string]any
		if err := json.Unmarshal(message, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	b.ReportAllocs()
	r, err := decoder().Decode([]byte(wire))
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	for b.Loop() {
		buf = r.AppendJSON(buf[:0])
	}
}
