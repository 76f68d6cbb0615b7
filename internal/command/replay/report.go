package replay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"buildmon/internal/alert"
	"buildmon/internal/anomaly"
	"buildmon/internal/command/show"
)

// Report says what would have been sent: by route, by day, and by what alerts most.
func (r *Result) Report(pipeline string, top int) string {
	var b strings.Builder
	loc := r.Config.Engine.Location
	fmt.Fprintf(&b, "What %s would have sent from %s to %s, about %s:\n\n", pipeline,
		r.From.In(loc).Format("2006-01-02 15:04"), r.To.In(loc).Format("2006-01-02 15:04 MST"), show.Some(int64(r.Events), "event"))
	r.routes(&b)
	r.days(&b)
	r.top(&b, top)
	if n := r.Suppressed[alert.CoolDown] + r.Suppressed[alert.Maintenance]; n > 0 {
		fmt.Fprintf(&b, "Not told: %s within the cool-down of %s, %d within maintenance windows.\n",
			show.Count(int64(r.Suppressed[alert.CoolDown])), r.Config.Engine.CoolDown, r.Suppressed[alert.Maintenance])
	}
	return b.String()
}

func table(b *strings.Builder, fill func(row func(cells ...any))) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fill(func(cells ...any) {
		for _, c := range cells {
			_, _ = fmt.Fprintf(w, "%v\t", c) // into memory
		}
		_, _ = fmt.Fprintln(w)
	})
	_ = w.Flush()
	b.WriteString("\n")
}

func (r *Result) routes(b *strings.Builder) {
	off := false
	table(b, func(row func(...any)) {
		row("route", "messages", "a day", "most in an hour", "new", "critical", "high", "medium", "low", "worse", "resolved")
		for _, route := range r.Config.Engine.Routes {
			messages, hour := 0, map[time.Time]int{}
			status, severity := map[alert.Status]int{}, map[anomaly.Severity]int{}
			for i := range r.Messages {
				m := &r.Messages[i]
				if m.Route != route.Name {
					continue
				}
				messages++
				hour[m.At.Truncate(time.Hour)]++
				for _, a := range m.Alerts {
					status[a.Status]++
					if a.Status == alert.New || a.Status == alert.Over {
						severity[a.Severity]++
					}
				}
			}
			name := route.Name
			if r.Config.To[route.Name] == "" {
				name, off = name+"*", true
			}
			row(name, messages, fmt.Sprintf("%.1f", float64(messages)/r.To.Sub(r.From).Hours()*24), slices.Max(append(slices.Collect(maps.Values(hour)), 0)),
				status[alert.New]+status[alert.Over], severity[anomaly.Critical], severity[anomaly.High], severity[anomaly.Medium], severity[anomaly.Low],
				status[alert.Worse], status[alert.Resolved])
		}
	})
	if off {
		b.WriteString("* is off, as it has no destination.\n\n")
	}
}

// days counts the messages of each day and route.
func (r *Result) days(b *strings.Builder) {
	type cell struct{ day, route string }
	const layout = "2006-01-02 Mon"
	counts := map[cell]int{}
	for i := range r.Messages {
		counts[cell{r.Messages[i].At.In(r.Config.Engine.Location).Format(layout), r.Messages[i].Route}]++
	}
	table(b, func(row func(...any)) {
		head := []any{"day"}
		for _, route := range r.Config.Engine.Routes {
			head = append(head, route.Name)
		}
		row(head...)
		last := r.To.In(r.Config.Engine.Location)
		for day := r.From.In(r.Config.Engine.Location); ; day = day.AddDate(0, 0, 1) {
			name := day.Format(layout)
			if name > last.Format(layout) {
				return
			}
			cells := []any{name}
			for _, route := range r.Config.Engine.Routes {
				cells = append(cells, counts[cell{name, route.Name}])
			}
			row(cells...)
		}
	})
}

// top names what the routes were told of most as new.
func (r *Result) top(b *strings.Builder, n int) {
	counts := map[string]map[string]int{}
	total := map[string]int{}
	for i := range r.Messages {
		for _, a := range r.Messages[i].Alerts {
			if a.Status != alert.New && a.Status != alert.Over {
				continue
			}
			who := cmp.Or(a.RoomID, a.SensorID) + " " + a.Metric
			if counts[who] == nil {
				counts[who] = map[string]int{}
			}
			counts[who][r.Messages[i].Route]++
			total[who]++
		}
	}
	if len(counts) == 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(-cmp.Compare(total[a], total[b]), cmp.Compare(a, b)) })
	table(b, func(row func(...any)) {
		head := []any{"new most often"}
		for _, route := range r.Config.Engine.Routes {
			head = append(head, route.Name)
		}
		row(head...)
		for _, name := range names[:min(n, len(names))] {
			cells := []any{name}
			for _, route := range r.Config.Engine.Routes {
				cells = append(cells, counts[name][route.Name])
			}
			row(cells...)
		}
	})
}
