package dashboards

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// part is what a dashboard of this scope draws one line for: the level below it.
func (s scope) part() (column, name string) {
	switch len(s.places) - len(s.single) {
	case 0:
		return "{room}", "room"
	default:
		switch len(s.single) {
		case 0:
			return "{building}", "building"
		case 1:
			return "{floor}", "floor"
		}
		return "{room}", "room"
	}
}

// meanTrend is a trend of the mean of a metric, one line for each building or floor.
func (s scope) meanTrend(metric string) string {
	column, name := s.part()
	if name == "room" {
		return fmt.Sprintf(`WITH %s
SELECT $__timeGroupAlias(bucket, '$interval', NULL), room AS room, avg(%s) AS "value"
FROM h GROUP BY 1, 2 ORDER BY 1`, s.roomHistory(stepOfInterval), metric)
	}
	return fmt.Sprintf(`WITH %s
SELECT $__timeGroupAlias(bucket, '$interval', NULL), %s AS %s, sum(%s_sum) / nullif(sum(%s_count), 0) AS "value"
FROM f GROUP BY 1, 2 ORDER BY 1`, s.floorHistory(), column, name, metric, metric)
}

// bridged is for trends by meanTrend: of rooms there is a point each quarter of an hour.
func (s scope) bridged(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	if _, name := s.part(); name == "room" {
		return quarterly(p)
	}
	return p
}

func temperature(s scope) *timeseries.PanelBuilder {
	_, name := s.part()
	return limitsDrawn(s.bridged(trend(panelTemperature, "Temperature by "+name,
		"Mean temperature. The dashed lines at 20 and 26 °C are the comfort band of rooms where people sit (EN 16798-1 category II); outside it in working hours, look at setpoints, windows and valves.",
		unitCelsius, s.meanTrend("temperature"))),
		steps("transparent", from(20, "green"), from(26, "orange"))).
		DisplayName("${__field.labels." + name + "}").Decimals(1)
}

func humidity(s scope) *timeseries.PanelBuilder {
	_, name := s.part()
	return limitsDrawn(s.bridged(trend(panelHumidity, "Humidity by "+name,
		"Mean relative humidity. Below the dashed line at 20 % eyes and airways suffer, above that at 70 % mould grows.",
		unitHumidity, s.meanTrend("humidity"))),
		steps("transparent", from(20, "green"), from(70, "orange"))).
		DisplayName("${__field.labels." + name + "}")
}

func comfortBars(s scope) *bargauge.PanelBuilder {
	column, name := s.part()
	if name == "room" {
		column = "room"
	}
	return ranking(panelComfortBars, "Comfort by "+name,
		"Share of occupied time at 20–26 °C (server rooms 18–27, warehouses 12–30), the worst first. Below 90 % people complain.", unitShare,
		`WITH `+s.roomHistory(stepOfRange)+`
SELECT `+column+` AS "Where", avg((`+comfortable+`)::int) FILTER (WHERE `+occupied+` AND temperature IS NOT NULL) AS "Comfort"
FROM h GROUP BY 1 HAVING count(*) FILTER (WHERE `+occupied+` AND temperature IS NOT NULL) > 0 ORDER BY 2 LIMIT 8`).
		Max(1).Decimals(0)
}

// airOf says what the lines of a trend of CO₂ are: types of rooms, or rooms.
func co2(s scope) *timeseries.PanelBuilder {
	column, name := "{room_type}", "room type"
	if _, below := s.part(); below == "room" {
		column, name = "room", "room"
	}
	return limitsDrawn(quarterly(trend(PanelCO2, "CO₂ by "+name,
		"Mean CO₂. From the dashed lines on: 800 ppm less than fresh, 1,000 stale, 1,400 bad. These are defaults of buildmon, not limits of a standard. Look at the ventilation of what stays above them while people are there.",
		unitPPM, fmt.Sprintf(`WITH %s, b AS (SELECT bucket, %s AS place, sum(co2) AS co2, count(co2) AS n FROM h GROUP BY 1, 2)
SELECT $__timeGroupAlias(bucket, '$interval', NULL), coalesce(place, '–') AS place, sum(co2) / nullif(sum(n), 0) AS "value"
FROM b GROUP BY 1, 2 ORDER BY 1`, s.roomHistory(s.stepOfTrend()), column))),
		steps("transparent", co2Colors...)).
		DisplayName("${__field.labels.place}").AxisSoftMin(400)
}

