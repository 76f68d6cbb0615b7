//go:build unix

package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScheduleDependsOnTheSeedAlone(t *testing.T) {
	draw := func(seed uint64) Schedule { return newSchedule(seed, 1001, 20*time.Minute, []int{1, 3}, false) }
	require.Equal(t, draw(7), draw(7))
	require.NotEqual(t, draw(7), draw(8))
}

func TestScheduleHoldsEveryKindInEveryPhase(t *testing.T) {
	for _, alone := range []bool{false, true} {
		s := newSchedule(1, 101, time.Minute, []int{1, 3}, alone)
		require.Len(t, s.Phases, 2)
		require.Len(t, s.Phases[0].Faults, 51)
		require.Len(t, s.Phases[1].Faults, 50)
		for _, phase := range s.Phases {
			kinds := map[Kind]bool{}
			last := Millis(0)
			for _, f := range phase.Faults {
				kinds[f.Kind] = true
				require.GreaterOrEqual(t, f.At, last, "in the order of time")
				require.Less(t, f.At, phase.Over)
				last = f.At
			}
			require.Len(t, kinds, len(profiles))
		}
	}
}

func TestScheduleSurvivesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "schedule.json")
	want := newSchedule(3, 50, time.Minute, []int{2}, true)
	require.NoError(t, want.save(path))
	got, err := loadSchedule(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestOptionsAreChecked(t *testing.T) {
	for _, args := range [][]string{
		{"-processes", "0"}, {"-processes", "1,x"}, {"-faults", "-1"}, {"-over", "0s"}, {"-rate", "0"}, {"-replay", "missing.json"},
	} {
		require.Error(t, run(t.Context(), args), "%v", args)
	}
}
