// Package dashboards makes the dashboards of buildmon for Grafana 10 to 13. A
// dashboard is a function, a panel is a function; names of tables and columns come
// from those who write them.
//
// The folder json holds what Grafana loads. It is generated; a test fails when it is
// not what this package makes.
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

//go:generate go run buildmon dashboards generate --dir json

// Home is the dashboard that Grafana shows first.
const Home = PortfolioUID

// All makes every dashboard, in the order in which a person would read them.
func All() ([]dashboard.Dashboard, error) {
	var all []dashboard.Dashboard
	for _, make := range []func() (dashboard.Dashboard, error){Portfolio, Building, Floor, Room, Anomaly, Energy, Quality, Pipeline} {
		d, err := make()
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Encode is the file of a dashboard.
func Encode(d dashboard.Dashboard) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(d); err != nil {
		return nil, fmt.Errorf("encoding dashboard %q: %w", *d.Uid, err)
	}
	return text.Bytes(), nil
}
