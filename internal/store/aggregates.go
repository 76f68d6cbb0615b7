package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"buildmon/internal/reading"
	"buildmon/internal/window"
)

// metricColumns are the prefixes of the columns of window_aggregates.
var metricColumns = [reading.NumMetrics]string{
	reading.Temperature: "temperature", reading.Humidity: "humidity", reading.CO2: "co2",
	reading.Occupancy: "occupancy", reading.Energy: "energy",
}

// addAggregatesSQL adds to the rows of windows, in the order of their keys so
// that two writers do not deadlock. least and greatest ignore NULL.
var addAggregatesSQL = func() string {
	columns := []string{"window_start", "window_size", "building", "floor", "labels", "reading_count"}
	types := []string{"timestamptz", "interval", "text", "text", "text", "bigint"}
	sets := []string{"reading_count = a.reading_count + excluded.reading_count"}
	for _, m := range metricColumns {
		columns = append(columns, m+"_count", m+"_sum", m+"_min", m+"_max")
		types = append(types, "bigint", "float8", "float8", "float8")
		sets = append(sets,
			fmt.Sprintf("%[1]s_count = a.%[1]s_count + excluded.%[1]s_count", m),
			fmt.Sprintf("%[1]s_sum = coalesce(a.%[1]s_sum + excluded.%[1]s_sum, a.%[1]s_sum, excluded.%[1]s_sum)", m),
			fmt.Sprintf("%[1]s_min = least(a.%[1]s_min, excluded.%[1]s_min)", m),
			fmt.Sprintf("%[1]s_max = greatest(a.%[1]s_max, excluded.%[1]s_max)", m))
	}
	columns, types = append(columns, "extra"), append(types, "text")
	sets = append(sets, "extra = merge_window_stats(a.extra, excluded.extra)", "updated_at = now()")
	params := make([]string, len(types))
	for i, t := range types {
		params[i] = fmt.Sprintf("$%d::%s[]", i+1, t)
	}
	list := strings.Join(columns, ", ")
	values := strings.NewReplacer("labels", "labels::jsonb", "extra", "extra::jsonb").Replace(list)
	return fmt.Sprintf(`
INSERT INTO window_aggregates AS a (%[1]s)
SELECT %[2]s FROM unnest(%[3]s) AS new (%[1]s)
ORDER BY window_start, window_size, building, floor, labels
ON CONFLICT (window_start, window_size, building, floor, labels) DO UPDATE SET %[4]s`,
		list, values, strings.Join(params, ", "), strings.Join(sets, ", "))
}()

// queueAggregates adds panes to their windows.
func queueAggregates(b *pgx.Batch, panes []*window.Pane) {
	rows := mergePanes(panes)
	n := len(rows)
	if n == 0 {
		return
	}
	starts, sizes := make([]time.Time, n), make([]time.Duration, n)
	buildings, floors := make([]pgtype.Text, n), make([]pgtype.Text, n)
	labels, counts, extras := make([]string, n), make([]int64, n), make([]pgtype.Text, n)
	var stats [reading.NumMetrics]statColumns
	for m := range stats {
		stats[m] = newStatColumns(n)
	}
	for i, r := range rows {
		starts[i], sizes[i] = time.UnixMicro(r.start).UTC(), r.size
		buildings[i], floors[i], labels[i] = text(r.building), text(r.floor), r.labels
		counts[i] = r.count
		for m := range stats {
			stats[m].set(i, r.known[m])
		}
		extras[i] = text(extraStats(r.other))
	}
	args := []any{starts, sizes, buildings, floors, labels, counts}
	for _, s := range stats {
		args = append(args, s.count, s.sum, s.min, s.max)
	}
	b.Queue(addAggregatesSQL, append(args, extras)...)
}

// paneRow is the addition to one row of window_aggregates.
type paneRow struct {
	paneKey
	count int64
	known [reading.NumMetrics]window.Stats
	other map[string]window.Stats
}

type paneKey struct {
	start           int64 // microseconds since the Unix epoch
	size            time.Duration
	building, floor string
	labels          string // JSON object
}

