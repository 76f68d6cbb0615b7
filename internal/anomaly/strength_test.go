package anomaly_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"buildmon/internal/anomaly"
)

func TestStrengthBeyond(t *testing.T) {
	f := func(distance, scale, want float64) {
		t.Helper()
		assert.InDelta(t, want, anomaly.StrengthBeyond(distance, scale), 1e-12)
	}

	// By hand: each scale halves what is missing to 1.
	f(0, 2, 0.5)
	f(2, 2, 0.75)
	f(4, 2, 0.875)
	f(6, 2, 0.9375)
	f(1, 2, 1-0.5/math.Sqrt2)
	f(1e308, 1e-308, 1)
	f(math.Inf(1), math.Inf(1), 1)
}
