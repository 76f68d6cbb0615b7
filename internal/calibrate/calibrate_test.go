package calibrate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/calibrate"
	"buildmon/internal/codec"
)

func TestProbability(t *testing.T) {
	tail := calibrate.NewTail(4)
	f := func(score, want float64) {
		t.Helper()
		assert.InDelta(t, want, tail.Probability(score), 1e-12)
	}

	f(7, 1)
	for _, v := range []float64{1, 2, 2, 3, math.NaN()} {
		tail.Remember(v)
	}
	// By hand: (1 + how many are as large)/5.
	f(0, 1)
	f(1, 1)
	f(1.5, 0.8)
	f(2, 0.8)
	f(2.5, 0.4)
	f(3, 0.4)
	f(3.5, 0.2) // too few to say more
	tail.Remember(4)
	f(1, 1) // the first 1 is forgotten: 2, 2, 3, 4
	f(4, 0.4)
	assert.Equal(t, 4, tail.Len())
}

// Past the largest of 1,000 scores from an exponential distribution its probability
// goes on to fall exponentially.
func TestProbabilityBeyondTheLargest(t *testing.T) {
	tail := calibrate.NewTail(1000)
	for i := range 1000 {
		tail.Remember(-math.Log((float64(i) + 0.5) / 1000)) // quantiles, mean 1
	}
	for _, score := range []float64{8, 10, 14} {
		// The largest of 1,000 counts as one in 1,001 and is one in 2,000 here.
		assert.InDelta(t, -score+math.Log(2), math.Log(tail.Probability(score)), 0.2, "%v", score)
	}
	assert.Greater(t, tail.Probability(math.Inf(1)), 0.0)
}

// The probabilities of scores that all come from one distribution are evenly spread.
func TestProbabilityIsCalibrated(t *testing.T) {
	tail := calibrate.NewTail(calibrate.DefaultSize)
	rng := rand.New(rand.NewPCG(1, 2))
	below := map[float64]int{0.5: 0, 0.1: 0, 0.01: 0}
	const rows = 20_000
	for i := range rows + 1000 {
		score := rng.ExpFloat64() / (1 + rng.ExpFloat64())
		p := tail.Probability(score)
		tail.Remember(score)
		for level := range below {
			if i >= 1000 && p <= level {
				below[level]++
			}
		}
	}
	for level, n := range below {
		assert.InEpsilon(t, level, float64(n)/rows, 0.2, "%v", level)
	}
}

func TestProbabilityFallsWithTheScore(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 200 {
		tail := calibrate.NewTail(1 + n)
		for range 2 * n {
			tail.Remember(float64(rng.IntN(20)))
		}
		last := 1.0
		for score := -1.0; score < 40; score += 0.5 {
			p := tail.Probability(score)
			require.LessOrEqual(t, p, last)
			require.Greater(t, p, 0.0)
			last = p
		}
	}
}

func TestScoreAndCombine(t *testing.T) {
	// By hand.
	assert.Equal(t, 0.0, calibrate.Score(1))
	assert.InDelta(t, 0.5, calibrate.Score(1e-3), 1e-12)
	assert.InDelta(t, 2.0/3, calibrate.Score(1e-6), 1e-12)
	assert.InDelta(t, 0.75, calibrate.Score(1e-9), 1e-12)
	assert.Less(t, calibrate.Score(1e-300), 1.0)
	assert.InDelta(t, 0.03, calibrate.Combine(0.5, 0.01, 1), 1e-12)
	assert.Equal(t, 1.0, calibrate.Combine(0.5, 0.9))
	assert.Equal(t, 1.0, calibrate.Combine())
}

func TestStateComesBack(t *testing.T) {
	tail := calibrate.NewTail(100)
	for i := range 250 {
		tail.Remember(math.Sin(float64(i)))
	}
	data := tail.Append(codec.AppendHeader(nil, "t", 1))
	restored := calibrate.NewTail(100)
	r := codec.NewReader(data, "t", 1)
	restored.Read(r)
	require.NoError(t, r.Close())
	for i := range 250 {
		score := math.Cos(float64(i))
		require.Equal(t, tail.Probability(score), restored.Probability(score))
		tail.Remember(score)
		restored.Remember(score)
	}
	require.Equal(t, tail.Append(nil), restored.Append(nil))

	r = codec.NewReader(codec.AppendFloat(codec.AppendUint(codec.AppendHeader(nil, "t", 1), 1), math.NaN()), "t", 1)
	restored.Read(r)
	require.ErrorContains(t, r.Close(), "a value of NaN cannot be")
}

func BenchmarkTail(b *testing.B) {
	tail := calibrate.NewTail(calibrate.DefaultSize)
	rng := rand.New(rand.NewPCG(1, 2))
	scores := make([]float64, 4096)
	for i := range scores {
		scores[i] = rng.Float64()
		tail.Remember(scores[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tail.Probability(scores[i&4095])
		tail.Remember(scores[i&4095])
		i++
	}
}
