package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"buildmon/internal/store"
	"buildmon/internal/testpg"
	"buildmon/plugins/internal/carry"
	_ "buildmon/plugins/tumblingwindow"
)

// Messages are copied, changed and dropped by processors of the host, before and after
// the windows; the copies carry the same reading.
func TestAggregatesEqualReadingsWhateverIsDoneToMessages(t *testing.T) {
	const (
		window     = "tumbling_window: {}"
		copyFirst  = "select_parts: { parts: [ 0, 1, 0, 2 ] }"                // of three readings
		copyFirstW = "select_parts: { parts: [ 0, 1, 0, 2, 3, 4, 5, 6, 7 ] }" // rows of windows follow them
		copyAllW   = "select_parts: { parts: [ 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7 ] }"
		dropFirstW = "select_parts: { parts: [ 1, 2, 3, 4, 5, 6, 7 ] }"
		change     = `mapping: 'root = if @buildmon_kind == null { this.assign({"temperature": this.temperature + 10, "floor": "moved"}) }'`
		changeOne  = `mapping: 'root = if @buildmon_kind == null && batch_index() == 0 { this.assign({"temperature": 35, "floor": "moved"}) }'`
		delete1    = `mapping: 'root = if this.sensor_id.or("") == "s1" { deleted() }'`
	)
	for name, c := range map[string]struct {
		processors []string
		readings   int
	}{
		"nothing":                     {[]string{window}, 5},
		"copied before":               {[]string{copyFirst, window}, 5},
		"copied after":                {[]string{window, copyFirstW}, 5},
		"copied before and after":     {[]string{copyFirst, window, copyFirstW}, 5},
		"all copied after":            {[]string{window, copyAllW}, 5},
		"copied before, one dropped":  {[]string{copyFirst, window, dropFirstW}, 5},
		"copied before, both dropped": {[]string{copyFirst, window, delete1}, 2},
		"dropped after":               {[]string{window, delete1}, 2},
		"changed before":              {[]string{change, window}, 5},
		"changed after":               {[]string{window, change}, 5},
		"copied, then one changed":    {[]string{window, copyFirstW, changeOne}, 5},
		"copied, changed, counted":    {[]string{copyFirst, changeOne, window}, 5},
		"two sizes":                   {[]string{copyFirst, window, "tumbling_window: { size: 1h }"}, 5},
		"two processors":              {[]string{window, "tumbling_window: { metrics: [ { name: co2, functions: [ avg ] } ] }"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := testpg.New(t)
			builder := service.NewStreamBuilder()
			require.NoError(t, builder.SetLoggerYAML("level: none"))
			produce, err := builder.AddBatchProducerFunc()
			require.NoError(t, err)
			for _, p := range c.processors {
				require.NoError(t, builder.AddProcessorYAML(p))
			}
			require.NoError(t, builder.AddOutputYAML("postgres: { dsn: '"+dsn+"' }"))
			stream, err := builder.Build()
			require.NoError(t, err)
			stopped := make(chan error, 1)
			go func() { stopped <- stream.Run(t.Context()) }()

			// The second batch is known when it comes, the third in part.
			for _, minute := range []int{0, 0, 1} {
				var batch service.MessageBatch
				for i, at := range []string{"09:30:00", fmt.Sprintf("09:3%d:10", minute), fmt.Sprintf("09:3%d:20", minute)} {
					batch = append(batch, message(i, fmt.Sprintf(
						`{"sensor_id":"s%d","building":"A","floor":"1","temperature":%d,"co2":%d,"timestamp":"2026-01-05T%sZ"}`, 1+i%2, 20+i, 400+i, at)))
				}
				(&carry.Lane{Name: "sensors/2"}).Begin(batch) // as the kafka input does
				require.NoError(t, produce(t.Context(), batch))
			}
			require.NoError(t, stream.StopWithin(time.Minute))
			<-stopped

			pool, err := pgxpool.New(t.Context(), dsn)
			require.NoError(t, err)
			defer pool.Close()
			audit, err := store.CheckAggregates(t.Context(), pool)
			require.NoError(t, err)
			require.NotZero(t, audit.Windows)
			require.Zero(t, audit.Wrong, "the first wrong window is %s", audit.FirstWrong)
			require.Equal(t, fmt.Sprint(c.readings), query(t, dsn, "SELECT count(*)::text FROM sensor_readings"))
		})
	}
}
