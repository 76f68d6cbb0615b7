package lanes

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/plugins/internal/carry"
)

// tally is a state that counts how often it was fed.
type tally struct{ n uint64 }

func (c *tally) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint64(b, c.n), nil
}

func (c *tally) UnmarshalBinary(data []byte) error {
	if len(data) != 8 {
		return errors.New("unknown version")
	}
	c.n = binary.BigEndian.Uint64(data)
	return nil
}

func keeper(t *testing.T, res *service.Resources, config string) *Keeper[*tally] {
	t.Helper()
	conf, err := service.NewConfigSpec().Field(Field("counter")).ParseYAML(config, nil)
	require.NoError(t, err)
	k, err := New(conf, res, func(string) *tally { return &tally{} })
	require.NoError(t, err)
	return k
}

func feed(t *testing.T, k *Keeper[*tally], lane carry.Lane) (n uint64) {
	t.Helper()
	require.NoError(t, k.Do(t.Context(), lane, func(c *tally) { c.n++; n = c.n }))
	return n
}

const kept = "state: { cache: learned }"

func TestStateIsPerLaneAndSurvivesARestart(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	k := keeper(t, res, kept)
	one, two := carry.Lane{Name: "sensors/1", Epoch: "1"}, carry.Lane{}
	require.EqualValues(t, 1, feed(t, k, one))
	require.EqualValues(t, 2, feed(t, k, one))
	require.EqualValues(t, 1, feed(t, k, two))
	require.NoError(t, k.Close(t.Context()))

	k = keeper(t, res, kept)
	require.EqualValues(t, 3, feed(t, k, one))
	require.EqualValues(t, 2, feed(t, k, two))
}

func TestAssignmentAnewLoadsWhatAnotherProcessSaved(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	here, there := keeper(t, res, kept), keeper(t, res, kept)
	feed(t, here, carry.Lane{Name: "sensors/1", Epoch: "1"})
	require.NoError(t, here.Close(t.Context()))
	require.EqualValues(t, 2, feed(t, there, carry.Lane{Name: "sensors/1", Epoch: "2"}))
	require.NoError(t, there.Close(t.Context()))

	require.EqualValues(t, 3, feed(t, here, carry.Lane{Name: "sensors/1", Epoch: "3"}))
	// The other process, whose lane went away, has nothing more to save.
	require.NoError(t, here.Close(t.Context()))
	require.NoError(t, there.Close(t.Context()))
	require.EqualValues(t, 4, feed(t, keeper(t, res, kept), carry.Lane{Name: "sensors/1", Epoch: "4"}))
}

// A process that gives a lane up saves what it has learned before another one begins.
func TestStateGoesWithItsLane(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	here, there := keeper(t, res, kept), keeper(t, res, kept)
	lane := carry.NewLane("sensors/1", "1")
	feed(t, here, *lane)
	feed(t, here, *lane)
	lane.End(t.Context(), true)
	require.Empty(t, here.lanes)
	require.EqualValues(t, 3, feed(t, there, *carry.NewLane("sensors/1", "2")))
}

// What was learned from a lane that is not settled is not for others, neither now nor
// when the process that had it ends.
func TestStateOfALostLaneIsForgotten(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	here, there := keeper(t, res, kept), keeper(t, res, kept)
	lane, next := carry.NewLane("sensors/1", "1"), carry.NewLane("sensors/1", "2")
	feed(t, here, *lane)
	require.NoError(t, here.Do(t.Context(), *lane, func(*tally) { // while a batch is under way
		lane.End(t.Context(), false)
	}))
	feed(t, there, *next)
	next.End(t.Context(), true)
	feed(t, here, *lane) // a batch that nobody waits for
	require.NoError(t, here.Close(t.Context()))
	require.EqualValues(t, 2, feed(t, there, *carry.NewLane("sensors/1", "3")))
}

// A lane that was ended late does not take the state of its next assignment along.
func TestStateEndsWithItsEpoch(t *testing.T) {
	k := keeper(t, service.MockResources(), "{}")
	lane, next := carry.NewLane("sensors/1", "1"), carry.NewLane("sensors/1", "2")
	feed(t, k, *lane)
	require.EqualValues(t, 1, feed(t, k, *next))
	lane.End(t.Context(), false)
	require.EqualValues(t, 2, feed(t, k, *next))
}

func TestStateIsSavedOnTheInterval(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	k := keeper(t, res, "state: { cache: learned, interval: 1m }")
	now := time.Unix(0, 0)
	k.now = func() time.Time { return now }
	lane := carry.Lane{Name: "sensors/1"}
	feed(t, k, lane)
	require.EqualValues(t, 1, feed(t, keeper(t, res, kept), lane), "not saved yet")
	now = now.Add(time.Minute)
	feed(t, k, lane)
	require.EqualValues(t, 2, feed(t, keeper(t, res, kept), lane), "saved without Close, as before a crash, and without the batch that may come again")
}

func TestStatesAreSavedOneAtATime(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	k := keeper(t, res, "state: { cache: learned, interval: 1m }")
	now := time.Unix(0, 0)
	k.now = func() time.Time { return now }
	lane := carry.Lane{Name: "sensors/1"}
	feed(t, k, lane)
	now = now.Add(time.Minute)
	saving.Lock() // as another lane
	feed(t, k, lane)
	saving.Unlock()
	require.EqualValues(t, 1, feed(t, keeper(t, res, kept), lane), "not saved yet")
	feed(t, k, lane)
	require.EqualValues(t, 3, feed(t, keeper(t, res, kept), lane), "saved with the next batch")
}

func TestStateOfAnUnknownVersionIsLearnedAnew(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	require.NoError(t, res.AccessCache(t.Context(), "learned", func(c service.Cache) {
		require.NoError(t, c.Set(t.Context(), "counter", []byte("?"), nil))
	}))
	require.EqualValues(t, 1, feed(t, keeper(t, res, kept), carry.Lane{}))
}

func TestDoGivesUpOnlyWhenItsContextEnds(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	k := keeper(t, res, kept)
	k.cache = "gone" // a cache that does not answer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := k.Do(ctx, carry.Lane{}, func(*tally) { t.Error("fed a state that was not restored") })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, `loading "counter" from cache "gone"`)
}

func TestConfig(t *testing.T) {
	for _, test := range []struct{ config, errContains string }{
		{"{}", ""},
		{"state: { cache: elsewhere }", `state cache "elsewhere" is not a cache resource`},
		{"state: { interval: 0s }", "state interval must be positive, got 0s"},
	} {
		conf, err := service.NewConfigSpec().Field(Field("counter")).ParseYAML(test.config, nil)
		require.NoError(t, err)
		_, err = New(conf, service.MockResources(), func(string) *tally { return &tally{} })
		if test.errContains == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, test.errContains)
		}
	}
}
