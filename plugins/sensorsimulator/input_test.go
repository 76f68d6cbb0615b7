package sensorsimulator

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/simulate"
	"buildmon/plugins/internal/carry"
)

// today is the clock of tests that have no use for a running one.
func today() time.Time { return time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC) }

func build(t testing.TB, yaml string, now func() time.Time) (*input, error) {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	return newFromConfig(conf, service.MockResources(), now)
}

func TestConfigIsRefused(t *testing.T) {
	for _, test := range []struct{ name, yaml, errContains string }{
		{"default", "", ""},
		{"all", "{start_time: -24h, end_time: +1h, speed: 0, count: 5, time_zone: Europe/Berlin, interval: 250ms, faults: {probability: 0.1, kinds: [stuck]}}", ""},
		{"buildings", "buildings: 0", "buildings must be 1 to 50000, got 0"},
		{"floors", "floors: -1", "floors must be 1 to 50000, got -1"},
		{"rooms", "rooms_per_floor: 0", "rooms_per_floor must be 1 to 50000, got 0"},
		{"too many sensors", "buildings: 5000", "buildings × floors × rooms_per_floor must be at most 50000, got 5000 × 4 × 6"},
		{"no faults of no kind", "faults: { probability: 0, kinds: [] }", ""},
		{"zone", "time_zone: Mars/Olympus", `unknown time_zone "Mars/Olympus", want an IANA name`},
		{"zone of the machine", "time_zone: Local", `unknown time_zone "Local", want an IANA name`},
		{"start", "start_time: yesterday", `start_time "yesterday" is not now, a duration with a sign`},
		{"start without sign", "start_time: 24h", `start_time "24h" is not now, a duration with a sign`},
		{"empty start", `start_time: ""`, `start_time "" is not now`},
		{"end", "end_time: -1x", `end_time "-1x" is not now, a duration with a sign`},
		{"interval", "interval: 0s", "interval must be positive, got 0s"},
		{"odd interval", "interval: 1500us", "interval must be a whole number of milliseconds, got"},
		{"speed", "speed: -1", "speed must be 0 or more, got -1"},
		{"count", "count: -1", "count must be 0 or more, got -1"},
		{"batch size", "batch_size: 0", "batch_size must be at least 1, got 0"},
		{"probability", "faults: { probability: 1.5 }", "probability must be 0 to 1, got 1.5"},
		{"kind", "faults: { kinds: [ fire ] }", `unknown fault kind "fire", want one of overheating, humidity_spike,`},
		{"no kinds", "faults: { kinds: [] }", "kinds must not be empty"},
		{"kind twice", "faults: { kinds: [ stuck, stuck ] }", "kinds must not repeat"},
		{"late", "disturbances: { late: -0.5 }", "late must be 0 to 1, got -0.5"},
		{"late by", "disturbances: { late_by: 0s }", "late_by must be positive, got 0s"},
		{"sum", "disturbances: { late: 0.5, duplicated: 0.6 }", "must add up to at most 1, got 1.1"},
	} {
		t.Run("lint "+test.name, func(t *testing.T) {
			yaml := "sensor_simulator: {}"
			if test.yaml != "" {
				yaml = "sensor_simulator:\n  " + test.yaml
				if strings.HasPrefix(test.yaml, "{") {
					yaml = "sensor_simulator: " + test.yaml
				}
			}
			err := service.NewStreamBuilder().AddInputYAML(yaml)
			if test.errContains == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.errContains)
		})
		t.Run("build "+test.name, func(t *testing.T) {
			_, err := build(t, test.yaml, today)
			if test.errContains == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.errContains)
		})
	}
	_, err := build(t, "{start_time: now, end_time: -1h}", today)
	require.ErrorContains(t, err, "end_time 2026-01-05T23:00:00Z must be after start_time 2026-01-06T00:00:00Z")
	_, err = build(t, "speed: .inf", today)
	require.ErrorContains(t, err, "speed must be 0 or more, got +Inf")
}

// all reads an input to its end.
func all(t testing.TB, in *input) service.MessageBatch {
	t.Helper()
	var messages service.MessageBatch
	for {
		batch, ack, err := in.ReadBatch(t.Context())
		if errors.Is(err, service.ErrEndOfInput) {
			return messages
		}
		require.NoError(t, err)
		require.NotEmpty(t, batch)
		require.LessOrEqual(t, len(batch), in.size)
		require.NoError(t, ack(t.Context(), nil))
		messages = append(messages, batch...)
	}
}

