package simulate_test

import (
	"testing"
	"time"

	"buildmon/internal/simulate"
)

func BenchmarkSimulator(b *testing.B) {
	s, err := simulate.New(portfolio())
	if err != nil {
		b.Fatal(err)
	}
	var e simulate.Event
	b.ReportAllocs()
	for b.Loop() {
		s.Next(&e)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

func BenchmarkTransport(b *testing.B) {
	for name, on := range map[string]simulate.TransportConfig{
		"calm":      {LateBy: time.Minute},
		"disturbed": {Late: 0.05, OutOfOrder: 0.05, Duplicated: 0.05, Malformed: 0.01, LateBy: time.Minute},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := simulate.New(portfolio())
			if err != nil {
				b.Fatal(err)
			}
			tr, err := simulate.NewTransport(on, s)
			if err != nil {
				b.Fatal(err)
			}
			var d simulate.Delivery
			b.ReportAllocs()
			for b.Loop() {
				tr.Next(&d)
			}
		})
	}
}

// New warms up each room over a day.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := simulate.New(portfolio()); err != nil {
			b.Fatal(err)
		}
	}
}
