package dashboards

import (
	"errors"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// gridWidth is how many columns a dashboard has.
const gridWidth = 24

// board puts panels in lines that fill the width of a dashboard, one below the
// other. The ids of panels and rows are given by hand: links and alert rules name
// them, so they must stay when something moves.
type board struct {
	builder *dashboard.DashboardBuilder
	panels  []dashboard.PanelOrRowPanel
	folded  *dashboard.RowPanel // that takes the next lines
	y       uint32
	errs    []error
}

// tile is a panel that takes a part of a line.
type tile struct {
	width uint32
	panel cog.Builder[dashboard.Panel]
}

func newBoard(uid, title, description string) *board {
	return &board{builder: dashboard.NewDashboardBuilder(title).
		Uid(uid).
		Description(description).
		Tags([]string{tag}).
		Timezone("browser").
		Readonly().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-24h", "now").
		Refresh("30s").
		Timepicker(dashboard.NewTimePickerBuilder().RefreshIntervals([]string{"5s", "10s", "30s", "1m", "5m", "15m", "1h"})).
		Link(dashboard.NewDashboardLinkBuilder("Dashboards").
			Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{tag}).
			AsDropdown(true).IncludeVars(true).KeepTime(true))}
}

// up links to the dashboard one level above, with time and variables.
func (b *board) up(title, uid string) {
	b.builder.Link(dashboard.NewDashboardLinkBuilder(title).
		Type(dashboard.DashboardLinkTypeLink).Icon("arrow-up").Url("/d/" + uid).
		IncludeVars(true).KeepTime(true))
}

func (b *board) variables(variables ...cog.Builder[dashboard.VariableModel]) {
	b.builder.Variables(variables)
}

// row begins a titled part.
func (b *board) row(id uint32, title string) {
	b.folded = nil
	b.panels = append(b.panels, dashboard.PanelOrRowPanel{RowPanel: b.newRow(id, title)})
}

// fold begins a part that is closed until someone opens it, and asks the database
// nothing until then.
func (b *board) fold(id uint32, title string) {
	b.folded = b.newRow(id, title)
	b.folded.Collapsed = true
	b.panels = append(b.panels, dashboard.PanelOrRowPanel{RowPanel: b.folded})
}

func (b *board) newRow(id uint32, title string) *dashboard.RowPanel {
	row := dashboard.NewRowPanel()
	row.Id, row.Title = id, &title
	row.GridPos = &dashboard.GridPos{Y: b.y, W: gridWidth, H: 1}
	b.y++
	return row
}

// line adds tiles side by side. Their widths must add up to the whole width.
func (b *board) line(height uint32, tiles ...tile) {
	var x uint32
	for _, t := range tiles {
		panel, err := t.panel.Build()
		if err != nil {
			b.errs = append(b.errs, err)
			continue
		}
		panel.GridPos = &dashboard.GridPos{X: x, Y: b.y, W: t.width, H: height}
		x += t.width
		if b.folded != nil {
			b.folded.Panels = append(b.folded.Panels, panel)
		} else {
			b.panels = append(b.panels, dashboard.PanelOrRowPanel{Panel: &panel})
		}
	}
	if x != gridWidth {
		b.errs = append(b.errs, fmt.Errorf("laying out the line at %d: widths add up to %d, want %d", b.y, x, gridWidth))
	}
	b.y += height
}

func (b *board) build() (dashboard.Dashboard, error) {
	d, err := b.builder.Build()
	if err := errors.Join(append(b.errs, err)...); err != nil {
		return d, fmt.Errorf("building dashboard %q: %w", *d.Title, err)
	}
	d.Panels = b.panels
	// The builders of the SDK put links and annotations into a menu, and accept no
	// other place; none at all is where people see them.
	for i := range d.Links {
		d.Links[i].Placement = nil
	}
	for i := range d.Annotations.List {
		d.Annotations.List[i].Placement = nil
	}
	return d, nil
}
