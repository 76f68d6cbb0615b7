// Package pgquery is SQL for Grafana's Postgres data source, which the Foundation
// SDK has no type for: queries of panels, variables and alert rules, and what
// Grafana does to them before it sends them.
package pgquery

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

const (
	// PluginID is the type of the data source since Grafana 10.2.3.
	PluginID = "grafana-postgresql-datasource"

	// DatasourceUID is what dashboards and alert rules call the data source, as it
	// is provisioned.
	DatasourceUID = "buildmon"
)

// Datasource refers to the database of buildmon.
func Datasource() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr(PluginID), Uid: cog.ToPtr(DatasourceUID)}
}

// Renamed is JSON of dashboards or alert rules in which the data source has another uid.
func Renamed(text []byte, uid string) []byte {
	for _, member := range []string{"uid", "datasourceUid"} {
		text = bytes.ReplaceAll(text, fmt.Appendf(nil, `"%s": %q`, member, DatasourceUID), fmt.Appendf(nil, `"%s": %q`, member, uid))
	}
	return text
}

// Format is what Grafana makes of the rows.
type Format string

const (
	// FormatTimeSeries makes one series of each numeric column and each
	// combination of text columns; there must be a column "time".
	FormatTimeSeries Format = "time_series"

	// FormatTable leaves rows as they are.
	FormatTable Format = "table"
)

// Query is the target of a panel. Its JSON is what the query editor of Grafana
// saves in code mode.
type Query struct {
	RefID      string               `json:"refId"`
	Datasource common.DataSourceRef `json:"datasource"`
	EditorMode string               `json:"editorMode"` // else the editor offers to drop the SQL
	Format     Format               `json:"format"`
	RawQuery   bool                 `json:"rawQuery"`
	RawSQL     string               `json:"rawSql"`
}

var (
	_ variants.Dataquery              = Query{}
	_ cog.Builder[variants.Dataquery] = Query{}
)

// TimeSeries is a query whose rows are points of series.
func TimeSeries(sql string) Query { return query(sql, FormatTimeSeries) }

// Table is a query whose rows are shown as they are.
func Table(sql string) Query { return query(sql, FormatTable) }

func query(sql string, format Format) Query {
	return Query{
		RefID: "A", Datasource: Datasource(), EditorMode: "code", Format: format, RawQuery: true,
		RawSQL: strings.TrimSpace(sql),
	}
}

// Named is the query under another name than A, for panels with several.
func (q Query) Named(refID string) Query {
	q.RefID = refID
	return q
}

// ImplementsDataqueryVariant marks Query as a query for the SDK.
func (Query) ImplementsDataqueryVariant() {}

// DataqueryType is the plugin that answers the query.
func (Query) DataqueryType() string { return PluginID }

// Equals tells whether other is the same query.
func (q Query) Equals(other variants.Dataquery) bool {
	o, ok := other.(Query)
	return ok && o.RefID == q.RefID && o.Format == q.Format && o.RawSQL == q.RawSQL && o.Datasource.Equals(q.Datasource)
}

// Validate wants some SQL. The error is of the kind that the builders of the SDK
// accept; they panic at others.
func (q Query) Validate() error {
	if q.RawSQL == "" {
		return cog.MakeBuildErrors("rawSql", errors.New("there is no SQL"))
	}
	return nil
}

// Build lets a Query stand where the SDK wants a builder of one.
func (q Query) Build() (variants.Dataquery, error) { return q, q.Validate() }
