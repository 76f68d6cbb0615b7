package baseline_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/baseline"
	"buildmon/internal/testfuzz"
)

// Whatever state is accepted can be used, saved and restored again.
func FuzzFloorsUnmarshal(f *testing.F) {
	for _, days := range []int{0, 15} {
		d := baseline.NewFloors(usual)
		for i := range days * 24 {
			d.Observe("office", start.Add(time.Duration(i)*time.Hour), float64(420+i))
		}
		state, err := d.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(state)
	}
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		d, again := baseline.NewFloors(usual), baseline.NewFloors(usual)
		if d.UnmarshalBinary(data) != nil {
			return
		}
		state, err := d.AppendBinary(nil)
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalBinary(state))
		for i := range 72 {
			at := start.AddDate(0, 0, 16).Add(time.Duration(i) * time.Hour)
			found, ok := d.Observe("office", at, 700)
			found2, ok2 := again.Observe("office", at, 700)
			require.Equal(t, ok, ok2)
			require.Equal(t, found, found2)
			require.True(t, found.Strength >= 0 && found.Strength <= 1, "%v", found)
		}
	})
}

// The same for what is known of rooms in use.
func FuzzPresenceUnmarshal(f *testing.F) {
	for _, days := range []int{0, 15} {
		p := baseline.NewPresence(time.UTC)
		night := start.AddDate(0, 0, 15)
		seen(p, 0, days, between(night, night))
		state, err := p.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(state)
	}
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		p, again := baseline.NewPresence(time.UTC), baseline.NewPresence(time.UTC)
		if p.UnmarshalBinary(data) != nil {
			return
		}
		state, err := p.AppendBinary(nil)
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalBinary(state))
		night := start.AddDate(0, 0, 16)
		uses, _, _ := seen(p, 16, 1, between(night, night.Add(time.Hour)))
		uses2, _, _ := seen(again, 16, 1, between(night, night.Add(time.Hour)))
		require.Equal(t, uses, uses2)
	})
}
