package tumblingwindow

import (
	"fmt"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"buildmon/internal/reading"
	"buildmon/plugins/internal/carry"
)

// BenchmarkProcess is the cost of a reading in batches of 5000. "decoded" finds
// the readings as an earlier processor left them, which is what windows alone
// cost; "raw" has to decode them first.
func BenchmarkProcess(b *testing.B) {
	const size = 5000
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	for _, groups := range []int{12, 1000} {
		for _, decoded := range []bool{false, true} {
			b.Run(fmt.Sprintf("groups=%d/decoded=%t", groups, decoded), func(b *testing.B) {
				p := newProcessor(b, "")
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; n += size {
					b.StopTimer()
					batch := make(service.MessageBatch, size)
					at := start.Add(time.Duration(n/size) * time.Second).Format(time.RFC3339)
					for i := range batch {
						batch[i] = service.NewMessage(fmt.Appendf(nil,
							`{"sensor_id":"sensor-%d","building":"Building %d","floor":"Floor %d","temperature":22.31,"humidity":45.2,"co2":612.4,"occupancy":7,"energy_consumption":41.7,"timestamp":%q}`,
							i, i%groups/10, i%groups%10, at))
					}
					if decoded {
						carry.NewDecoder(time.Now).Batch(batch)
					}
					b.StartTimer()
					if _, err := p.ProcessBatch(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkEncode is the cost of a row as JSON.
func BenchmarkEncode(b *testing.B) {
	w := newWindows(b, "")
	items := carry.NewDecoder(time.Now).Batch(service.MessageBatch{message(1, `"temperature":22.31,"humidity":45.2,"co2":612.4,"occupancy":7,"energy_consumption":41.7,`)})
	rows := w.add(items[0].Lane, []*reading.Reading{items[0].Reading})
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = w.encoder.append(buf[:0], &rows[0])
	}
}