func text(t testing.TB, msg *service.Message) string {
	t.Helper()
	raw, err := msg.AsBytes()
	require.NoError(t, err)
	return string(raw)
}

func TestMessagesCarryReadings(t *testing.T) {
	in, err := build(t, "{start_time: -24h, speed: 0, count: 1000, batch_size: 300}", today)
	require.NoError(t, err)
	batch := all(t, in)
	require.Len(t, batch, 1000)
	dec := reading.NewDecoder(today)
	for i, item := range carry.NewDecoder(today).Batch(batch) {
		require.NoError(t, item.Err)
		want, err := dec.Decode([]byte(text(t, batch[i])))
		require.NoError(t, err)
		require.Equal(t, want, item.Reading)
	}
}

// The carried reading is found without decoding: a decoder that would refuse the
// content for its timestamp is not asked.
func TestCarriedReadingsAreNotDecodedAgain(t *testing.T) {
	in, err := build(t, "{start_time: -1h, speed: 0, count: 1}", today)
	require.NoError(t, err)
	items := carry.NewDecoder(func() time.Time { return time.Time{} }).Batch(all(t, in))
	require.NoError(t, items[0].Err)
	require.NotNil(t, items[0].Reading)
}

func TestTruthTravelsAsMetadata(t *testing.T) {
	in, err := build(t, "{start_time: -48h, speed: 0, interval: 5m, count: 20000, faults: {probability: 0.3}}", today)
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, msg := range all(t, in) {
		fault, faulty := msg.MetaGet(MetaFault)
		metric, named := msg.MetaGet(MetaMetric)
		require.Equal(t, faulty, named)
		require.NotContains(t, text(t, msg), "simulator")
		if faulty {
			_, known := reading.ParseMetric(metric)
			require.True(t, known, metric)
			_, err := simulate.ParseFault(fault)
			require.NoError(t, err)
		}
		kinds[fault]++
	}
	require.Len(t, kinds, 9, "all kinds but those that are silent, and none: %v", kinds)
	require.NotContains(t, kinds, simulate.Dropout.String())
	require.NotContains(t, kinds, simulate.GatewayFailure.String())
}

func TestMalformedMessagesAreRefusedAsTheySay(t *testing.T) {
	in, err := build(t, "{start_time: -24h, speed: 0, count: 5000, disturbances: {malformed: 0.2}}", today)
	require.NoError(t, err)
	batch := all(t, in)
	reasons := map[string]int{}
	for i, item := range carry.NewDecoder(today).Batch(batch) {
		reason, malformed := batch[i].MetaGet(MetaMalformed)
		require.Equal(t, malformed, item.Err != nil, text(t, batch[i]))
		if !malformed {
			continue
		}
		var refused *reading.Error
		require.ErrorAs(t, item.Err, &refused)
		require.Equal(t, string(refused.Reason), reason, text(t, batch[i]))
		disturbance, _ := batch[i].MetaGet(MetaDisturbance)
		require.Equal(t, "malformed", disturbance)
		reasons[reason]++
	}
	require.Len(t, reasons, 9, "%v", reasons)
	require.InDelta(t, 1000, 5000-countHealthy(batch), 120)
}

func countHealthy(batch service.MessageBatch) (n int) {
	for _, msg := range batch {
		if _, malformed := msg.MetaGet(MetaMalformed); !malformed {
			n++
		}
	}
	return n
}

func TestDisturbancesAreLabelled(t *testing.T) {
	in, err := build(t, "{start_time: -24h, speed: 0, count: 5000, disturbances: {late: 0.1, late_by: 1m, out_of_order: 0.1, duplicated: 0.1}}", today)
	require.NoError(t, err)
	labels := map[string]int{}
	ids := map[string]bool{}
	for _, msg := range all(t, in) {
		label, _ := msg.MetaGet(MetaDisturbance)
		labels[label]++
		ids[text(t, msg)] = true
	}
	require.Len(t, ids, 5000)
	for _, label := range []string{"late", "out_of_order", "duplicated"} {
		require.InDelta(t, 500, labels[label], 100, label)
	}
	require.Equal(t, 5000+labels["duplicated"], labels[""]+labels["late"]+labels["out_of_order"]+labels["duplicated"])
}

