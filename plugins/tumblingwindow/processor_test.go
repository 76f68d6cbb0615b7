package tumblingwindow

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	"buildmon/internal/reading"
	"buildmon/internal/window"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/step"
	"buildmon/plugins/internal/testconfig"
)

// prompt makes rows final as soon as the watermark can.
const prompt = "allowed_lateness: 0s"

func newWindows(t testing.TB, yaml string) *windows {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	s, err := newStep(conf, service.MockResources())
	require.NoError(t, err)
	return s.(*windows)
}

func newProcessor(t testing.TB, yaml string) service.BatchProcessor {
	t.Helper()
	return step.NewProcessor(newWindows(t, yaml))
}

// message is a reading of sensor a in Building A on Floor 1 at 2026-01-05T09:00
// and so many seconds.
func message(second float64, members string) *service.Message {
	at := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC).Add(time.Duration(second * float64(time.Second)))
	return service.NewMessage(fmt.Appendf(nil, `{"sensor_id":"a","building":"Building A","floor":"Floor 1",%s"timestamp":%q}`,
		members, at.Format(time.RFC3339Nano)))
}

func from(msg *service.Message, topic, partition, offset string) *service.Message {
	msg.MetaSetMut(carry.MetaTopic, topic)
	msg.MetaSetMut(carry.MetaPartition, partition)
	msg.MetaSetMut(carry.MetaOffset, offset)
	return msg
}

// process returns the batch with what was appended to it.
func process(t testing.TB, p service.BatchProcessor, batch ...*service.Message) service.MessageBatch {
	t.Helper()
	batches, err := p.ProcessBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Len(t, batches, 1)
	return batches[0]
}

func text(t testing.TB, msg *service.Message) string {
	t.Helper()
	raw, err := msg.AsBytes()
	require.NoError(t, err)
	return string(raw)
}

func TestConfig(t *testing.T) {
	f := func(yaml, errContains, lintContains string) {
		t.Helper()
		lints, err := service.GlobalEnvironment().NewComponentConfigLinter().
			LintProcessorYAML([]byte("tumbling_window:\n  " + strings.ReplaceAll(yaml, "\n", "\n  ")))
		require.NoError(t, err)
		conf, err := spec().ParseYAML(yaml, nil)
		if err == nil {
			_, err = newStep(conf, service.MockResources())
		}
		testconfig.Require(t, err, lints, errContains, lintContains)
	}

	f("{}", "", "")
	f("size: 7m", "", "")
	f("size: 0s", "window size must be positive, got 0s", "")
	f("size: -1m", "window size must be positive, got -1m0s", "window size must be positive, got -1m")
	f("size: 1500ns", "window size must be whole microseconds, got 1.5µs", "window size must be whole microseconds, got 1500ns")
	f("size: soon", "soon", "")
	f("group_by: []", "", "")
	f("group_by: [ room_id, sensor_id, zone ]", "", "")
	f(`group_by: [ building, "" ]`, "label to group by 2 of 2 must not be empty", "label to group by must not be empty")
	f("group_by: [ floor, floor ]", `group_by: column "floor" is named twice`, `column "floor" is named twice`)
	f("group_by: [ final ]", `group_by: column "final" is named twice`, `column "final" is named twice`)
	f("group_by: [ avg_co2 ]\nmetrics: [ { name: co2 } ]", `metrics "co2": column "avg_co2" is named twice`, `column "avg_co2" is named twice`)
	f("metrics: []", "metrics to summarize must not be empty", "")
	f("metrics: [ { name: pm25 }, { name: co2, functions: [ max ] } ]", "", "")
	f("metrics: [ { name: pm25, functions: [] } ]", "", "") // in the table only
	f("metrics: [ { functions: [ avg ] } ]", "name", "field name is required")
	f(`metrics: [ { name: "" } ]`, "metric 1 of 1 must not be empty", "metric name must not be empty")
	f("metrics: [ { name: co2, functions: [ mean ] } ]", `unknown function "mean", want avg, sum, min or max`, "")
	f("metrics: [ { name: co2 }, { name: co2 } ]", `metrics "co2": column "avg_co2" is named twice`, `column "avg_co2" is named twice`)
	f("metrics: [ { name: co2, functions: [ min ] }, { name: co2, functions: [ max ] } ]", `metric "co2" is named twice`, "")
	f("metrics: [ { name: energy }, { name: energy_consumption } ]", `metrics "energy_consumption": column "avg_energy" is named twice`, `column "avg_energy" is named twice`)
	f("metrics: [ { name: co2, functions: [ sum, sum ] } ]", `metrics "co2": column "total_co2" is named twice`, `column "total_co2" is named twice`)
	f("allowed_lateness: 0s", "", "")
	f("allowed_lateness: -1s", "allowed lateness must not be negative, got -1s", "")
	f("idle_timeout: 0s", "idle timeout must be positive, got 0s", "")
	f("late_policy: drop", "", "")
	f("late_policy: dropp", `unknown late policy "dropp", want update or drop`, "dropp")
	f("max_readings: 0", "remembered readings must be positive, got 0", "")
}

