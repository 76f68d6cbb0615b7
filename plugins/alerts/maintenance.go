package alerts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"gopkg.in/yaml.v3"

	"buildmon/internal/alert"
)

// windowRow is a maintenance window as the file has it.
type windowRow struct {
	Reason string
	Where  alert.Where
	From   time.Time
	To     time.Time
	Weekly *struct {
		Days     []string
		From     string
		To       string
		TimeZone string `yaml:"time_zone"`
	}
}

// LoadMaintenance reads the windows of a file. An empty path has none.
func LoadMaintenance(path string) ([]alert.Window, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading maintenance windows: %w", err)
	}
	windows, err := parseMaintenance(text)
	if err != nil {
		return nil, fmt.Errorf("reading maintenance windows of %s: %w", path, err)
	}
	return windows, nil
}

func parseMaintenance(text []byte) ([]alert.Window, error) {
	var file struct{ Windows []windowRow }
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	windows := make([]alert.Window, len(file.Windows))
	for i := range file.Windows {
		w, err := file.Windows[i].window()
		if err != nil {
			return nil, fmt.Errorf("window %d (%q): %w", i+1, file.Windows[i].Reason, err)
		}
		windows[i] = w
	}
	return windows, nil
}

func (r *windowRow) window() (w alert.Window, err error) {
	w = alert.Window{Reason: r.Reason, Where: r.Where, From: r.From, To: r.To}
	if r.Weekly == nil {
		return w, w.Validate()
	}
	weekly := &alert.Weekly{}
	for _, name := range r.Weekly.Days {
		day, err := alert.ParseWeekday(name)
		if err != nil {
			return w, err
		}
		weekly.Days = append(weekly.Days, day)
	}
	if weekly.From, err = alert.ParseClock(r.Weekly.From); err != nil {
		return w, err
	}
	if weekly.To, err = alert.ParseClock(r.Weekly.To); err != nil {
		return w, err
	}
	if weekly.Location, err = location(r.Weekly.TimeZone); err != nil {
		return w, err
	}
	w.Weekly = weekly
	return w, w.Validate()
}
