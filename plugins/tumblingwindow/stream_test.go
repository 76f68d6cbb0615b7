package tumblingwindow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/window"
	"buildmon/plugins/internal/carry"
)

// store does with batches what the postgres output does: a reading is new once,
// and windows grow by what new readings add.
type store struct {
	mu      sync.Mutex
	rng     *rand.Rand
	decoder *carry.Decoder
	known   map[reading.Identity]bool
	counts  map[string]int64
	sums    map[string]float64
	final   map[string]int64 // reading_count of whole and final rows
}

var errRefused = errors.New("refused at random")

func (s *store) write(_ context.Context, batch service.MessageBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rng.IntN(3) == 0 {
		return errRefused
	}
	fresh := map[*reading.Reading]bool{}
	for _, item := range s.decoder.Batch(batch) {
		if r := item.Reading; r != nil && !s.known[r.Identity()] {
			s.known[r.Identity()], fresh[r] = true, true
		}
	}
	for _, msg := range batch {
		_, value := carry.Derived(msg)
		pane, ok := value.(*window.Pane)
		if !ok {
			continue
		}
		key := pane.Start.Format(time.RFC3339) + pane.Group[1]
		for _, r := range pane.Members {
			if fresh[r] {
				s.counts[key]++
				s.sums[key] += r.Values[reading.Temperature]
			}
		}

		raw, err := msg.AsBytes()
		if err != nil {
			return err
		}
		var row struct {
			Count          int64 `json:"reading_count"`
			Final, Partial bool
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			return err
		}
		if row.Final && !row.Partial {
			s.final[key] = row.Count
		}
	}
	return nil
}

// TestStream runs the processor with four threads between three partitions, each
// with one batch in flight as with the kafka input, and an output that refuses a
// third of all batches. Batches that are refused come again.
func TestStream(t *testing.T) {
	s := &store{
		rng: rand.New(rand.NewPCG(1, 2)), decoder: carry.NewDecoder(time.Now),
		known: map[reading.Identity]bool{}, counts: map[string]int64{}, sums: map[string]float64{}, final: map[string]int64{},
	}
	builder := service.NewStreamBuilder()
	builder.SetThreads(4)
	require.NoError(t, builder.SetLoggerYAML("level: none"))
	require.NoError(t, builder.AddProcessorYAML("tumbling_window: { allowed_lateness: 5s, idle_timeout: 1h }"))
	produce, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	require.NoError(t, builder.AddBatchConsumerFunc(s.write))
	stream, err := builder.Build()
	require.NoError(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- stream.Run(t.Context()) }()

	deliver := func(batch service.MessageBatch) {
		for {
			err := produce(t.Context(), batch.Copy())
			if err == nil {
				return
			}
			if !errors.Is(err, errRefused) {
				t.Error(err)
				return
			}
		}
	}

	counts, sums := map[string]int64{}, map[string]float64{}
	queues := make([][]service.MessageBatch, 3)
	start := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	rng := rand.New(rand.NewPCG(3, 4))
	for second := range 300 {
		for lane := range queues {
			var batch service.MessageBatch
			for i := range 10 {
				floor, temperature := fmt.Sprint("Floor ", i%3), float64(rng.IntN(400))/10
				at := start.Add(time.Duration(second-rng.IntN(5)) * time.Second)
				msg := service.NewMessage(fmt.Appendf(nil, `{"sensor_id":"%d-%d-%d","building":"A","floor":%q,"temperature":%g,"timestamp":%q}`,
					lane, i, second, floor, temperature, at.Format(time.RFC3339)))
				key := at.Truncate(30*time.Second).Format(time.RFC3339) + floor
				counts[key]++
				sums[key] += temperature
				batch = append(batch, from(msg, "sensors", fmt.Sprint(lane), fmt.Sprint(second*10+i)))
			}
			queues[lane] = append(queues[lane], batch, batch[:3])
		}
	}
	// All partitions are known before the first of them goes ahead.
	for lane := range queues {
		deliver(queues[lane][0])
	}
	var wg sync.WaitGroup
	for _, queue := range queues {
		wg.Go(func() {
			for _, batch := range queue[1:] {
				deliver(batch)
			}
		})
	}
	wg.Wait()
	require.NoError(t, stream.Stop(t.Context()))
	require.NoError(t, <-stopped)

	require.Equal(t, counts, s.counts)
	whole := 0
	for key, n := range counts {
		require.InDelta(t, sums[key], s.sums[key], 1e-9*sums[key])
		if final, ok := s.final[key]; ok {
			require.Equal(t, n, final, key)
			whole++
		}
	}
	// Eleven windows of three groups, less the two that began before or with the
	// first readings and the last one, which no reading ends. By hand: 299 s less
	// 5 s of lateness is past the end of the one that ends at 270 s.
	require.Equal(t, 8*3, whole)
}
