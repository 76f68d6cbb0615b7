package dashboards

import (
	"fmt"
	"strings"
)

// Steps of roll-ups. Both are constants when Postgres gets them, so that it reads one
// level and no other.
const (
	// stepOfInterval is for trends: the interval of their points.
	stepOfInterval = `'$interval'`

	// stepOfRange is for sums over the whole range: a quarter of an hour up to a week,
	// an hour beyond. Opening hours begin and end on the hour.
	stepOfRange = `CASE WHEN $__to - $__from <= 604800000 THEN interval '15 minutes' ELSE interval '1 hour' END`

	// stepOfCounts is for how many readings came: a quarter of an hour up to a day, an
	// hour up to a week, a day beyond.
	stepOfCounts = `CASE WHEN $__to - $__from <= 86400000 THEN interval '15 minutes' WHEN $__to - $__from <= 604800000 THEN interval '1 hour' ELSE interval '1 day' END`
)

// stepOfTrend is for trends of rooms: the interval of their points, but for all
// buildings over more than a week no less than an hour, whatever is asked for.
func (s scope) stepOfTrend() string {
	if len(s.single) > 0 {
		return stepOfInterval
	}
	return `greatest(` + stepOfInterval + `, ` + stepOfRange + `)`
}

// roomHistory is a common table expression h: for each room and step of time, a
// quarter of an hour at least, the means and extremes of what it reported, in the
// scope and range of the dashboard.
//
//	bucket, hours, room, building, floor, room_type, n (readings),
//	temperature, humidity, co2, co2_max, people, load (kW)
func (s scope) roomHistory(step string) string {
	return `h AS (
	SELECT r.bucket, ` + hoursOf(step) + ` AS hours, r.{room} AS room, r.{building}, r.{floor}, r.{room_type}, r.reading_count AS n,
		r.temperature_sum / nullif(r.temperature_count, 0) AS temperature, r.humidity_sum / nullif(r.humidity_count, 0) AS humidity,
		r.co2_sum / nullif(r.co2_count, 0) AS co2, r.co2_max, r.occupancy_sum / nullif(r.occupancy_count, 0) AS people,
		r.energy_sum / nullif(r.energy_count, 0) AS load
	FROM {rooms_by}(greatest(` + step + `, interval '15 minutes')) r
	WHERE $__timeFilter(r.bucket) AND ` + s.where("r") + `)`
}

// hoursOf is how long the rows are that rooms_by has for a step, at least a quarter of
// an hour. Unlike what the rows say themselves it is worked out once.
func hoursOf(step string) string {
	return `CASE WHEN ` + step + ` >= interval '1 day' THEN 24 WHEN ` + step + ` >= interval '1 hour' THEN 1 ELSE 0.25::float8 END`
}

// afterHours is whether a bucket lies outside opening hours or on a weekend. For many
// buckets date_part is quicker than extract, which counts in decimals.
const afterHours = `(date_part('isodow', bucket AT TIME ZONE '${timezone:raw}') > 5
	OR date_part('hour', bucket AT TIME ZONE '${timezone:raw}') < ${opens:raw}
	OR date_part('hour', bucket AT TIME ZONE '${timezone:raw}') >= ${closes:raw})`

// closedHours is a common table expression o: the buckets of roomHistory by stepOfRange
// that are after hours. To look them up is quicker than to judge each bucket for each room.
const closedHours = `o AS MATERIALIZED (
	SELECT bucket FROM generate_series(date_bin(` + stepOfRange + `, $__timeFrom(), 'epoch'), $__timeTo(), ` + stepOfRange + `) bucket
	WHERE ` + afterHours + `)`

// closed is whether a bucket is one of closedHours. Postgres keeps a hash for it,
// while it may join in ways that take long where it expects few rows.
const closed = `bucket IN (SELECT bucket FROM o)`

// floorHistory is a common table expression f: for each floor and step of time, a
// window at least, counts, sums and extremes, as in the roll-ups.
func (s scope) floorHistory() string {
	return `f AS (SELECT r.* FROM {floors_by}(` + stepOfInterval + `) r WHERE $__timeFilter(r.bucket) AND ` + s.upToFloor().where("r") + `)`
}

// upToFloor is the scope without rooms, for what is kept for floors.
func (s scope) upToFloor() scope {
	if len(s.places) > 2 {
		s.places = s.places[:2]
	}
	return s
}

// Judgement of a bucket of roomHistory.
var (
	// occupied is when somebody was there.
	occupied = `people > 0`

	// comfortable is whether a room was as warm or cold as people want it: 20–26 °C,
	// what EN 16798-1 category II asks for over heating and cooling season, and what
	// suits machines and heavy work where there is little else.
	comfortable = within("temperature", comfort)
)

// band is the range of temperature in °C that suits a type of room.
type band struct {
	roomType  string
	cold, hot float64
}

// comfort has the bands of special rooms first and that of all others last; see
// configs/limits.yaml for where they come from.
var comfort = []band{{"Server Room", 18, 27}, {"Warehouse", 12, 30}, {"", 20, 26}}

// Bands of CO₂ in ppm. They are defaults of ours, not limits of a standard.
const (
	co2Fresh = 800
	co2Stale = 1000
	co2Bad   = 1400
)

// within is whether a column lies in the band of the type of room.
func within(column string, bands []band) string {
	var cases strings.Builder
	for _, b := range bands {
		when := fmt.Sprintf("WHEN '%s' THEN", b.roomType)
		if b.roomType == "" {
			when = "ELSE"
		}
		fmt.Fprintf(&cases, " %s %s BETWEEN %g AND %g", when, column, b.cold, b.hot)
	}
	return "CASE {room_type}" + cases.String() + " END"
}
