package dashboards

import (
	"fmt"
	"os"
	"path/filepath"

	"buildmon/dashboards"
	"buildmon/dashboards/pgquery"
)

// provisioning makes Grafana look for dashboards where this file is.
const provisioning = `# Written by buildmon dashboards generate.
apiVersion: 1

providers:
  - name: buildmon
    folder: buildmon
    type: file
    allowUiUpdates: false
    updateIntervalSeconds: 30
    options:
      path: %q
`

// file is a dashboard as Grafana reads it.
type file struct {
	uid, title string
	text       []byte
}

// files are all dashboards, with the uid of the data source in them.
func files(datasource string) ([]file, error) {
	if datasource == "" {
		return nil, fmt.Errorf("datasource must not be empty")
	}
	all, err := dashboards.All()
	if err != nil {
		return nil, err
	}
	var encoded []file
	for _, d := range all {
		text, err := dashboards.Encode(d)
		if err != nil {
			return nil, err
		}
		encoded = append(encoded, file{*d.Uid, *d.Title, pgquery.Renamed(text, datasource)})
	}
	return encoded, nil
}

// Generate writes all dashboards into a directory, which it makes if it is not
// there, and returns the paths.
func Generate(dir, datasource string, provision bool) (written []string, err error) {
	all, err := files(datasource)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the directory of the dashboards: %w", err)
	}
	write := func(name string, text []byte) error {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("writing a dashboard: %w", err)
		}
		written = append(written, path)
		return nil
	}
	for _, f := range all {
		if err := write(f.uid+".json", f.text); err != nil {
			return written, err
		}
	}
	if provision {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return written, fmt.Errorf("finding directory %q: %w", dir, err)
		}
		return written, write("buildmon.yaml", fmt.Appendf(nil, provisioning, absolute))
	}
	return written, nil
}
