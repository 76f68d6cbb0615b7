package window_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// sum is what the rows of a window must come to. It is computed the slow way, by
// a scan over all readings, and shares no code with the package.
type sum struct {
	readings int64
	count    [2]int64
	sum      [2]float64
	scale    [2]float64 // sum of magnitudes, to judge the rounding of sum
	min, max [2]float64
}

var fuzzedMetrics = []string{"temperature", "battery"}

// group reduces readings, each identity once, to sums by window and group.
func group(size time.Duration, readings []*reading.Reading) map[string]sum {
	sums := map[string]sum{}
	seen := map[reading.Identity]bool{}
	for _, r := range readings {
		if seen[r.Identity()] {
			continue
		}
		seen[r.Identity()] = true
		n := math.Floor(float64(r.Time.UnixMicro()) / float64(size.Microseconds()))
		key := name(time.UnixMicro(int64(n)*size.Microseconds()), []string{r.Floor})
		s, ok := sums[key]
		if !ok {
			for i := range s.min {
				s.min[i], s.max[i] = math.Inf(1), math.Inf(-1)
			}
		}
		s.readings++
		for i, metric := range fuzzedMetrics {
			if v, ok := r.Value(metric); ok {
				s.count[i]++
				s.sum[i] += v
				s.scale[i] += math.Abs(v)
				s.min[i], s.max[i] = math.Min(s.min[i], v), math.Max(s.max[i], v)
			}
		}
		sums[key] = s
	}
	return sums
}

func name(start time.Time, group []string) string {
	return fmt.Sprintf("%d %q", start.UnixMicro(), group)
}

func requireSame(t *testing.T, want sum, count int64, stats []window.Stats) {
	t.Helper()
	require.Equal(t, want.readings, count)
	for i := range fuzzedMetrics {
		require.Equal(t, want.count[i], stats[i].Count)
		if want.count[i] > 0 {
			require.InDelta(t, want.sum[i], stats[i].Sum, 1e-9*want.scale[i])
			require.Equal(t, want.min[i], stats[i].Min)
			require.Equal(t, want.max[i], stats[i].Max)
		}
	}
}

// stream makes readings of a few sensors on three floors, out of order, with
// repetitions and with absent metrics.
func stream(rng *rand.Rand, n int, span int64) []*reading.Reading {
	readings := make([]*reading.Reading, 0, n)
	for len(readings) < n {
		if len(readings) > 0 && rng.IntN(4) == 0 {
			readings = append(readings, readings[rng.IntN(len(readings))])
			continue
		}
		r := &reading.Reading{
			SensorID: fmt.Sprint("s", rng.IntN(6)), Floor: []string{"", "1", "2"}[rng.IntN(3)],
			Time: time.UnixMicro(rng.Int64N(span) - span/2).UTC(), Values: reading.Absent(),
		}
		if rng.IntN(3) > 0 {
			r.Values[reading.Temperature] = rng.NormFloat64() * 20
		}
		if rng.IntN(3) > 0 {
			r.Extra = []reading.Field{{Name: "battery", Raw: []byte("0"), Number: rng.Float64()}}
		}
		readings = append(readings, r)
	}
	return readings
}

type delivery struct {
	source   window.Source
	readings []*reading.Reading
}

// deliver cuts a stream into batches of up to three sources and repeats some of
// them, as a broker does.
func deliver(rng *rand.Rand, readings []*reading.Reading) (out []delivery) {
	queues := make([][]*reading.Reading, 1+rng.IntN(3))
	for _, r := range readings {
		i := rng.IntN(len(queues))
		queues[i] = append(queues[i], r)
	}
	for left := len(readings); left > 0; {
		i := rng.IntN(len(queues))
		n := min(len(queues[i]), 1+rng.IntN(12))
		d := delivery{window.Source{Name: fmt.Sprint("p", i)}, queues[i][:n]}
		queues[i] = queues[i][n:]
		left -= n
		for {
			out = append(out, d)
			if rng.IntN(4) > 0 {
				break
			}
		}
	}
	return out
}

