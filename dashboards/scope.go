package dashboards

import (
	"fmt"
	"strings"
)

// scope is which places a dashboard is about: those chosen in its variables.
type scope struct {
	places []string // variables of places that the dashboard has
	single []string // those of them that have one value
}

var (
	ofPortfolio = scope{places: []string{varBuilding}}
	ofBuilding  = scope{places: []string{varBuilding, varFloor}, single: []string{varBuilding}}
	ofFloor     = scope{places: []string{varBuilding, varFloor, varRoom}, single: []string{varBuilding, varFloor}}
	ofRoom      = scope{places: []string{varBuilding, varFloor, varRoom}, single: []string{varBuilding, varFloor, varRoom}}
	ofFloors    = scope{places: []string{varBuilding, varFloor}}
	ofPlaces    = scope{places: []string{varBuilding, varFloor, varRoom}}
)

var placeColumns = map[string]string{varBuilding: "{building}", varFloor: "{floor}", varRoom: "{room}"}

// where limits rows of a table, known by an alias, to the scope. An empty choice is
// no error and finds nothing.
func (s scope) where(alias string) string {
	conditions := make([]string, len(s.places))
	for i, v := range s.places {
		conditions[i] = alias + "." + placeColumns[v] + " = " + anyOf(v)
	}
	return strings.Join(conditions, " AND ")
}

// anyOf is the choice in a variable as an operand of =.
func anyOf(variable string) string { return "ANY (ARRAY[${" + variable + ":sqlstring}]::text[])" }

// found limits events, known by an alias, to the scope, the range of time, and the
// chosen severities and detectors.
func (s scope) found(alias string) string {
	return s.where(alias) + fmt.Sprintf(
		` AND %[1]s.started_at <= $__timeTo() AND %[1]s.last_at >= $__timeFrom() AND %[1]s.severity = %[2]s AND %[1]s.detector = %[3]s`,
		alias, anyOf(varSeverity), anyOf(varDetector))
}
