// Package browser goes through the dashboards of a Grafana that runs, with Chromium:
//
//	BUILDMON_TEST_GRAFANA=http://localhost:3000 go test -tags browser ./dashboards/browser
//
// The Grafana must have the dashboards and some hours of readings, and let visitors
// look without a password. BUILDMON_TEST_PICTURES names a directory for pictures of
// every dashboard.
package browser