func co2Bands(s scope) *barchart.PanelBuilder {
	share := func(condition string) string {
		return `count(*) FILTER (WHERE ` + condition + `)::float8 / nullif(count(*), 0)`
	}
	return bars(panelCO2Bands, "CO₂ in occupied time",
		"How much of the time with people in the room had which air, by type of room. More than 5 % stale or any bad air: the ventilation does not keep up.", unitShare,
		`WITH `+s.roomHistory(stepOfRange)+`
SELECT coalesce({room_type}, '–') AS "Room type", `+share("co2 < 800")+` AS "● fresh, below 800", `+share("co2 >= 800 AND co2 < 1000")+` AS "◆ fair, 800–1,000",
	`+share("co2 >= 1000 AND co2 < 1400")+` AS "▲ stale, 1,000–1,400", `+share("co2 >= 1400")+` AS "■ bad, 1,400 and more"
FROM h WHERE `+occupied+` AND co2 IS NOT NULL GROUP BY 1 ORDER BY 1`).
		Stacking("normal").Max(1.08).Decimals(0).ShowValue("never"). // the last label has room beside 100 %
		OverrideByName("● fresh, below 800", color("green")).OverrideByName("◆ fair, 800–1,000", color("yellow")).
		OverrideByName("▲ stale, 1,000–1,400", color("orange")).OverrideByName("■ bad, 1,400 and more", color("red"))
}

func co2Types(s scope) *barchart.PanelBuilder {
	return bars(panelCO2Types, "CO₂ by room type",
		"Mean and highest CO₂ by type of room. A peak above 1,400 ppm with a low mean is a full meeting room; a high mean is a ventilation that does not run.", unitNone,
		`WITH `+s.roomHistory(stepOfRange)+`
SELECT coalesce({room_type}, '–') AS "Room type", avg(co2) AS "mean, ppm", max(co2_max) AS "highest, ppm"
FROM h WHERE co2 IS NOT NULL GROUP BY 1 ORDER BY 1`).Decimals(0).AxisSoftMax(2450)
}

// slot is the length of time that a point of co2States spans. Rows without a value in
// each keep a gap a gap.
const slot = `greatest('$interval', interval '15 minutes')`

// shortNames is a common table expression common, to follow roomHistory: how many
// letters all names of rooms begin with, up to a hyphen or the like. Beside the bars of
// co2States there is little room for names on a phone.
const shortNames = `common AS (
	SELECT coalesce(max(n), 0) AS n
	FROM (SELECT min(room COLLATE "C") AS a, max(room COLLATE "C") AS b FROM h) ends, generate_series(1, length(ends.a)) AS n
	WHERE ends.a <> ends.b AND left(ends.a, n) = left(ends.b, n) AND right(left(ends.a, n), 1) !~ '[[:alnum:]]'
)`

// co2States shows for each room when its air was how good.
func co2States(s scope) *statetimeline.PanelBuilder {
	return states(panelCO2State, "Air of each room",
		"When the air of each room was fresh, fair (from 800 ppm), stale (from 1,000) or bad (from 1,400), by mean of the interval. Long stretches of orange or red while people are there call for more fresh air.", unitPPM,
		`WITH `+s.roomHistory(stepOfInterval)+`, `+shortNames+`, grid AS (
	SELECT start, room FROM generate_series(date_bin(`+slot+`, $__timeFrom(), 'epoch'), $__timeTo(), `+slot+`) start, (SELECT DISTINCT room FROM h) r
)
SELECT g.start AS "time", substr(g.room, 1 + (SELECT n FROM common)) AS room, avg(h.co2) AS "value"
FROM grid g LEFT JOIN h ON h.room = g.room AND h.bucket >= g.start AND h.bucket < g.start + `+slot+`
GROUP BY 1, 2 ORDER BY 1, 2`).
		DisplayName("${__field.labels.room}").Decimals(0).
		Thresholds(steps("green", co2Colors...)).
		ColorScheme(byThreshold())
}