// FuzzTumbling checks that whatever comes in whatever order, cut, repeated and
// interleaved in whatever way, panes of distinct readings add up to what sorting
// and grouping all readings gives, and that rows that do not call themselves
// partial are what the readings so far come to.
func FuzzTumbling(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint16(200), int64(seed%7)*1_700_000, int64(seed%3)*1_000_000, int64(3_600_000_000))
	}
	f.Add(uint64(1), uint16(50), int64(1), int64(0), int64(40))

	f.Fuzz(func(t *testing.T, seed uint64, n uint16, size, lateness, span int64) {
		cfg := window.Config{
			Spec: window.Spec{
				Size:    time.Duration(1+abs(size)%86_400_000_000) * time.Microsecond,
				GroupBy: []string{"floor"}, Metrics: fuzzedMetrics,
			},
			Lateness: time.Duration(abs(lateness)%86_400_000_000) * time.Microsecond,
			Idle:     time.Second, Late: window.Update, Memory: 1 + int(seed%500),
		}
		w, err := window.NewTumbling(cfg)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(seed, 0))
		readings := stream(rng, int(n%1000), 1+abs(span)%1_000_000_000_000)

		type total struct {
			count int64
			stats []window.Stats
		}
		store := map[string]*total{}
		stored := map[reading.Identity]bool{}
		watermarks := map[string]time.Time{}
		var sofar []*reading.Reading
		now := noon
		for _, d := range deliver(rng, readings) {
			now = now.Add(time.Duration(rng.Int64N(int64(time.Second))))
			res := w.Add(d.source, d.readings, now)
			sofar = append(sofar, d.readings...)
			truth := group(cfg.Spec.Size, sofar)

			byKey := map[string]*window.Pane{}
			for _, p := range cfg.Spec.Panes(d.readings) {
				byKey[name(p.Start, p.Group)] = p
			}
			members := 0
			for _, row := range res.Rows {
				p := row.Pane
				key := name(p.Start, p.Group)
				if !row.Partial {
					requireSame(t, truth[key], row.Count, row.Stats)
				}
				if same := byKey[key]; same != nil {
					require.Equal(t, same.Members, p.Members)
					require.Equal(t, same.Stats, p.Stats)
				}
				require.Equal(t, int64(len(p.Members)), p.Count)
				require.False(t, p.Watermark.Before(watermarks[p.Source]))
				watermarks[p.Source] = p.Watermark
				members += len(p.Members)
			}
			// What the first copies of new readings add.
			var fresh []*reading.Reading
			for _, r := range d.readings {
				if !stored[r.Identity()] {
					stored[r.Identity()] = true
					fresh = append(fresh, r)
				}
			}
			for _, added := range cfg.Spec.Panes(fresh) {
				key := name(added.Start, added.Group)
				if store[key] == nil {
					store[key] = &total{stats: make([]window.Stats, len(fuzzedMetrics))}
				}
				store[key].count += added.Count
				for i := range added.Stats {
					store[key].stats[i].Merge(added.Stats[i])
				}
			}
			require.Equal(t, len(d.readings), members)
		}

		truth := group(cfg.Spec.Size, sofar)
		require.Len(t, store, len(truth))
		for key, want := range truth {
			requireSame(t, want, store[key].count, store[key].stats)
		}
	})
}

// TestTumblingFinalRows checks that every row becomes final once, with all of
// its readings, when the disorder is within the allowed lateness.
func TestTumblingFinalRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	w := tumbling(t, func(c *window.Config) {
		c.Spec.GroupBy, c.Spec.Metrics = []string{"floor"}, fuzzedMetrics
		c.Lateness, c.Memory = 20*time.Second, 1e6
	})
	sources := []window.Source{{Name: "p0"}, {Name: "p1"}}
	for _, s := range sources { // both are known, long before
		w.Add(s, []*reading.Reading{at(s.Name, -1000, 20)}, noon)
	}

	var all []*reading.Reading
	final := map[string]window.Row{}
	for second := int64(0); second < 1000; second += 10 {
		for _, s := range sources {
			var batch []*reading.Reading
			for range 1 + rng.IntN(10) {
				r := at(fmt.Sprint("s", rng.IntN(50)), second+rng.Int64N(20), rng.Float64())
				r.Floor = fmt.Sprint(rng.IntN(3))
				batch = append(batch, r)
			}
			all = append(all, batch...)
			res := w.Add(s, batch, noon)
			require.Zero(t, res.Late)
			finished := 0
			for _, row := range res.Rows {
				if key := name(row.Pane.Start, row.Pane.Group); row.Final {
					require.NotContains(t, final, key)
					require.Equal(t, row.Pane.Start.Unix() < 0, row.Partial)
					final[key] = row
					finished++
				}
			}
			require.Equal(t, finished, res.Finished)
		}
	}
	truth := group(30*time.Second, all)
	last := w.Add(sources[0], []*reading.Reading{at("z", 1e6, 20)}, noon.Add(time.Hour)) // p1 is idle
	require.Equal(t, 1, w.Open())
	for _, row := range last.Rows {
		if row.Final {
			final[name(row.Pane.Start, row.Pane.Group)] = row
		}
	}
	for key := range truth {
		require.Contains(t, final, key)
		requireSame(t, truth[key], final[key].Count, final[key].Stats)
	}
}

// TestTumblingDropIsDeterministic checks that what is dropped depends on the
// order within a source alone: neither on how it is cut into batches, nor on
// other sources, nor on batches that come again.
func TestTumblingDropIsDeterministic(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	queues := make([][]*reading.Reading, 3)
	for i := range queues {
		for n := range int64(300) {
			r := at(fmt.Sprint("s", i, "/", n), n+rng.Int64N(60), 20)
			r.Floor = "1"
			queues[i] = append(queues[i], r)
		}
	}

	var first string
	for range 50 {
		w := tumbling(t, func(c *window.Config) { c.Late = window.Drop; c.Lateness = 5 * time.Second; c.Memory = 1e6 })
		kept := map[reading.Identity]bool{}
		at := make([]int, len(queues))
		now := noon
		for left := 900; left > 0; {
			i := rng.IntN(len(queues))
			n := min(len(queues[i])-at[i], 1+rng.IntN(100))
			batch := queues[i][at[i] : at[i]+n]
			at[i] += n
			left -= n
			now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
			var before string
			for again := 0; again == 0 || rng.IntN(2) == 0; again++ {
				res := w.Add(window.Source{Name: fmt.Sprint("p", i)}, batch, now)
				var members strings.Builder
				for _, row := range res.Rows {
					for _, r := range row.Pane.Members {
						kept[r.Identity()] = true
						fmt.Fprintln(&members, r.Identity())
					}
				}
				if again > 0 {
					require.Equal(t, before, members.String(), "delivered again")
				}
				before = members.String()
			}
		}
		if first == "" {
			first = fmt.Sprint(kept)
			require.Less(t, len(kept), 890)
			require.Greater(t, len(kept), 450)
		}
		require.Equal(t, first, fmt.Sprint(kept))
	}
}

func abs(v int64) int64 {
	if v < 0 {
		return -(v + 1)
	}
	return v
}
