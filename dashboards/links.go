package dashboards

import (
	"slices"
	"strings"
)

// tag marks the dashboards of buildmon; the menu that leads from one to another
// finds them by it.
const tag = "buildmon"

// UIDs of the dashboards. They are in bookmarks and alert rules and never change.
const (
	PortfolioUID = "buildmon-portfolio"
	BuildingUID  = "buildmon-building"
	FloorUID     = "buildmon-floor"
	RoomUID      = "buildmon-room"
	AnomalyUID   = "buildmon-anomaly"
	EnergyUID    = "buildmon-energy"
	QualityUID   = "buildmon-data-quality"
	PipelineUID  = "buildmon-pipeline"
)

// drill is the address of a dashboard with the range of time and all variables of
// this one, of which those in set have another value.
func (s scope) drill(uid string, set ...string) string {
	parts := []string{"${__url_time_range}"}
	for _, v := range s.places {
		if !slices.ContainsFunc(set, func(kept string) bool { return strings.HasPrefix(kept, v+"=") }) {
			parts = append(parts, "${"+v+":queryparam}")
		}
	}
	for _, v := range []string{varStatus, varSeverity, varDetector, varInterval, varLimit, varOpens, varCloses, varTimezone} {
		parts = append(parts, "${"+v+":queryparam}")
	}
	for _, v := range set {
		parts = append(parts, "var-"+v)
	}
	return "/d/" + uid + "?" + strings.Join(parts, "&")
}

// cell is the value of a column in the row that was clicked.
func cell(column string) string { return "${__data.fields." + column + ":percentencode}" }

// linked makes the cells of a column lead somewhere.
func linked(title, url string) dynamic {
	return property("links", []any{map[string]any{"title": title, "url": url, "targetBlank": false}})
}

// Cells that lead to a place; the row has the places above it in columns of the
// same names.

func (s scope) toBuilding() []dynamic {
	return append(wide(110), linked("Open this building", s.drill(BuildingUID, "building="+cell("Building"))))
}

func (s scope) toFloor() []dynamic {
	return []dynamic{linked("Open this floor", s.drill(FloorUID, "building="+cell("Building"), "floor="+cell("Floor")))}
}

func (s scope) toRoom() []dynamic {
	return append(wide(285), linked("Open this room",
		s.drill(RoomUID, "building="+cell("Building"), "floor="+cell("Floor"), "room="+cell("Room"))))
}

// toEvent leads to what surrounds an event: the room, from an hour before it to an
// hour after.
func (s scope) toEvent() []dynamic {
	url := s.drill(AnomalyUID, "building="+cell("Building"), "floor="+cell("Floor"), "room="+cell("Room"), "sensor="+cell("Sensor"))
	return []dynamic{linked("See what happened",
		strings.Replace(url, "${__url_time_range}", "from="+cell("from")+"&to="+cell("to"), 1))}
}
