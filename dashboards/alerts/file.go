package alerts

import "encoding/json"

// File is a file that Grafana provisions alerting from, as its package
// pkg/services/provisioning/alerting reads it (rules_types.go,
// contact_point_types.go, notification_policy_types.go). The SDK models the HTTP API,
// which differs: only Data is the same.
//
// Grafana puts environment variables in the place of $NAME in everything but
// annotations and models of queries; a $ that is meant is written $$.
type File struct {
	APIVersion    int            `json:"apiVersion"`
	Groups        []Group        `json:"groups,omitempty"`
	ContactPoints []ContactPoint `json:"contactPoints,omitempty"`
	Policies      []Policy       `json:"policies,omitempty"`
}

// Group are rules that are evaluated together.
type Group struct {
	OrgID    int    `json:"orgId"`
	Name     string `json:"name"`
	Folder   string `json:"folder"` // the title; made if there is none
	Interval string `json:"interval"`
	Rules    []Rule `json:"rules"`
}

// Rule is an alert rule.
type Rule struct {
	UID           string            `json:"uid"`
	Title         string            `json:"title"`
	Condition     string            `json:"condition"` // refId of the query that decides
	Data          []Query           `json:"data"`
	DashboardUID  string            `json:"dashboardUid"` // where Grafana draws the states of the rule
	PanelID       uint32            `json:"panelId"`
	NoDataState   string            `json:"noDataState"`
	ExecErrState  string            `json:"execErrState"` // Alerting if it is left out
	For           string            `json:"for"`
	KeepFiringFor string            `json:"keepFiringFor,omitempty"` // since Grafana 12
	Labels        map[string]string `json:"labels"`
	Annotations   map[string]string `json:"annotations"`
}

// Query is a query or an expression of a rule.
type Query struct {
	RefID             string          `json:"refId"`
	QueryType         string          `json:"queryType,omitempty"`
	DatasourceUID     string          `json:"datasourceUid"`
	RelativeTimeRange *TimeRange      `json:"relativeTimeRange,omitempty"`
	Model             json.RawMessage `json:"model"`
}

// TimeRange is from and to how many seconds ago.
type TimeRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// ContactPoint is a name for receivers.
type ContactPoint struct {
	OrgID     int        `json:"orgId"`
	Name      string     `json:"name"`
	Receivers []Receiver `json:"receivers"`
}

// Receiver is one way to tell somebody.
type Receiver struct {
	UID      string         `json:"uid"`
	Type     string         `json:"type"`
	Settings map[string]any `json:"settings"`
}

// Policy is the tree of who is told what. It replaces the whole tree of an
// organisation.
type Policy struct {
	OrgID          int        `json:"orgId,omitempty"`
	Receiver       string     `json:"receiver"`
	GroupBy        []string   `json:"group_by,omitempty"`
	GroupWait      string     `json:"group_wait,omitempty"`
	GroupInterval  string     `json:"group_interval,omitempty"`
	RepeatInterval string     `json:"repeat_interval,omitempty"`
	ObjectMatchers [][]string `json:"object_matchers,omitempty"`
	Continue       bool       `json:"continue,omitempty"`
	Routes         []Policy   `json:"routes,omitempty"`
}
