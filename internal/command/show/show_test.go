package show_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/command/show"
)

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1: "-1", -123456: "-123,456",
		math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		require.Equal(t, want, show.Count(n))
	}
	require.Equal(t, "1 window", show.Some(1, "window"))
	require.Equal(t, "0 windows", show.Some(0, "window"))
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 119 * time.Minute: "119 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days", -5 * time.Second: "-5 s",
	} {
		require.Equal(t, want, show.Span(d))
	}
	now := time.Date(2026, 1, 5, 9, 30, 0, 0, time.UTC)
	require.Equal(t, "30 s ago", show.Ago(now, now.Add(-30*time.Second)))
	require.Equal(t, "in 3 h", show.Ago(now, now.Add(3*time.Hour)))
}
