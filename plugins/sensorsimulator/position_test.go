package sensorsimulator

import (
	"errors"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

const remembered = `
start_time: "2026-01-05T00:00:00Z"
speed: 0
interval: 1m
batch_size: 7200
position: { cache: kept }
`

func TestGoesOnWhereReadingsWereDelivered(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("kept"))
	start := func() *input {
		conf, err := spec().ParseYAML(remembered, nil)
		require.NoError(t, err)
		in, err := newFromConfig(conf, res, today)
		require.NoError(t, err)
		require.NoError(t, in.Connect(t.Context()))
		return in
	}
	read := func(in *input) (first, last time.Time, ack service.AckFunc) {
		batch, ack, err := in.ReadBatch(t.Context())
		require.NoError(t, err)
		return timeOf(t, batch[0]), timeOf(t, batch[len(batch)-1]), ack
	}

	in := start()
	first, _, _ := read(in)
	require.Equal(t, "2026-01-05T00:00:00Z", first.Format(time.RFC3339))
	require.NoError(t, in.Close(t.Context())) // nothing was delivered

	in = start()
	first, _, ack := read(in)
	require.Equal(t, "2026-01-05T00:00:00Z", first.Format(time.RFC3339))
	require.NoError(t, ack(t.Context(), nil))
	_, last, second := read(in)
	_, _, third := read(in)
	require.NoError(t, second(t.Context(), nil))
	require.Error(t, third(t.Context(), errors.New("rejected")))
	require.NoError(t, in.Close(t.Context()))

	in = start()
	first, _, _ = read(in)
	// An hour and late_by before, and then the next sensor that speaks.
	require.WithinRange(t, first, last.Add(-70*time.Minute), last.Add(-69*time.Minute))
}

func TestCacheThatIsMissing(t *testing.T) {
	conf, err := spec().ParseYAML(remembered, nil)
	require.NoError(t, err)
	in, err := newFromConfig(conf, service.MockResources(), today)
	require.NoError(t, err)
	require.ErrorContains(t, in.Connect(t.Context()), `reading "sensor_simulator" of cache "kept", how far the simulation has come`)
}

func timeOf(t *testing.T, msg *service.Message) time.Time {
	t.Helper()
	value, err := msg.AsStructured()
	require.NoError(t, err)
	at, err := time.Parse(time.RFC3339Nano, value.(map[string]any)["timestamp"].(string))
	require.NoError(t, err)
	return at
}
