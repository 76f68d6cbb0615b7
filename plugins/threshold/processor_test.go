package threshold

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/internal/anomaly"
	"buildmon/plugins/internal/carry"
	"buildmon/plugins/internal/detect"
)

func TestConfig(t *testing.T) {
	tests := []struct {
		name, config, errContains string
		lintContains              string // errContains unless set
	}{
		{name: "defaults", config: `{}`},
		{name: "all sensors together", config: `group_by: []`},
		{name: "plain percentiles", config: `margin: 0`},
		{name: "fixed limits only", config: `{ metrics: [], limits: [ { metric: co2, max: 1500 } ] }`},
		{name: "any metric", config: `{ metrics: [ pm2_5 ], limits: [ { metric: noise, min: 1, max: 2, where: { room_type: Lab } } ] }`},
		{name: "short history", config: `{ history: 10m, refresh_interval: 10m }`},
		{name: "fewer samples", config: `{ samples: 100, min_samples: 100 }`},
		{
			name: "lower too low", config: `lower_percentile: 0`,
			errContains: "lower_percentile must be between 0 and 100, got 0", lintContains: "must be between 0 and 100, got 0",
		},
		{
			name: "upper too high", config: `upper_percentile: 100`,
			errContains: "upper_percentile must be between 0 and 100, got 100", lintContains: "must be between 0 and 100, got 100",
		},
		{name: "percentiles swapped", config: `{ lower_percentile: 99, upper_percentile: 1 }`, errContains: "lower_percentile 99 must be smaller than upper_percentile 1"},
		{name: "upper below default lower", config: `upper_percentile: 0.5`, errContains: "lower_percentile 1 must be smaller than upper_percentile 0.5"},
		{name: "margin", config: `margin: -1`, errContains: "margin must not be negative, got -1", lintContains: "must not be negative, got -1"},
		{
			name: "width", config: `min_width: { co2: -200 }`,
			errContains: `min_width of "co2" must not be negative, got -200`, lintContains: "co2 must not be negative, got -200",
		},
		{
			name: "refresh", config: `refresh_interval: 0s`,
			errContains: "refresh_interval must be positive, got 0s", lintContains: "must be positive, got 0s",
		},
		{name: "history shorter than refresh", config: `history: 1m`, errContains: "shorter than refresh_interval 5m"},
		{name: "history too long", config: `history: 9000h`, errContains: "history must be at most 8784h0m0s, got 9000h0m0s", lintContains: "must be at most 8784h, got 9000h"},
		{name: "min samples", config: `min_samples: 1`, errContains: "min_samples must be at least 2, got 1", lintContains: "must be at least 2, got 1"},
		{name: "samples", config: `samples: 99`, errContains: "samples 99 must not be smaller than min_samples 100"},
		{name: "nothing to judge", config: `metrics: []`, errContains: "metrics and limits are both empty"},
		{name: "metric twice", config: `metrics: [ co2, co2 ]`, errContains: `metrics must be different names, got ["co2" "co2"]`, lintContains: "must be different names"},
		{name: "empty label", config: `group_by: [ "" ]`, errContains: `group_by must be different names, got [""]`, lintContains: "must be different names"},
		{name: "limit without bounds", config: `limits: [ { metric: co2 } ]`, errContains: "limit of co2 needs min or max"},
		{name: "limit without metric", config: `limits: [ { metric: "", max: 1 } ]`, errContains: "metric must not be empty"},
		{name: "limit swapped", config: `limits: [ { metric: co2, min: 5, max: 4 } ]`, errContains: "limit of co2: min 5 must be smaller than max 4"},
		{name: "unknown cache", config: `state: { cache: nowhere }`, errContains: `state cache "nowhere" is not a cache resource`, lintContains: "-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conf, err := spec().ParseYAML(test.config, nil)
			require.NoError(t, err)
			_, err = newFromConfig(conf, service.MockResources())
			lints, lintErr := service.GlobalEnvironment().NewComponentConfigLinter().LintProcessorYAML([]byte("threshold:\n  " + asBlock(test.config)))
			require.NoError(t, lintErr)
			if test.errContains == "" {
				require.NoError(t, err)
				require.Empty(t, lints)
				return
			}
			require.ErrorContains(t, err, test.errContains)
			want := test.lintContains
			if want == "" {
				want = test.errContains
			}
			if want != "-" { // resources are unknown to the linter of a component
				require.Contains(t, fmt.Sprint(lints), want)
			}
		})
	}
}

// asBlock makes a mapping of one line a block that can be indented.
func asBlock(config string) string {
	if strings.HasPrefix(config, "{") {
		return config
	}
	return "{ " + config + " }"
}

func processor(t *testing.T, config string, res *service.Resources) *detect.Processor[*state] {
	t.Helper()
	conf, err := spec().ParseYAML(config, nil)
	require.NoError(t, err)
	p, err := newFromConfig(conf, res)
	require.NoError(t, err)
	return p
}

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func at(seconds int) string {
	return start.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)
}

