package limits_test

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/limits"
	"buildmon/internal/testfuzz"
)

func FuzzUnmarshalBinary(f *testing.F) {
	s := newSensor()
	f.Add(marshal(f, s.Detector))
	for i := range 300 {
		s.see(float64(i % 7))
	}
	f.Add(marshal(f, s.Detector))
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		a, b := newSensor(), newSensor()
		if a.UnmarshalBinary(data) != nil {
			return
		}
		// What was accepted can be used, saved and restored again.
		require.NoError(t, b.UnmarshalBinary(marshal(t, a.Detector)))
		require.Equal(t, marshal(t, a.Detector), marshal(t, b.Detector))
		for i := range 200 {
			require.Equal(t, a.see(float64(i)), b.see(float64(i)))
		}
	})
}

// Any values at any times: scores are shares, what is found lies past its limits,
// and a restored detector agrees.
func FuzzObserve(f *testing.F) {
	f.Add(make([]byte, 4000))
	f.Add(binary.LittleEndian.AppendUint64(make([]byte, 3996), math.Float64bits(1e149)))
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		s := newSensor()
		for ; len(data) >= 12; data = data[12:] {
			v := math.Float64frombits(binary.LittleEndian.Uint64(data))
			s.at = s.at.Add(time.Duration(int32(binary.LittleEndian.Uint32(data[8:]))) * time.Second)
			for _, f := range s.see(v) {
				require.False(t, math.IsNaN(v) || math.IsInf(v, 0))
				require.True(t, f.View == limits.Stuck || f.Seen < f.Low || f.Seen > f.High, "%+v", f)
			}
			for _, score := range []float64{s.scores[0].Past, s.scores[0].Stuck} {
				require.True(t, score >= 0 && score <= 1, "%v", s.scores)
			}
		}
		again := newSensor()
		require.NoError(t, again.UnmarshalBinary(marshal(t, s.Detector)))
		require.Equal(t, marshal(t, s.Detector), marshal(t, again.Detector))
	})
}
