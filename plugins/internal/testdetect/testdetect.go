// Package testdetect feeds detectors in tests.
package testdetect

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/plugins/internal/carry"
)

// Batch makes a message of each content.
func Batch(contents ...string) service.MessageBatch {
	batch := make(service.MessageBatch, len(contents))
	for i, c := range contents {
		batch[i] = service.NewMessage([]byte(c))
	}
	return batch
}

// Judge wants a processor to return the messages of a batch as they came, and returns
// the anomalies that follow them, as they leave the processor, without continuations.
func Judge(t *testing.T, p service.BatchProcessor, batch service.MessageBatch) (found []anomaly.Anomaly) {
	t.Helper()
	contents := make([]string, len(batch))
	for i, msg := range batch {
		contents[i] = content(t, msg)
	}
	out, err := p.ProcessBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.GreaterOrEqual(t, len(out[0]), len(batch))
	for i, msg := range out[0] {
		if i < len(batch) {
			require.Same(t, batch[i], msg)
			require.Equal(t, contents[i], content(t, msg))
			continue
		}
		kind, value := carry.Derived(msg)
		require.IsType(t, &anomaly.Anomaly{}, value)
		if value.(*anomaly.Anomaly).Continues {
			require.Equal(t, carry.KindContinuation, kind)
			continue
		}
		require.Equal(t, carry.KindAnomaly, kind)
		var a anomaly.Anomaly
		require.NoError(t, json.Unmarshal([]byte(content(t, msg)), &a))
		found = append(found, a)
	}
	return found
}

func content(t *testing.T, msg *service.Message) string {
	t.Helper()
	raw, err := msg.AsBytes()
	require.NoError(t, err)
	return string(raw)
}

// Run runs a stream to its end and counts the messages of either kind that leave it.
func Run(t *testing.T, b *service.StreamBuilder) (readings, anomalies int) {
	t.Helper()
	var mu sync.Mutex
	require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, msg := range batch {
			switch kind, _ := msg.MetaGet(carry.MetaKind); kind {
			case carry.KindAnomaly:
				anomalies++
			case "":
				readings++
			}
			if err := msg.GetError(); err != nil {
				return err
			}
		}
		return nil
	}))
	stream, err := b.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
	return readings, anomalies
}
