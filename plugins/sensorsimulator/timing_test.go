package sensorsimulator

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func BenchmarkReadBatch(b *testing.B) {
	in, err := build(b, `{start_time: "2020-01-01T00:00:00Z", speed: 0}`, time.Now)
	require.NoError(b, err)
	b.ReportAllocs()
	var n int
	for b.Loop() {
		batch, _, err := in.ReadBatch(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		n += len(batch)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
}