func TestRows(t *testing.T) {
	p := newProcessor(t, prompt)
	process(t, p, message(-60, ""))
	first := process(t, p,
		message(0, `"temperature":21,"occupancy":3,"energy_consumption":1.25,`),
		message(10, `"temperature":24,"occupancy":4,"energy_consumption":-0.5,"co2":1e-7,`),
		message(29.999999, ""),
		message(10, `"temperature":99,`), // comes again
	)
	require.Len(t, first, 6)
	// The first window began before the first reading of this process.
	require.Equal(t, `{"window_start":"2026-01-05T08:59:00Z","window_end":"2026-01-05T08:59:30Z","building":"Building A","floor":"Floor 1","reading_count":1,`+
		`"avg_temperature":null,"min_temperature":null,"max_temperature":null,"avg_humidity":null,"min_humidity":null,"max_humidity":null,"avg_co2":null,"min_co2":null,"max_co2":null,`+
		`"total_occupancy":null,"max_occupancy":null,"total_energy":null,"min_energy":null,"max_energy":null,"final":true,"partial":true}`, text(t, first[4]))
	require.Equal(t, `{"window_start":"2026-01-05T09:00:00Z","window_end":"2026-01-05T09:00:30Z","building":"Building A","floor":"Floor 1","reading_count":3,`+
		`"avg_temperature":22.5,"min_temperature":21,"max_temperature":24,"avg_humidity":null,"min_humidity":null,"max_humidity":null,"avg_co2":1e-07,"min_co2":1e-07,"max_co2":1e-07,`+
		`"total_occupancy":7,"max_occupancy":4,"total_energy":0.75,"min_energy":-0.5,"max_energy":1.25,"final":false,"partial":false}`, text(t, first[5]))

	// A reading on the boundary belongs to the later window and ends the earlier.
	second := process(t, p, message(30, `"temperature":20,`))
	require.Len(t, second, 3)
	require.Contains(t, text(t, second[1]), `"window_start":"2026-01-05T09:00:00Z"`)
	require.Contains(t, text(t, second[1]), `"reading_count":3,"avg_temperature":22.5`)
	require.Contains(t, text(t, second[1]), `"final":true,"partial":false}`)
	require.Contains(t, text(t, second[2]), `"window_start":"2026-01-05T09:00:30Z"`)
	require.Contains(t, text(t, second[2]), `"reading_count":1,"avg_temperature":20,`)
}

