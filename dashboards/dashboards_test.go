package dashboards_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"buildmon/dashboards"
)

// What Grafana loads is what this package makes.
func TestFilesAreCurrent(t *testing.T) {
	var want []string
	for _, d := range all(t) {
		text, err := dashboards.Encode(d)
		require.NoError(t, err)
		path := filepath.Join("json", *d.Uid+".json")
		want = append(want, path)
		committed, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(text), string(committed), "%s is stale; run make generate", path)
	}
	files, err := filepath.Glob("json/*.json")
	require.NoError(t, err)
	require.ElementsMatch(t, want, files)
}

// Panels fill lines of the whole width, and none lies on another.
func TestLayout(t *testing.T) {
	for _, d := range all(t) {
		t.Run(*d.Uid, func(t *testing.T) {
			taken := map[[2]uint32]string{}
			lines := map[uint32]uint32{}
			occupy := func(title string, g *dashboard.GridPos) {
				require.NotNil(t, g, title)
				require.LessOrEqual(t, g.X+g.W, uint32(24), title)
				lines[g.Y] += g.W
				for x := g.X; x < g.X+g.W; x++ {
					for y := g.Y; y < g.Y+g.H; y++ {
						require.Empty(t, taken[[2]uint32{x, y}], "%s lies on another panel", title)
						taken[[2]uint32{x, y}] = title
					}
				}
			}
			for _, p := range d.Panels {
				if p.RowPanel != nil {
					occupy(*p.RowPanel.Title, p.RowPanel.GridPos)
				}
			}
			for _, p := range panelsOf(d) {
				occupy(*p.Title, p.GridPos)
			}
			for y, width := range lines {
				require.Equal(t, uint32(24), width, "line at %d", y)
			}
		})
	}
}

// Alert rules and links name panels by id, so ids are one of a kind.
func TestIDsAreUnique(t *testing.T) {
	uids := map[string]bool{}
	for _, d := range all(t) {
		require.False(t, uids[*d.Uid], *d.Uid)
		uids[*d.Uid] = true
		ids := map[uint32]string{}
		add := func(id uint32, title string) {
			require.NotZero(t, id, title)
			require.Empty(t, ids[id], "%s has the id of another panel of %s", title, *d.Uid)
			ids[id] = title
		}
		for _, p := range d.Panels {
			if p.RowPanel != nil {
				add(p.RowPanel.Id, *p.RowPanel.Title)
			}
		}
		for _, p := range panelsOf(d) {
			add(*p.Id, *p.Title)
		}
	}
}

// Each panel says what it shows, in which unit, what bad looks like, and what is the
// matter when it shows nothing.
func TestManners(t *testing.T) {
	for _, d := range all(t) {
		require.NotEmpty(t, *d.Description)
		require.NotEmpty(t, *d.Refresh)
		require.Contains(t, d.Timepicker.RefreshIntervals, "5s")
		for _, link := range d.Links {
			require.Nil(t, link.Placement, "link %q would hide in a menu", link.Title)
		}
		for _, a := range d.Annotations.List {
			require.Nil(t, a.Placement, "annotation %q would hide in a menu", a.Name)
		}
		for _, p := range panelsOf(d) {
			if p.Type == "text" {
				continue
			}
			name := *d.Uid + ": " + *p.Title
			assert.Greater(t, len(*p.Description), 60, name)
			defaults := p.FieldConfig.Defaults
			assert.NotNil(t, defaults.Unit, name)
			assert.NotNil(t, defaults.NoValue, name)
			if p.Type == "timeseries" {
				nulls, err := json.Marshal(defaults.Custom)
				require.NoError(t, err)
				assert.NotContains(t, string(nulls), `"spanNulls":true`, name)
			}
		}
	}
}

var (
	address   = regexp.MustCompile(`"url":\s*"(/d/[^"]*)"`)
	reference = regexp.MustCompile(`\$\{([a-z_]+):queryparam\}|var-([a-z_]+)=`)
)

// A link leads to a dashboard that exists, takes the time along, and every variable
// in it exists where it leads.
func TestLinksResolve(t *testing.T) {
	variables := map[string]map[string]bool{}
	for _, d := range all(t) {
		variables[*d.Uid] = map[string]bool{}
		for _, v := range d.Templating.List {
			variables[*d.Uid][v.Name] = true
		}
	}
	require.Contains(t, variables, dashboards.Home)
	for _, d := range all(t) {
		text, err := dashboards.Encode(d)
		require.NoError(t, err)
		links := address.FindAllStringSubmatch(string(text), -1)
		for _, m := range links {
			to, query, drill := strings.Cut(strings.TrimPrefix(m[1], "/d/"), "?")
			require.Contains(t, variables, to, m[1])
			if !drill {
				continue
			}
			require.Regexp(t, `\$\{__url_time_range\}|from=.*to=`, query)
			for _, v := range reference.FindAllStringSubmatch(query, -1) {
				if v[1] != "" {
					require.True(t, variables[*d.Uid][v[1]], "%s has no variable %s", *d.Uid, v[1])
				} else {
					require.True(t, variables[to][v[2]], "%s has no variable %s", to, v[2])
				}
			}
		}
	}
}
