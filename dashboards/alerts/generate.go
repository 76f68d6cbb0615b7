package alerts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"buildmon/dashboards/pgquery"
)

// Files are the files by their names. Rules go where Grafana looks for them. Contact
// points and policies belong to whoever runs that Grafana, and policies replace what
// is there, so these two are for copying.
func Files() (map[string][]byte, error) {
	rules, err := Rules()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, file := range map[string]File{
		"provisioning/alerting/buildmon.json": rules,
		"optional/contact-points.json":        ContactPoints(),
		"optional/policies.json":              Policies(),
	} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(file); err != nil {
			return nil, fmt.Errorf("encoding %s: %w", name, err)
		}
		files[name] = text.Bytes()
	}
	return files, nil
}

// Write writes the files into a directory, such as configs/grafana. Rules ask the data
// source that has the uid in Grafana.
func Write(dir, datasource string) error {
	if datasource == "" {
		return errors.New("datasource must not be empty")
	}
	files, err := Files()
	if err != nil {
		return err
	}
	for name, text := range files {
		text = pgquery.Renamed(text, datasource)
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing alert rules: %w", err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("writing alert rules: %w", err)
		}
	}
	return nil
}