// judge feeds readings and returns the anomalies as they leave the processor.
func judged(t *testing.T, p *detect.Processor[*state], readings ...string) (found []anomaly.Anomaly) {
	t.Helper()
	var batch service.MessageBatch
	for _, r := range readings {
		batch = append(batch, service.NewMessage([]byte(r)))
	}
	out, err := p.ProcessBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.GreaterOrEqual(t, len(out[0]), len(batch))
	for i, msg := range out[0] {
		raw, err := msg.AsBytes()
		require.NoError(t, err)
		kind, _ := carry.Derived(msg)
		if i < len(batch) {
			require.NotEqual(t, carry.KindAnomaly, kind)
			require.Equal(t, readings[i], string(raw))
			continue
		}
		require.Equal(t, carry.KindAnomaly, kind)
		var a anomaly.Anomaly
		require.NoError(t, json.Unmarshal(raw, &a))
		found = append(found, a)
	}
	return found
}

func office(second int, members string) string {
	return fmt.Sprintf(`{"sensor_id":"o1","room_type":"Office",%s,"timestamp":%q}`, members, at(second))
}

// warm teaches temperatures of 20 to 24 and CO₂ of 500 to 600, in ten hours.
func warm(t *testing.T, p *detect.Processor[*state]) {
	t.Helper()
	for i := range 1000 {
		x := float64(i%101) / 100
		require.Empty(t, judged(t, p, office(36*i, fmt.Sprintf(`"temperature":%.2f,"co2":%.0f`, 20+4*x, 500+100*x))))
	}
}

func TestLearnedLimits(t *testing.T) {
	p := processor(t, `history: 9h`, service.MockResources())
	warm(t, p)
	found := judged(t, p,
		office(36001, `"temperature":24.5,"co2":650`),
		office(36002, `"temperature":31.4`),
		office(36003, `"temperature":14,"co2":1500`),
		office(36004, `"co2":100`),
		`{"sensor_id":"s1","room_type":"Server Room","temperature":10,"timestamp":"2026-01-05T10:00:05Z"}`,
		`garbage`,
	)
	require.Len(t, found, 4)
	// The percentiles of 20.00, 20.04 … 24.00 in equal shares are 20.04 and 23.96;
	// half of 3.92 past them lie the limits 18.08 and 25.92.
	a := found[0]
	assert.Equal(t, "temperature_too_high", a.Type)
	assert.Equal(t, "temperature", a.Metric)
	assert.Equal(t, "threshold", a.Detector)
	assert.Equal(t, 31.4, a.Value)
	assert.InDelta(t, 20.04, a.Low, 0.05)
	assert.InDelta(t, 23.96, a.High, 0.05)
	assert.Equal(t, "Temperature 31.4 °C is above the usual 20–24 °C of Office rooms.", a.Explanation)
	assert.InDelta(t, anomaly.ScoreBeyond(31.4-25.92, 3.92), a.Score, 0.01)

	assert.Equal(t, "temperature_too_low", found[1].Type)
	assert.Equal(t, "Temperature 14 °C is below the usual 20–24 °C of Office rooms.", found[1].Explanation)
	assert.Equal(t, "co2_dangerous", found[2].Type)
	assert.Equal(t, "CO₂ 1,500 ppm is above the usual 501–599 ppm of Office rooms.", found[2].Explanation)
	assert.Equal(t, "co2_too_low", found[3].Type)
}

func TestFixedLimits(t *testing.T) {
	p := processor(t, `
limits:
  - { metric: temperature, max: 27, where: { room_type: Server Room } }
  - { metric: temperature, min: 17, max: 30 }
  - { metric: noise, max: 0 }
`, service.MockResources())
	found := judged(t, p,
		office(0, `"temperature":30`),
		office(1, `"temperature":37.5`),
		office(2, `"temperature":30.04`),
		office(3, `"temperature":12.75,"noise":1`),
		`{"sensor_id":"s1","room_type":"Server Room","temperature":28,"timestamp":"2026-01-05T10:00:00Z"}`,
		`{"sensor_id":"s1","room_type":"Server Room","temperature":10,"timestamp":"2026-01-05T10:00:10Z"}`,
		`{"sensor_id":"s1","noise":"loud","timestamp":"2026-01-05T10:00:20Z"}`,
	)
	require.Len(t, found, 5)
	assert.Equal(t, "temperature_too_high", found[0].Type)
	assert.Equal(t, 0.75, found[0].Score, "a quarter past a limit of 30")
	assert.Equal(t, 17.0, found[0].Low)
	assert.Equal(t, 30.0, found[0].High)
	assert.Equal(t, "Temperature 37.5 °C is above the fixed limit of 30 °C.", found[0].Explanation)
	assert.Equal(t, "Temperature 30.04 °C is above the fixed limit of 30 °C.", found[1].Explanation)
	assert.Equal(t, "temperature_too_low", found[2].Type)
	assert.Equal(t, "Temperature 12.8 °C is below the fixed limit of 17 °C.", found[2].Explanation)
	assert.Equal(t, "noise_too_high", found[3].Type)
	assert.Equal(t, 0.75, found[3].Score)
	assert.Equal(t, "Temperature 28 °C is above the fixed limit of 27 °C.", found[4].Explanation)
	assert.NotEqual(t, found[4].Low, found[4].Low, "no lower limit")
}

