package iforest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"buildmon/internal/codec"
)

// In these tests a slot is 10 µs long and the history is 240 µs.
const testHistory = 10 * slots

func rowsBySlot(s *sample) map[int64]int {
	n := map[int64]int{}
	for _, sl := range s.slots {
		n[sl.number] = len(sl.rows)
	}
	return n
}

func offer(s *sample, now int64, at ...int64) {
	for _, t := range at {
		s.add(now, t, []float64{float64(t)}, Judgement{Score: 0.5})
	}
}

func TestSampleKeepsAllWhileThereIsRoom(t *testing.T) {
	s := newSample(testHistory, 100, 1, 1)
	for i := range int64(100) {
		offer(s, i, i)
	}
	require.Equal(t, 100, s.rows)
}

func TestSampleSharesRoomEvenly(t *testing.T) {
	s := newSample(testHistory, 60, 1, 1)
	// A burst, two busy slots and a quiet one.
	for i := range int64(1000) {
		offer(s, 1, i%10)
	}
	for i := range int64(500) {
		offer(s, 11, 10+i%10)
	}
	offer(s, 21, 20, 21, 22, 23, 24)
	for range 500 {
		offer(s, 31, 30)
	}
	require.Equal(t, 60, s.rows)
	got := rowsBySlot(s)
	require.Equal(t, 5, got[2])
	for _, busy := range []int64{0, 1, 3} {
		require.InDelta(t, 18, got[busy], 2, "rows by slot %v", got)
	}
}

// Each of 100 rows is kept in a tenth of 2,000 samples, wherever it comes.
func TestSampleIsUniformWithinASlot(t *testing.T) {
	const runs, offered, kept = 2000, 100, 10
	count := make([]int, offered)
	for seed := range uint64(runs) {
		s := newSample(slots*1000, kept, 1, seed)
		for i := range int64(offered) {
			offer(s, i, i)
		}
		s.each(func(r *row) { count[int(r.values[0])]++ })
	}
	for i, n := range count {
		// Five standard deviations of a binomial with n = 2000, p = 0.1.
		require.InDelta(t, runs*kept/offered, n, 67, "row %d", i)
	}
}

func TestSampleForgetsWhatIsPast(t *testing.T) {
	s := newSample(testHistory, 100, 1, 1)
	offer(s, 9, 0, 5, 9)
	offer(s, 25, 25)
	require.Equal(t, map[int64]int{0: 3, 2: 1}, rowsBySlot(s))
	offer(s, 245, 245) // 24 slots end with this one: the first is past
	require.Equal(t, map[int64]int{2: 1, 24: 1}, rowsBySlot(s))
	offer(s, 245, 9) // too late
	require.Equal(t, map[int64]int{2: 1, 24: 1}, rowsBySlot(s))
	offer(s, 245, 10) // late
	require.Equal(t, map[int64]int{1: 1, 2: 1, 24: 1}, rowsBySlot(s))
	offer(s, 1e15, 1e15)
	require.Equal(t, 1, s.rows)
}

func TestSampleInvariants(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	s := newSample(testHistory, 50, 1, 1)
	now := int64(-500)
	for range 20000 {
		now += rng.Int64N(3)
		offer(s, now, now-rng.Int64N(400))
		total := 0
		for _, sl := range s.slots {
			require.LessOrEqual(t, len(sl.rows), sl.seen)
			for _, r := range sl.rows {
				at := int64(r.values[0])
				require.Equal(t, sl.number, floorDiv(at, s.slot))
				require.Greater(t, at, now-testHistory)
			}
			total += len(sl.rows)
		}
		require.Equal(t, total, s.rows)
		require.LessOrEqual(t, total, 50)
	}
	// A slot that was cut to its share does not grow again when others leave.
	require.InDelta(t, 45, s.rows, 5)
}

func TestSampleGoesOnAfterARestart(t *testing.T) {
	s := newSample(testHistory, 50, 1, 1)
	for i := range int64(300) {
		offer(s, i, i)
	}
	r := codec.NewReader(s.append(codec.AppendHeader(nil, "sample", 1)), "sample", 1)
	restored := newSample(testHistory, 50, 1, 99)
	restored.read(r)
	require.NoError(t, r.Close())
	for i := range int64(300) {
		offer(s, 300+i, 300+i)
		offer(restored, 300+i, 300+i)
	}
	require.Equal(t, s.slots, restored.slots)
}

func TestSampleIsReadUnderOtherSettings(t *testing.T) {
	s := newSample(testHistory, 50, 1, 1)
	for i := range int64(200) {
		offer(s, i, i)
	}
	data := s.append(codec.AppendHeader(nil, "sample", 1))
	f := func(restored *sample, want int) {
		t.Helper()
		r := codec.NewReader(data, "sample", 1)
		restored.read(r)
		require.NoError(t, r.Close())
		require.Equal(t, want, restored.rows)
	}

	f(newSample(testHistory, 50, 1, 1), 50)
	f(newSample(testHistory, 20, 1, 1), 20)
	f(newSample(2*testHistory, 50, 1, 1), 0)
}
