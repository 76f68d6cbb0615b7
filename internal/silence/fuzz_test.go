package silence_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/silence"
	"buildmon/internal/testfuzz"
)

// Whatever comes, in whatever order: a sensor is found silent once until it reports
// again, silent since its newest reading, and never sooner than it may be; a
// detector that is saved and restored anywhere goes on as if nothing had happened.
func FuzzObserve(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 1, 0, 2, 1, 0})
	var regular []byte
	for i := range 200 {
		regular = append(regular, byte(i%3), 60, 0)
	}
	f.Add(append(append([]byte{}, regular...), 255, 255, 255, 0, 60, 0, 1, 60, 0))
	f.Add(append(append([]byte{}, regular...), 0, 0, 40, 1, 0, 40, 0, 1, 0, 2, 1, 0, 130, 0, 0))
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		if len(data) > 3000 {
			return
		}
		cfg := silence.Config{Intervals: 3, Least: time.Minute}
		d, twin := silence.New(cfg), silence.New(cfg)
		at := monday
		newest, told := map[string]time.Time{}, map[string]bool{}
		for i := 0; i+3 <= len(data); i += 3 {
			id := string('a' + rune(data[i]%7))
			at = at.Add(time.Duration(binary.LittleEndian.Uint16(data[i+1:])) * time.Second)
			when := at.Add(-time.Duration(data[i]/64) * 100 * time.Second) // late
			r := &silence.Reading{Sensor: id, Time: when, Group: []string{string('A' + rune(data[i]%7)/3), ""}}
			found := d.Observe(r, later, nil)
			require.Equal(t, found, twin.Observe(r, later, nil))
			for _, s := range all(found) {
				require.False(t, told[s.Sensor], "found twice")
				require.True(t, s.Last.Equal(newest[s.Sensor]), "since its newest reading")
				require.GreaterOrEqual(t, s.Patience, max(cfg.Least, time.Duration(cfg.Intervals)*s.Usual))
				told[s.Sensor] = true
			}
			if when.After(newest[id]) {
				newest[id], told[id] = when, false
			}
			for _, f := range found {
				for _, s := range f.Sensors {
					// Who is left when half of an outage is back may be found again, alone.
					told[s.Sensor] = told[s.Sensor] && len(f.Sensors) == 1
				}
			}
			if i%30 == 0 {
				state, err := twin.AppendBinary(nil)
				require.NoError(t, err)
				twin = silence.New(cfg)
				require.NoError(t, twin.UnmarshalBinary(state))
				again, err := twin.AppendBinary(nil)
				require.NoError(t, err)
				require.Equal(t, state, again)
			}
		}
	})
}

func all(found []silence.Finding) (sensors []silence.Silent) {
	for _, f := range found {
		sensors = append(sensors, f.Sensors...)
	}
	return sensors
}

func FuzzUnmarshal(f *testing.F) {
	d := silence.New(usual)
	observe(d, inOrder(floor("1", 4, 0, hour), floor("2", 4, 0, 2*hour)))
	state, err := d.AppendBinary(nil)
	require.NoError(f, err)
	f.Add(state)
	f.Add([]byte{})
	testfuzz.Bytes(f, func(t *testing.T, data []byte) {
		d := silence.New(usual)
		if d.UnmarshalBinary(data) != nil {
			require.Zero(t, d.Sensors())
			return
		}
		observe(d, floor("1", 4, hour, hour+time.Minute))
		d.Tick(later.Add(time.Hour), nil)
		_, err := d.AppendBinary(nil)
		require.NoError(t, err)
	})
}
