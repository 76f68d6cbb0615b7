package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/text"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"buildmon/dashboards/pgquery"
	"buildmon/internal/schema"
)

// nothing stands where a panel has nothing to show.
const nothing = "no reading in range"

// Units that several panels use.
const (
	unitCelsius  = "celsius"
	unitPercent  = "percent"
	unitShare    = "percentunit" // 0 to 1
	unitHumidity = "humidity"
	unitPPM      = "ppm"
	unitKW       = "kwatt"
	unitKWh      = "kwatth"
	unitPersons  = "suffix: people"
	unitCount    = "short"
	unitSeconds  = "s"
	unitNone     = "none"
)

// query is SQL with the names of tables and columns in it.
func tableQuery(sql string) pgquery.Query { return pgquery.Table(schema.SQL(sql)) }

func seriesQuery(sql string) pgquery.Query { return pgquery.TimeSeries(schema.SQL(sql)) }

// tiles shows one row of numbers, each column in a tile of its own: one query
// instead of one for each number.
func tiles(id uint32, title, description, sql string) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Id(id).Title(title).Description(description).
		Datasource(pgquery.Datasource()).WithTarget(tableQuery(sql)).
		NoValue(nothing).Unit(unitCount).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Orientation(common.VizOrientationAuto).
		TextMode(common.BigValueTextModeValueAndName).
		ColorMode(common.BigValueColorModeValue).
		GraphMode(common.BigValueGraphModeNone).
		JustifyMode(common.BigValueJustifyModeAuto).
		Thresholds(steps("text"))
}

// trend shows series over time. A gap in the readings is a gap in the line.
func trend(id uint32, title, description, unit, sql string) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Id(id).Title(title).Description(description).
		Datasource(pgquery.Datasource()).WithTarget(seriesQuery(sql)).
		NoValue(nothing).Unit(unit).
		LineWidth(1).FillOpacity(0).
		ShowPoints(common.VisibilityModeAuto).PointSize(4).
		SpanNulls(common.BoolOrFloat64{Bool: cog.ToPtr(false)}).
		Thresholds(steps("green")).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom).ShowLegend(true).Calcs([]string{})).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
}

// quarterly bridges the half hours between points of what is kept by the quarter of an
// hour, where the interval is shorter. Longer gaps stay gaps.
func quarterly(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return p.SpanNulls(common.BoolOrFloat64{Float64: cog.ToPtr(31 * 60 * 1000.0)})
}

// limitsDrawn draws thresholds as dashed lines.
func limitsDrawn(p *timeseries.PanelBuilder, thresholds *dashboard.ThresholdsConfigBuilder) *timeseries.PanelBuilder {
	return p.Thresholds(thresholds).
		ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
}

// longNames is how many things with long names, such as rooms, a ranking of twelve lines
// shows: a name has a line of its own then, so it can be read on a phone.
const longNames = 8

// ranking compares things by one number: a column of names and one of numbers.
func ranking(id uint32, title, description, unit, sql string) *bargauge.PanelBuilder {
	return bargauge.NewPanelBuilder().Id(id).Title(title).Description(description).
		Datasource(pgquery.Datasource()).WithTarget(tableQuery(sql)).
		NoValue(nothing).Unit(unit).Min(0).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Values(true).Calcs([]string{"lastNotNull"})).
		Orientation(common.VizOrientationHorizontal).
		DisplayMode(common.BarGaugeDisplayModeBasic).
		ValueMode(common.BarGaugeValueModeText).
		NamePlacement(common.BarGaugeNamePlacementLeft).
		ShowUnfilled(false).MinVizHeight(16).
		Text(common.NewVizTextDisplayOptionsBuilder().TitleSize(12).ValueSize(12)).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdFixed).FixedColor("blue")).
		Thresholds(steps("blue"))
}

// bars compares a few things by several numbers. The first column names them; they
// lie so that long names can be read.
func bars(id uint32, title, description, unit, sql string) *barchart.PanelBuilder {
	return barchart.NewPanelBuilder().Id(id).Title(title).Description(description).
		Datasource(pgquery.Datasource()).WithTarget(tableQuery(sql)).
		NoValue(nothing).Unit(unit).
		Orientation(common.VizOrientationHorizontal).
		ShowValue(common.VisibilityModeAlways).
		Stacking(common.StackingModeNone).
		GroupWidth(0.8).BarWidth(0.85).FillOpacity(70).
		AxisSoftMin(0).
		Thresholds(steps("green")).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom).ShowLegend(true).Calcs([]string{})).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle).Sort(common.SortOrderNone))
}