func TestRowsOfOtherGroupsAndMetrics(t *testing.T) {
	p := newProcessor(t, `
size: 1500ms
group_by: [ "zo\"ne", room_id ]
metrics: [ { name: pm25 }, { name: energy_consumption, functions: [ sum ] }, { name: lux, functions: [] } ]`)
	got := process(t, p, message(2, `"zo\"ne":"north \"1\"","pm25":7.5,`), message(2.5, `"pm25":"broken",`))
	require.Len(t, got, 4)
	require.Equal(t, `{"window_start":"2026-01-05T09:00:01.5Z","window_end":"2026-01-05T09:00:03Z","zo\"ne":"north \"1\"","room_id":null,`+
		`"reading_count":1,"avg_pm25":7.5,"total_pm25":7.5,"min_pm25":7.5,"max_pm25":7.5,"total_energy":null,"final":false,"partial":true}`, text(t, got[2]))
	require.Contains(t, text(t, got[3]), `"zo\"ne":null,"room_id":null,"reading_count":1,"avg_pm25":null,`)
	_, value := carry.Derived(got[3])
	require.Equal(t, []string{"pm25", "energy_consumption", "lux"}, value.(*window.Pane).Spec.Metrics, "what the table keeps")
}

func TestNumbersAreJSON(t *testing.T) {
	f := func(x float64, want string) {
		t.Helper()
		require.Equal(t, want, string(appendNumber(nil, x)))
	}

	f(0, "0")
	f(-1.5, "-1.5")
	f(1234567.25, "1234567.25")
	f(1e21, "1e+21")
	f(math.MaxFloat64, "1.7976931348623157e+308")
	f(math.Inf(1), "null")
	f(math.NaN(), "null")
}

// What is no reading passes through as it is, and counts for nothing.
func TestOtherMessagesPass(t *testing.T) {
	p := newProcessor(t, "")
	failed := message(1, `"temperature":21,`)
	failed.SetError(fmt.Errorf("an earlier processor"))
	derived := message(1, `"temperature":21,`)
	derived.MetaSetMut(carry.MetaKind, carry.KindAnomaly)
	batch := []*service.Message{service.NewMessage([]byte(`{"sensor`)), failed, derived}

	got := process(t, p, batch...)
	require.Len(t, got, 3)
	require.Equal(t, `{"sensor`, text(t, got[0]))
	require.NoError(t, got[0].GetError())
	require.EqualError(t, got[1].GetError(), "an earlier processor")
	require.Same(t, derived, got[2])
	require.Empty(t, process(t, p))

	mixed := process(t, p, append(batch, message(2, `"temperature":21,`))...)
	require.Len(t, mixed, 5)
	require.Contains(t, text(t, mixed[4]), `"reading_count":1,`)
}

func TestPanesAreCarried(t *testing.T) {
	p := newProcessor(t, prompt+"\nidle_timeout: 90s")
	process(t, p, from(message(-60, ""), "sensors", "7", "10"))
	got := process(t, p,
		from(message(0, `"temperature":21,`), "sensors", "7", "11"),
		from(message(10, `"temperature":24,`), "sensors", "7", "12"),
		from(message(10, `"temperature":24,`), "sensors", "7", "13"),
	)
	require.Len(t, got, 5)
	for _, msg := range got[3:] {
		offset, _ := msg.MetaGet(carry.MetaOffset)
		require.Equal(t, "13", offset)
	}

	kind, value := carry.Derived(got[3])
	require.Equal(t, carry.KindAggregate, kind)
	final := value.(*window.Pane)
	require.Zero(t, final.Count)
	require.Empty(t, final.Members)
	require.Equal(t, "sensors/7", final.Source)

	_, value = carry.Derived(got[4])
	pane := value.(*window.Pane)
	items := carry.NewDecoder(time.Now).Batch(got)
	require.Equal(t, []*reading.Reading{items[0].Reading, items[1].Reading, items[2].Reading}, pane.Members)
	require.Same(t, items[2].Reading, pane.Members[2], "the output tells copies apart by their pointers")
	require.Equal(t, int64(3), pane.Count)
	require.Equal(t, time.Date(2026, 1, 5, 9, 0, 10, 0, time.UTC), pane.Watermark)
	require.Equal(t, 90*time.Second, pane.Idle)
}