// mergePanes brings together the panes of one window and group, which come from
// several lanes or processors, and leaves out those without readings.
func mergePanes(panes []*window.Pane) []*paneRow {
	var rows []*paneRow
	byKey := map[paneKey]*paneRow{}
	for _, p := range panes {
		if p.Count == 0 {
			continue
		}
		key := keyOf(p)
		row := byKey[key]
		if row == nil {
			row = &paneRow{paneKey: key}
			byKey[key] = row
			rows = append(rows, row)
		}
		row.count += p.Count
		for i, name := range p.Spec.Metrics {
			if p.Stats[i].Count == 0 {
				continue
			}
			if m, ok := reading.ParseMetric(name); ok {
				row.known[m].Merge(p.Stats[i])
				continue
			}
			if row.other == nil {
				row.other = map[string]window.Stats{}
			}
			s := row.other[name]
			s.Merge(p.Stats[i])
			row.other[name] = s
		}
	}
	return rows
}

func keyOf(p *window.Pane) paneKey {
	key := paneKey{start: p.Start.UnixMicro(), size: p.Spec.Size, labels: "{}"}
	var others map[string]string
	for i, name := range p.Spec.GroupBy {
		switch name {
		case "building":
			key.building = p.Group[i]
		case "floor":
			key.floor = p.Group[i]
		default:
			if others == nil {
				others = map[string]string{}
			}
			others[name] = p.Group[i]
		}
	}
	if others != nil {
		encoded, err := json.Marshal(others) // sorted by name, so equal groups have equal labels
		if err != nil {
			panic(fmt.Sprintf("BUG: encoding a map of strings: %v", err))
		}
		key.labels = string(encoded)
	}
	return key
}

func extraStats(stats map[string]window.Stats) string {
	if len(stats) == 0 {
		return ""
	}
	type one struct {
		Count int64   `json:"count"`
		Sum   float64 `json:"sum"`
		Min   float64 `json:"min"`
		Max   float64 `json:"max"`
	}
	object := make(map[string]one, len(stats))
	for name, s := range stats {
		object[name] = one(s)
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		panic(fmt.Sprintf("BUG: statistics that are not finite: %v", err))
	}
	return string(encoded)
}

// statColumns are the four columns of one metric.
type statColumns struct {
	count         []int64
	sum, min, max []pgtype.Float8
}

func newStatColumns(n int) statColumns {
	return statColumns{make([]int64, n), make([]pgtype.Float8, n), make([]pgtype.Float8, n), make([]pgtype.Float8, n)}
}

func (c *statColumns) set(i int, s window.Stats) {
	c.count[i] = s.Count
	some := s.Count > 0
	c.sum[i] = pgtype.Float8{Float64: s.Sum, Valid: some}
	c.min[i] = pgtype.Float8{Float64: s.Min, Valid: some}
	c.max[i] = pgtype.Float8{Float64: s.Max, Valid: some}
}

// queueWatermarks notes how far each source has come, never backwards.
func queueWatermarks(b *pgx.Batch, panes []*window.Pane) {
	type key struct {
		source string
		size   time.Duration
	}
	latest := map[key]*window.Pane{}
	var order []key
	for _, p := range panes {
		if p.Watermark.IsZero() {
			continue
		}
		k := key{p.Source, p.Spec.Size}
		if have := latest[k]; have == nil {
			order = append(order, k)
			latest[k] = p
		} else if p.Watermark.After(have.Watermark) {
			latest[k] = p
		}
	}
	slices.SortFunc(order, func(a, b key) int { return strings.Compare(a.source, b.source) })
	for _, k := range order {
		b.Queue(`
			INSERT INTO window_watermarks AS w (source, window_size, watermark, idle_timeout, updated_at)
			VALUES ($1, $2, $3, $4, now())
			ON CONFLICT (source, window_size) DO UPDATE SET
				watermark = greatest(w.watermark, excluded.watermark),
				idle_timeout = excluded.idle_timeout, updated_at = excluded.updated_at`,
			k.source, k.size, latest[k].Watermark, latest[k].Idle)
	}
}
