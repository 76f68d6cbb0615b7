// Package schema names the tables and columns that buildmon keeps, for those who
// write them and those who read them. The tables themselves are made by the
// migrations of package store; a test holds the two together.
package schema

import (
	"fmt"
	"regexp"
	"slices"

	"buildmon/internal/reading"
)

// Tables and views.
const (
	Readings    = "sensor_readings"
	Latest      = "latest_readings"
	Aggregates  = "sensor_aggregates"
	Anomalies   = "sensor_anomalies"
	Events      = "sensor_events"
	Sensors     = "sensors"
	Rooms       = "rooms"
	DeadLetters = "dead_letters"
	Watermarks  = "window_watermarks"

	// Functions of a step: roll-ups of rooms and floors.
	RoomsBy  = "rooms_by"
	FloorsBy = "floors_by"
)

// Columns that several tables have.
const (
	SensorID = "sensor_id"
	Time     = "timestamp"
	RoomID   = "room_id"
	Building = "building"
	Floor    = "floor"
	RoomType = "room_type"
	Status   = "status"
	Extra    = "extra"
)

// ReadingColumns are the columns of Readings that a reading fills, in the order of
// the writer.
func ReadingColumns() []string {
	return slices.Concat([]string{SensorID, Time, RoomID, Building, Floor, RoomType}, reading.MetricNames(), []string{Status, Extra})
}

var names = map[string]string{
	"readings": Readings, "latest": Latest, "aggregates": Aggregates, "anomalies": Anomalies, "events": Events,
	"sensors": Sensors, "rooms": Rooms, "dead_letters": DeadLetters, "watermarks": Watermarks, "rooms_by": RoomsBy, "floors_by": FloorsBy,

	"sensor": SensorID, "time": `"` + Time + `"`, "room": RoomID, "building": Building, "floor": Floor,
	"room_type": RoomType, "status": Status,

	"temperature": reading.Temperature.String(), "humidity": reading.Humidity.String(), "co2": reading.CO2.String(),
	"occupancy": reading.Occupancy.String(), "energy": reading.Energy.String(),
}

var placeholder = regexp.MustCompile(`\$?\{[a-z_0-9]+\}`)

// SQL puts the names of tables and columns where {readings}, {room} and the like
// stand; ${…} is left to Grafana. It panics at a name that it does not know.
func SQL(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		if found[0] == '$' {
			return found
		}
		name, ok := names[found[1:len(found)-1]]
		if !ok {
			panic(fmt.Sprintf("BUG: there is no table or column %s", found))
		}
		return name
	})
}