// One partition is silent: it holds the window open until it is idle.
func TestIdlePartition(t *testing.T) {
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	w := newWindows(t, prompt+"\nidle_timeout: 20s\ngroup_by: []\nmetrics: [ { name: co2, functions: [] } ]")
	w.now = func() time.Time { return now }
	p := step.NewProcessor(w)
	process(t, p, from(message(-60, ""), "sensors", "0", "1"), from(message(-60, ""), "sensors", "1", "1"))

	rows := func(batch ...*service.Message) (rows []string) {
		for _, msg := range process(t, p, batch...)[len(batch):] {
			rows = append(rows, text(t, msg))
		}
		return rows
	}
	row := func(start, count, final, partial any) string {
		return fmt.Sprintf(`{"window_start":"2026-01-05T%s:00Z","window_end":"2026-01-05T%[1]s:30Z","reading_count":%d,"final":%t,"partial":%t}`, start, count, final, partial)
	}
	require.Equal(t, []string{row("09:00", 1, false, false)}, rows(from(message(1, ""), "sensors", "0", "2")))
	require.Equal(t, []string{row("09:01", 1, false, false)}, rows(from(message(61, ""), "sensors", "0", "3")))
	now = now.Add(19 * time.Second)
	require.Equal(t, []string{row("09:01", 2, false, false)}, rows(from(message(62, ""), "sensors", "0", "4")))
	now = now.Add(time.Second)
	require.Equal(t, []string{row("08:59", 1, true, true), row("09:00", 1, true, false), row("09:01", 3, false, false)},
		rows(from(message(63, ""), "sensors", "0", "5")))
}

func TestLateReadings(t *testing.T) {
	for _, policy := range []string{"update", "drop"} {
		p := newProcessor(t, prompt+"\nlate_policy: "+policy)
		process(t, p, message(-60, ""))
		process(t, p, message(0, ""))
		process(t, p, message(30, ""))
		late := message(1, `"temperature":21,`)
		got := process(t, p, late)
		require.Equal(t, text(t, late), text(t, got[0]), "the reading passes through in any case")
		if policy == "drop" {
			require.Len(t, got, 1)
			continue
		}
		require.Len(t, got, 2)
		require.Contains(t, text(t, got[1]), `"reading_count":2,"avg_temperature":21,`)
		require.Contains(t, text(t, got[1]), `"final":true,"partial":false}`)
	}
}

// A partition that comes back was elsewhere meanwhile: what it brings may not be
// all of a window, and its watermark starts anew.
func TestPartitionComesBack(t *testing.T) {
	p := newProcessor(t, prompt+"\nlate_policy: drop")
	assigned := func(epoch string, msg *service.Message) *service.Message {
		msg.MetaSetMut(carry.MetaEpoch, epoch)
		return from(msg, "sensors", "0", "1")
	}
	process(t, p, assigned("1", message(100, "")))
	require.Len(t, process(t, p, assigned("1", message(10, ""))), 1)
	back := process(t, p, assigned("2", message(10, "")))
	require.Len(t, back, 2)
	require.Contains(t, text(t, back[1]), `"partial":true}`)
}

// Rows share memory with each other, and the batch with its caller; nobody
// overwrites anything of another.
func TestRowsDoNotOverlap(t *testing.T) {
	p := newProcessor(t, prompt)
	batches := service.MessageBatch{message(1, ""), message(31, ""), message(61, "")}
	next := batches[2]
	got := process(t, p, batches[:2]...)
	require.Len(t, got, 4)
	require.Same(t, next, batches[2])

	raw, err := got[2].AsBytes()
	require.NoError(t, err)
	second := text(t, got[3])
	_ = append(raw, "overwritten"...)
	require.Equal(t, second, text(t, got[3]))
}