// A restart with the same absolute start repeats the same messages, and one with
// a relative start repeats those of the time that both cover.
func TestRestartRepeatsReadings(t *testing.T) {
	messages := func(yaml string, now time.Time) []string {
		in, err := build(t, yaml, func() time.Time { return now })
		require.NoError(t, err)
		var texts []string
		for _, msg := range all(t, in) {
			texts = append(texts, text(t, msg))
		}
		return texts
	}
	absolute := `{start_time: "2026-01-05T08:00:00Z", end_time: "2026-01-05T08:10:00Z", speed: 0, faults: {probability: 0.3}}`
	first := messages(absolute, today())
	require.Greater(t, len(first), 3500)
	require.Equal(t, first, messages(absolute, today().Add(time.Hour)))

	relative := `{start_time: -30m, end_time: now, speed: 0}`
	before := messages(relative, today())
	after := messages(relative, today().Add(10*time.Minute+1234567*time.Microsecond))
	overlap := 0
	known := map[string]bool{}
	for _, m := range before {
		known[m] = true
	}
	for _, m := range after {
		if known[m] {
			overlap++
		}
	}
	require.InDelta(t, len(before)*2/3, overlap, 20)
}

// History comes as fast as it is read, then the simulator goes on with the
// clock: no reading before its time, each batch the moment it is due.
func TestCatchesUpWithTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(40 * 24 * time.Hour) // the clock of the bubble begins with the year 2000
		begin := time.Now()
		in, err := build(t, "{start_time: -1h, speed: 0, batch_size: 500, faults: {probability: 0}}", time.Now)
		require.NoError(t, err)

		var history int
		for history < 72*360 {
			batch, _, err := in.ReadBatch(t.Context())
			require.NoError(t, err)
			history += len(batch)
		}
		require.Equal(t, begin, time.Now(), "history takes no time")
		require.LessOrEqual(t, history, 72*360+1) // the hour, and the instant of the start

		for range 72 * 6 { // a minute
			batch, _, err := in.ReadBatch(t.Context())
			require.NoError(t, err)
			require.Len(t, batch, 1)
			item := carry.NewDecoder(time.Now).Batch(batch)[0]
			require.Equal(t, time.Now().UTC(), item.Reading.Time, "as soon as it is due")
		}
		require.InDelta(t, time.Minute, time.Since(begin), float64(200*time.Millisecond))
	})
}

func TestSpeedRunsFasterThanTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(40 * 24 * time.Hour)
		begin := time.Now()
		in, err := build(t, "{start_time: -1h, speed: 61, count: 26352, faults: {probability: 0}}", time.Now) // 61 minutes
		require.NoError(t, err)
		require.Len(t, all(t, in), 26352)
		// At 61 times the clock an hour is caught up with in one minute.
		require.InDelta(t, time.Minute, time.Since(begin), float64(time.Second))
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(40 * 24 * time.Hour)
		in, err := build(t, "start_time: +24h", time.Now)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, _, err = in.ReadBatch(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))

		// Nothing is lost by it.
		batch, _, err := in.ReadBatch(t.Context())
		require.NoError(t, err)
		require.Len(t, batch, 1)
		require.Equal(t, 24*time.Hour, time.Since(begin).Truncate(time.Second))
	})
}

// A downstream that rejects each third batch once gets each reading in the end,
// and the stream ends by itself.
func TestStreamLosesNothing(t *testing.T) {
	builder := service.NewStreamBuilder()
	require.NoError(t, builder.SetLoggerYAML("level: off"))
	require.NoError(t, builder.AddInputYAML(`
sensor_simulator:
  start_time: "2026-01-05T00:00:00Z"
  speed: 0
  count: 10000
  batch_size: 100
`))
	var mu sync.Mutex
	var calls int
	rejected := map[reading.Identity]bool{}
	accepted := map[reading.Identity]int{}
	dec := carry.NewDecoder(time.Now)
	require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		items := dec.Batch(batch)
		calls++
		if first := items[0].Reading.Identity(); calls%3 == 0 && !rejected[first] {
			rejected[first] = true
			return errors.New("rejected")
		}
		for _, item := range items {
			accepted[item.Reading.Identity()]++
		}
		return nil
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
	require.NotEmpty(t, rejected)
	require.Len(t, accepted, 10_000)
	for id, n := range accepted {
		require.Equal(t, 1, n, id)
	}
}
