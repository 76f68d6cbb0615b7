package all_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "rewrite the reference pages of the plugins")

// TestReferencePagesAreCurrent renders the REFERENCE.md of each plugin from its
// specs.
func TestReferencePagesAreCurrent(t *testing.T) {
	known := views()
	for _, folder := range folders(t) {
		t.Run(folder, func(t *testing.T) {
			page := page{Folder: folder}
			for _, c := range read(t, folder).components {
				require.NotNil(t, known[c], "%v is not registered", c)
				s := specOf(t, known[c])
				docs, err := known[c].TemplateData()
				require.NoError(t, err)
				s.Common, s.Full = docs.CommonConfigYAML, docs.AdvancedConfigYAML
				page.Components = append(page.Components, s)
			}
			var want bytes.Buffer
			require.NoError(t, reference.Execute(&want, page))

			path := filepath.Join("..", folder, "REFERENCE.md")
			if *update {
				require.NoError(t, os.WriteFile(path, want.Bytes(), 0o644))
			}
			got, err := os.ReadFile(path)
			require.NoError(t, err, "run go test ./plugins/all -update")
			require.Equal(t, want.String(), string(got), "run go test ./plugins/all -update")
		})
	}
}

// page is what the template shows.
type page struct {
	Folder     string
	Components []spec
}

// spec is what the host says about a component.
type spec struct {
	Name        string
	Type        string
	Version     string
	Summary     string
	Description string
	Examples    []struct{ Title, Summary, Config string }
	Config      field

	Common, Full string // configurations in YAML
}

type field struct {
	Name             string
	Type             string
	Kind             string
	Description      string
	Default          *any
	Examples         []any
	Options          []string
	AnnotatedOptions [][2]string `json:"annotated_options"`
	Children         []field
	Advanced         bool `json:"is_advanced"`
	Deprecated       bool `json:"is_deprecated"`
	Optional         bool `json:"is_optional"`
	Secret           bool `json:"is_secret"`
	Interpolated     bool
}

func specOf(t *testing.T, view *service.ConfigView) (s spec) {
	t.Helper()
	text, err := view.FormatJSON()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

// fields are all fields with their full names, parents before children. A component
// that is a list or a value has its own name instead.
func (s spec) fields() []field {
	if len(s.Config.Children) == 0 {
		whole := s.Config
		whole.Name = s.Name
		return []field{whole}
	}
	return flatten("", s.Config.Children)
}

func flatten(prefix string, children []field) (all []field) {
	for _, f := range children {
		if f.Deprecated {
			continue
		}
		name := f.Name
		f.Name = prefix + name
		all = append(all, f)
		inner := f.Name + "."
		switch f.Kind {
		case "array":
			inner = f.Name + "[]."
		case "map":
			inner = f.Name + ".<name>."
		}
		all = append(all, flatten(inner, f.Children)...)
	}
	return all
}

//go:embed reference.tmpl
var referenceText string

var reference = template.Must(template.New("reference").Funcs(template.FuncMap{
	"fields":   spec.fields,
	"facts":    facts,
	"markdown": markdown,
	"title":    func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
	"trim":     strings.TrimSpace,
	"yaml":     example,
}).Parse(referenceText))

// facts is the line below the name of a field.
func facts(f field) string {
	kind := f.Type
	switch f.Kind {
	case "array", "2darray":
		kind = "list of " + kind + "s"
	case "map":
		kind = "map of names to " + kind + "s"
	}
	facts := []string{kind}
	switch {
	case f.Default != nil:
		facts = append(facts, "default `"+toJSON(*f.Default)+"`")
	case f.Optional || f.Type == "object":
		facts = append(facts, "optional")
	default:
		facts = append(facts, "required")
	}
	for _, flag := range []struct {
		set  bool
		text string
	}{{f.Advanced, "advanced"}, {f.Interpolated, "may contain interpolations"}, {f.Secret, "secret"}} {
		if flag.set {
			facts = append(facts, flag.text)
		}
	}
	return strings.Join(facts, " · ")
}

func toJSON(v any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(text.String())
}

// example shows a value of a field as a line of configuration.
func example(f field, value any) (string, error) {
	last := f.Name[strings.LastIndex(f.Name, ".")+1:]
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(map[string]any{last: value})
	return strings.TrimSpace(text.String()), err
}

var (
	asciidocHeading = regexp.MustCompile(`(?m)^=(=+) `)
	asciidocLink    = regexp.MustCompile(`(https?://[^\s\[]+)\[([^\]]+)\]`)
	asciidocXref    = regexp.MustCompile(`xref:[^\s\[]+\[([^\]]+)\]`)
)

// markdown turns the AsciiDoc that the host's documentation is written in into
// Markdown, as far as specs use it. Headings end up below the component's.
func markdown(text string) string {
	text = asciidocHeading.ReplaceAllStringFunc(text, func(h string) string {
		return "##" + strings.Repeat("#", len(h)-2) + " "
	})
	text = asciidocLink.ReplaceAllString(text, "[$2]($1)")
	text = asciidocXref.ReplaceAllString(text, "$1")
	return strings.TrimSpace(text)
}