func TestAFixedLimitGoesBeforeALearnedOne(t *testing.T) {
	p := processor(t, `{ history: 9h, limits: [ { metric: temperature, max: 40 }, { metric: noise, max: 5 } ] }`, service.MockResources())
	warm(t, p)
	found := judged(t, p, office(36001, `"temperature":41,"co2":1500,"noise":6`), office(36002, `"temperature":39`))
	require.Len(t, found, 4)
	assert.Contains(t, found[0].Explanation, "fixed limit of 40 °C")
	assert.Contains(t, found[1].Explanation, "CO₂ 1,500 ppm")
	assert.Contains(t, found[2].Explanation, "noise 6 is above the fixed limit of 5.")
	assert.Contains(t, found[3].Explanation, "above the usual")
}

func TestGroups(t *testing.T) {
	f := func(config, want string) {
		t.Helper()
		p := processor(t, config, service.MockResources())
		reading := func(i int, temperature float64) string {
			return fmt.Sprintf(`{"sensor_id":"o1","building":"Building A","room_type":"Office","wing":"north","temperature":%g,"timestamp":%q}`, temperature, at(i))
		}
		for i := range 200 {
			judged(t, p, reading(i, 20))
		}
		found := judged(t, p, reading(200, 30))
		require.Len(t, found, 1)
		assert.Equal(t, "Temperature 30 °C is above the usual 20 °C of "+want+".", found[0].Explanation)
	}

	f(`{}`, "Office rooms")
	f(`group_by: []`, "all sensors")
	f(`group_by: [ sensor_id ]`, "this sensor")
	f(`group_by: [ building, room_type ]`, "Building A, Office rooms")
	f(`group_by: [ wing, floor ]`, "north, no floor")
}

func TestKinds(t *testing.T) {
	f := func(metric, high, low string) {
		t.Helper()
		assert.Equal(t, high, kindOf(metric, true))
		assert.Equal(t, low, kindOf(metric, false))
	}

	f("temperature", "temperature_too_high", "temperature_too_low")
	f("humidity", "humidity_too_high", "humidity_too_low")
	f("co2", "co2_dangerous", "co2_too_low")
	f("occupancy", "occupancy_too_high", "occupancy_too_low")
	f("energy_consumption", "energy_excessive", "energy_too_low")
	f("pm2_5", "pm2_5_too_high", "pm2_5_too_low")
}

// The same feed with and without restarts yields the same, word for word.
func TestRestartChangesNothing(t *testing.T) {
	feed := make([]string, 3000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range feed {
		v := 21 + rng.NormFloat64()
		if rng.IntN(100) == 0 {
			v += 15
		}
		feed[i] = office(30*i, fmt.Sprintf(`"temperature":%.3f,"humidity":%.3f`, v, 40+rng.NormFloat64()))
	}
	whole := processor(t, `{}`, service.MockResources())
	want := judged(t, whole, feed...)
	require.Greater(t, len(want), 10)

	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	var got []anomaly.Anomaly
	for i := 0; i < len(feed); i += 250 {
		p := processor(t, `state: { cache: learned }`, res)
		got = append(got, judged(t, p, feed[i:i+250]...)...)
		require.NoError(t, p.Close(t.Context()))
	}
	require.Len(t, got, len(want))
	for i := range want {
		assert.Equal(t, want[i].Explanation, got[i].Explanation)
		assert.Equal(t, want[i].Score, got[i].Score)
		assert.True(t, want[i].Reading.Time.Equal(got[i].Reading.Time))
	}
}

// A state that was learned for other groups is of no use.
func TestOtherGroupsLearnAnew(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("learned"))
	p := processor(t, `{ history: 9h, state: { cache: learned } }`, res)
	warm(t, p)
	require.NoError(t, p.Close(t.Context()))
	p = processor(t, `{ history: 9h, state: { cache: learned } }`, res)
	require.Len(t, judged(t, p, office(36001, `"temperature":31.4`)), 1)
	p = processor(t, `{ history: 9h, group_by: [ sensor_id ], state: { cache: learned } }`, res)
	require.Empty(t, judged(t, p, office(36001, `"temperature":31.4`)))
}
