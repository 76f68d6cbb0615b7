package dashboards

import (
	"slices"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"buildmon/dashboards/pgquery"
	"buildmon/internal/anomaly"
	"buildmon/internal/schema"
)

// Names of variables. All dashboards share them, so that links can hand them on.
const (
	varBuilding = "building"
	varFloor    = "floor"
	varRoom     = "room"
	varSensor   = "sensor"
	varStatus   = "status"
	varSeverity = "severity"
	varDetector = "detector"
	varLimit    = "limit"
	varInterval = "interval"
	varOpens    = "opens"
	varCloses   = "closes"
	varTimezone = "timezone"
)

const (
	buildingsSQL = `SELECT DISTINCT {building} FROM {rooms} WHERE {building} IS NOT NULL ORDER BY 1`
	floorsSQL    = `SELECT DISTINCT {floor} FROM {rooms} WHERE {building} = ANY (ARRAY[${building:sqlstring}]::text[]) AND {floor} IS NOT NULL ORDER BY 1`
	roomsSQL     = `SELECT DISTINCT {room} FROM {rooms} WHERE {building} = ANY (ARRAY[${building:sqlstring}]::text[]) AND {floor} = ANY (ARRAY[${floor:sqlstring}]::text[]) ORDER BY 1`
)

// variables are those of the scope, each with the choices that those before it leave.
func (s scope) variables() []cog.Builder[dashboard.VariableModel] {
	var all []cog.Builder[dashboard.VariableModel]
	for _, v := range []struct{ name, label, sql string }{
		{varBuilding, "Building", buildingsSQL}, {varFloor, "Floor", floorsSQL}, {varRoom, "Room", roomsSQL},
	} {
		if slices.Contains(s.places, v.name) {
			all = append(all, listed(v.name, v.label, v.sql, !slices.Contains(s.single, v.name)))
		}
	}
	return all
}

// shared are the variables beside places that all dashboards have, so that a link
// from any to any can hand on what was chosen. Those that a dashboard does not use
// are hidden there.
func shared(shown ...string) []cog.Builder[dashboard.VariableModel] {
	hide := func(name string) dashboard.VariableHide {
		if slices.Contains(shown, name) {
			return dashboard.VariableHideDontHide
		}
		return dashboard.VariableHideHideVariable
	}
	return []cog.Builder[dashboard.VariableModel]{
		chosen(varStatus, "Status", statusNames...).Hide(hide(varStatus)),
		chosen(varSeverity, "Severity", severityNames...).Hide(hide(varSeverity)),
		listed(varDetector, "Detector", `SELECT DISTINCT detector FROM {events} ORDER BY 1`, true).Hide(hide(varDetector)),
		intervals().Hide(hide(varInterval)),
		limits().Hide(hide(varLimit)),
		typed(varOpens, "Opens at", "7").Hide(hide(varOpens)),
		typed(varCloses, "Closes at", "19").Hide(hide(varCloses)),
		typed(varTimezone, "Time zone", "UTC").Hide(hide(varTimezone)),
	}
}

var (
	statusNames   = []string{"Normal", "Warning", "Critical", "Maintenance"}
	severityNames = []string{string(anomaly.Critical), string(anomaly.High), string(anomaly.Medium), string(anomaly.Low)}
)

// listed is a variable whose choices come from the database.
func listed(name, label, sql string, many bool) *dashboard.QueryVariableBuilder {
	sql = schema.SQL(sql)
	v := dashboard.NewQueryVariableBuilder(name).Label(label).
		Datasource(pgquery.Datasource()).
		Query(dashboard.StringOrMap{String: &sql}).Definition(sql).
		Refresh(dashboard.VariableRefreshOnDashboardLoad).
		Sort(dashboard.VariableSortNaturalAsc)
	if many {
		v = v.Multi(true).IncludeAll(true).Current(everything())
	}
	return v
}

// chosen is a variable of several fixed values.
func chosen(name, label string, values ...string) *dashboard.CustomVariableBuilder {
	options := []dashboard.VariableOption{everything()}
	for _, v := range values {
		options = append(options, unchosen(v))
	}
	return dashboard.NewCustomVariableBuilder(name).Label(label).
		Values(dashboard.StringOrMap{String: cog.ToPtr(strings.Join(values, ","))}).
		Multi(true).IncludeAll(true).Options(options).Current(everything())
}

func limits() *dashboard.CustomVariableBuilder {
	values := []string{"15", "100", "500", "1000", "5000"}
	options := []dashboard.VariableOption{option(values[0])}
	for _, v := range values[1:] {
		options = append(options, unchosen(v))
	}
	return dashboard.NewCustomVariableBuilder(varLimit).Label("Rows").
		Values(dashboard.StringOrMap{String: cog.ToPtr(strings.Join(values, ","))}).
		Options(options).Current(options[0])
}

// intervals is how much time one point of a trend spans. Automatically it grows
// with the range, so that long ranges are read from roll-ups.
func intervals() *dashboard.IntervalVariableBuilder {
	return dashboard.NewIntervalVariableBuilder(varInterval).Label("Interval").
		Values(dashboard.StringOrMap{String: cog.ToPtr("1m,5m,15m,1h,6h,1d")}).
		Auto(true).MinInterval("1m").StepCount(150).
		Current(dashboard.VariableOption{
			Selected: cog.ToPtr(true),
			Text:     dashboard.StringOrArrayOfString{String: cog.ToPtr("auto")},
			Value:    dashboard.StringOrArrayOfString{String: cog.ToPtr("$__auto_interval_" + varInterval)},
		})
}

// typed is a variable that is typed in.
func typed(name, label, value string) *dashboard.TextBoxVariableBuilder {
	return dashboard.NewTextBoxVariableBuilder(name).Label(label).
		DefaultValue(dashboard.StringOrMap{String: &value}).
		Options([]dashboard.VariableOption{option(value)}).Current(option(value))
}

func option(value string) dashboard.VariableOption {
	return dashboard.VariableOption{
		Selected: cog.ToPtr(true),
		Text:     dashboard.StringOrArrayOfString{String: &value}, Value: dashboard.StringOrArrayOfString{String: &value},
	}
}

// unchosen is an option beside the one that is chosen. Older Grafanas make no options
// of their own from the values.
func unchosen(value string) dashboard.VariableOption {
	o := option(value)
	o.Selected = cog.ToPtr(false)
	return o
}

func everything() dashboard.VariableOption {
	return dashboard.VariableOption{
		Selected: cog.ToPtr(true),
		Text:     dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
		Value:    dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
	}
}
