package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkLane is the cost of a record on its way from a fetch to a message and
// through its acknowledgement, in batches of 1000.
func BenchmarkLane(b *testing.B) {
	const n = 1000
	ls, _ := testLanes(laneLimits{records: n, bytes: 1 << 30})
	ls.assign(only(first), 1)
	at := time.Unix(1_767_605_400, 0)
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: first.topic, Key: []byte("room-101"), Value: make([]byte, 250), Offset: int64(1000 + i), Timestamp: at}
	}
	fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: first.topic, Partitions: []kgo.FetchPartition{{Records: records}}}}}}
	b.ReportAllocs()
	for b.Loop() {
		ls.push(fetches)
		d, _ := ls.take()
		d.messages()
		ls.resolve(d, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
