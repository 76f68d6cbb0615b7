//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Guard is a piece of the source on which a promise rests, and what stands there
// once it is taken away. A harness that does not notice would prove nothing.
type guard struct {
	name    string
	file    string
	source  string // occurs once in the file
	without string
}

var guards = []guard{
	{
		name:    "only new readings add to windows",
		file:    "internal/store/panes.go",
		source:  "if counted[place] == n || w.inserted[place] != r {",
		without: "if counted[place] == n {",
	},
	{
		name:    "readings and windows in one transaction",
		file:    "internal/store/write.go",
		source:  "if err := store(ctx, tx); err != nil {",
		without: "if err := pgx.BeginFunc(ctx, w.pool, func(own pgx.Tx) error { return store(ctx, own) }); err != nil {",
	},
	{
		name:    "acknowledged after the commit",
		file:    "plugins/postgres/output.go",
		source:  "o.failure = err\n\t\treturn service.ErrNotConnected",
		without: "o.failure = err\n\t\treturn nil",
	},
	{
		name:    "anomalies of new readings only",
		file:    "internal/store/write.go",
		source:  "if w.inserted[place] == nil || found[f] {",
		without: "if found[f] {",
	},
	{
		name:    "readings leave a note for the roll-ups",
		file:    "internal/store/write.go",
		source:  "queuePending(rest, added)\n",
		without: "\n",
	},
}

// buildWithout builds buildmon with one guard removed.
func buildWithout(g guard, dir string) (binary string, err error) {
	text, err := os.ReadFile(g.file)
	if err != nil {
		return "", fmt.Errorf("removing guard %q: %w", g.name, err)
	}
	if n := strings.Count(string(text), g.source); n != 1 {
		return "", fmt.Errorf("removing guard %q: %q occurs %d times in %s, want once", g.name, g.source, n, g.file)
	}
	original, err := filepath.Abs(g.file)
	if err != nil {
		return "", fmt.Errorf("removing guard %q: %w", g.name, err)
	}
	if dir, err = os.MkdirTemp(dir, "without"); err != nil {
		return "", fmt.Errorf("removing guard %q: %w", g.name, err)
	}
	changed, overlay := filepath.Join(dir, filepath.Base(g.file)), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), g.source, g.without, 1)), 0o600); err != nil {
		return "", fmt.Errorf("removing guard %q: %w", g.name, err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		return "", fmt.Errorf("removing guard %q: %w", g.name, err)
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", fmt.Errorf("removing guard %q: %w", g.name, err)
	}
	binary = filepath.Join(dir, "buildmon")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building without guard %q: %w\n%s", g.name, err, out)
	}
	return binary, nil
}
