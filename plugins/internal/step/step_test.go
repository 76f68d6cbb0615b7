package step_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/step"
)

// teller adds what it sees.
type teller struct {
	name string
	err  error
}

func (l teller) Process(_ context.Context, b *step.Batch) error {
	for _, p := range b.Parts {
		b.Add(service.NewMessage(fmt.Appendf(nil, "%s: %v of %d in %s, first %s",
			l.name, p.Indices, len(b.Items), p.Lane.Name, b.Items[p.Indices[0]].Reading.SensorID)))
	}
	return l.err
}

func (l teller) Close(context.Context) error { return l.err }

func batch(ids ...string) (batch service.MessageBatch) {
	for i, id := range ids {
		msg := service.NewMessage(fmt.Appendf(nil, `{"sensor_id":%q,"timestamp":"2026-01-05T09:30:00Z"}`, id))
		msg.MetaSetMut(carry.MetaTopic, "sensors")
		msg.MetaSetMut(carry.MetaPartition, i%2)
		batch = append(batch, msg)
	}
	return batch
}

func TestStepsFollowOneAnotherAndSeeWhatCame(t *testing.T) {
	in := batch("a", "b", "c")
	room := append(make(service.MessageBatch, 0, 10), in...)
	out, err := step.NewProcessor(teller{name: "one"}, teller{name: "two"}).ProcessBatch(t.Context(), room)
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.Equal(t, in, out[0][:3])
	var added []string
	for _, msg := range out[0][3:] {
		raw, err := msg.AsBytes()
		require.NoError(t, err)
		added = append(added, string(raw))
	}
	require.Equal(t, []string{
		"one: [0 2] of 3 in sensors/0, first a", "one: [1] of 3 in sensors/1, first b",
		"two: [0 2] of 3 in sensors/0, first a", "two: [1] of 3 in sensors/1, first b",
	}, added)
	require.Nil(t, room[:4][3], "the batch of the host is not written to")
}

// digests tells the digests of parts.
type digests struct {
	teller
	seen *[]uint64
}

func (d digests) Process(_ context.Context, b *step.Batch) error {
	for _, p := range b.Parts {
		*d.seen = append(*d.seen, p.Digest)
	}
	return nil
}

func TestDigestsTellPartsApart(t *testing.T) {
	var seen []uint64
	p := step.NewProcessor(digests{seen: &seen})
	for _, b := range []service.MessageBatch{batch("a", "b", "c"), batch("a", "b", "c"), batch("c", "b", "a"), batch("a", "b"), batch("a", "c")} {
		_, err := p.ProcessBatch(t.Context(), b)
		require.NoError(t, err)
	}
	a, b := seen[0], seen[1]
	require.Equal(t, []uint64{a, b}, seen[2:4], "a batch that comes again")
	require.NotEqual(t, a, seen[4], "another order")
	require.Equal(t, b, seen[5])
	require.NotEqual(t, a, seen[6], "a part of it")
	require.NotEqual(t, b, seen[9], "another reading")
}

func TestErrorsEndAStep(t *testing.T) {
	failed := errors.New("failed")
	p := step.NewProcessor(teller{name: "one", err: failed}, teller{name: "two", err: errors.ErrUnsupported})
	_, err := p.ProcessBatch(t.Context(), batch("a"))
	require.ErrorIs(t, err, failed)
	err = p.Close(t.Context())
	require.ErrorIs(t, err, failed)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
