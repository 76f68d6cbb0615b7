package percentile_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/percentile"
)

func FuzzUnmarshalBinary(f *testing.F) {
	l := percentile.New(config(nil))
	f.Add(marshal(f, l))
	feed(l, 1, 0, 300)
	f.Add(marshal(f, l))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := percentile.New(config(nil))
		if l.UnmarshalBinary(data) != nil {
			return
		}
		// What was accepted can be used, saved and restored again.
		again := percentile.New(config(nil))
		require.NoError(t, again.UnmarshalBinary(marshal(t, l)))
		require.Equal(t, marshal(t, l), marshal(t, again))
		for i := range 200 {
			at := start.Add(time.Duration(i) * time.Minute)
			require.Equal(t, observe(l, "Office", at, float64(i)), observe(again, "Office", at, float64(i)))
		}
	})
}

// Any values at any times: what is found lies past its range by its distance, and
// a restored learner agrees.
func FuzzObserve(f *testing.F) {
	f.Add(make([]byte, 1600))
	f.Add(binary.LittleEndian.AppendUint64(make([]byte, 1200), math.Float64bits(math.MaxFloat64)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := config(func(c *percentile.Config) { c.MinSamples, c.MaxSamples, c.History = 5, 16, time.Hour })
		l, at := percentile.New(c), start
		for ; len(data) >= 12; data = data[12:] {
			v := math.Float64frombits(binary.LittleEndian.Uint64(data))
			at = at.Add(time.Duration(int16(binary.LittleEndian.Uint16(data[8:]))) * time.Second)
			for _, f := range observe(l, "", at, v) {
				require.False(t, math.IsNaN(v) || math.IsInf(v, 0))
				require.True(t, v < f.Low || v > f.High, "%+v", f)
				require.Positive(t, f.Distance)
				require.GreaterOrEqual(t, f.Scale, f.High-f.Low)
			}
		}
		again := percentile.New(c)
		require.NoError(t, again.UnmarshalBinary(marshal(t, l)))
		require.Equal(t, marshal(t, l), marshal(t, again))
	})
}