// rows is a table.
func rows(id uint32, title, description, sql string) *table.PanelBuilder {
	return table.NewPanelBuilder().Id(id).Title(title).Description(description).
		Datasource(pgquery.Datasource()).WithTarget(tableQuery(sql)).
		NoValue("–").Unit(unitNone).
		ShowHeader(true).CellHeight(common.TableCellHeightSm).
		Align(common.FieldTextAlignmentAuto).MinWidth(80).
		Thresholds(steps("text"))
}

// states shows what state things were in over time, one line each.
func states(id uint32, title, description, unit, sql string) *statetimeline.PanelBuilder {
	return statetimeline.NewPanelBuilder().Id(id).Title(title).Description(description).
		Datasource(pgquery.Datasource()).WithTarget(seriesQuery(sql)).
		NoValue(nothing).Unit(unit).
		ShowValue(common.VisibilityModeNever).RowHeight(0.9).FillOpacity(80).LineWidth(0).
		MergeValues(true).
		NeverSpanNulls().
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom).ShowLegend(true).Calcs([]string{})).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle).Sort(common.SortOrderNone))
}

// words is a text in Markdown.
func words(id uint32, title, markdown string) *text.PanelBuilder {
	return text.NewPanelBuilder().Id(id).Title(title).Mode(text.TextModeMarkdown).Content(markdown)
}

// steps are thresholds: a colour for small values, and others from some value on.
func steps(base string, from ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
		Steps(append([]dashboard.Threshold{{Color: base}}, from...))
}

func from(value float64, color string) dashboard.Threshold {
	return dashboard.Threshold{Value: &value, Color: color}
}

// dynamic is one option of one column or series.
type dynamic = dashboard.DynamicConfigValue

// heated colours the cells of a table of numbers by their size.
func heated(scheme string) []dynamic {
	return []dynamic{
		property("custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"}),
		property("color", map[string]any{"mode": scheme}), property("custom.align", "center"), property("custom.minWidth", 45),
	}
}

func unitIs(unit string, decimals int) []dynamic {
	return []dynamic{{Id: "unit", Value: unit}, {Id: "decimals", Value: decimals}}
}

// colored has thresholds of its own.
func colored(base string, from ...dashboard.Threshold) dynamic {
	all := append([]dashboard.Threshold{{Color: base}}, from...)
	return dynamic{Id: "thresholds", Value: map[string]any{"mode": "absolute", "steps": all}}
}

// property sets one option of a column.
func property(id string, value any) dynamic {
	return dynamic{Id: id, Value: value}
}

// absent has a dash where there is no value.
func absent(options []dynamic) []dynamic { return append(options, property("noValue", "–")) }

// wide keeps a column so many pixels wide where there is less room than all need, such as
// on a phone, where people move the table.
func wide(pixels int) []dynamic { return []dynamic{property("custom.minWidth", pixels)} }

// glyphs shows texts with a sign beside them, so that colour never speaks alone.
func glyphs(mapped ...glyph) dynamic {
	options := map[string]any{}
	for i, g := range mapped {
		options[g.value] = map[string]any{"text": g.text, "color": g.color, "index": i}
	}
	return property("mappings", []any{map[string]any{"type": "value", "options": options}})
}

type glyph struct{ value, text, color string }

func stacked() *common.StackingConfigBuilder {
	return common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A")
}

// byThreshold colours by the step of the thresholds that a value is in.
func byThreshold() *dashboard.FieldColorBuilder {
	return dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)
}

// valueMap is glyphs for a whole panel.
func valueMap(mapped ...glyph) dashboard.ValueMapping {
	m := dashboard.NewValueMap()
	for i, g := range mapped {
		m.Options[g.value] = dashboard.ValueMappingResult{Text: &g.text, Color: &g.color, Index: cog.ToPtr(int32(i))}
	}
	return dashboard.ValueMapping{ValueMap: m}
}
