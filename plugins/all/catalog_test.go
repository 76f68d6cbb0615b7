package all_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"

	_ "buildmon/plugins/all"
)

// plugin is one folder, as its source describes it.
type plugin struct {
	folder     string
	components []component
	summaries  []string
}

// component is one registration in the source of a plugin.
type component struct {
	kind string // as in service.MustRegister<Kind>, in the host's words: input, processor, …
	name string
}

// folders lists the plugins. Shared helpers and this package are none.
func folders(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("..")
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() && e.Name() != "all" && e.Name() != "internal" {
			names = append(names, e.Name())
		}
	}
	return names
}

var registration = regexp.MustCompile(`^(?:Must)?Register(?:Batch)?(Input|Output|Processor|Cache|RateLimit|Buffer|MetricsExporter|OtelTracerProvider|Scanner)$`)

// read finds out from the source of a plugin what it registers. The environment
// cannot tell: it does not know whose a component is.
func read(t *testing.T, folder string) plugin {
	t.Helper()
	p := plugin{folder: folder}
	files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
	require.NoError(t, err)
	constants := map[string]string{}
	var calls []*ast.CallExpr
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(source, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, value := range n.Values {
					if text, ok := literal(value); ok && i < len(n.Names) {
						constants[n.Names[i].Name] = text
					}
				}
			case *ast.CallExpr:
				calls = append(calls, n)
			}
			return true
		})
	}
	for _, call := range calls {
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || len(call.Args) == 0 {
			continue
		}
		text, ok := literal(call.Args[0])
		if name, isName := call.Args[0].(*ast.Ident); isName {
			text, ok = constants[name.Name], true
		}
		if m := registration.FindStringSubmatch(selector.Sel.Name); m != nil && ok {
			p.components = append(p.components, component{kind: strings.TrimSuffix(strings.ToLower(m[1]), "exporter"), name: text})
		}
		if selector.Sel.Name == "Summary" && ok {
			p.summaries = append(p.summaries, text)
		}
	}
	slices.SortFunc(p.components, func(a, b component) int {
		return strings.Compare(order[a.kind]+a.name, order[b.kind]+b.name)
	})
	return p
}

// order is the way of a message through a stream.
var order = map[string]string{"input": "1", "processor": "2", "output": "3", "cache": "4", "metrics": "5"}

// literal is the value of a string literal.
func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// views are the components that the host knows, by kind and name.
func views() map[component]*service.ConfigView {
	all := map[component]*service.ConfigView{}
	env := service.GlobalEnvironment()
	for kind, walk := range map[string]func(func(string, *service.ConfigView)){
		"input":     env.WalkInputs,
		"processor": env.WalkProcessors,
		"output":    env.WalkOutputs,
		"cache":     env.WalkCaches,
		"ratelimit": env.WalkRateLimits,
		"buffer":    env.WalkBuffers,
		"metrics":   env.WalkMetrics,
		"scanner":   env.WalkScanners,
	} {
		walk(func(name string, view *service.ConfigView) { all[component{kind, name}] = view })
	}
	return all
}
