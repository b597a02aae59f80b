package stack_test

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/tree"
)

// mounted is a route as a handler mounts it.
type mounted struct {
	method, pattern string
	access          string // the function of package web that says who may call it, such as "Publisher"
}

// mountedRoutes reads every route out of the handlers' sources: each call of a group's Handle, whose method and
// pattern must be constants. So a route that somebody adds is seen here before anybody writes a row for it.
func mountedRoutes(t *testing.T) []mounted {
	t.Helper()
	root, err := tree.Root()
	require.NoError(t, err)
	folders, err := filepath.Glob(filepath.Join(root, "functions", "*"))
	require.NoError(t, err)
	var out []mounted
	for _, folder := range folders {
		out = append(out, routesOf(t, folder)...)
	}
	return out
}

func routesOf(t *testing.T, folder string) (out []mounted) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	// Only constants are asked for, so what is not imported may stay unknown.
	config := types.Config{Importer: constants{importer.Default()}, Error: func(error) {}}
	_, _ = config.Check(folder, set, files, info)
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 4 {
				return true
			}
			if fun, ok := call.Fun.(*ast.SelectorExpr); !ok || fun.Sel.Name != "Handle" {
				return true
			}
			at := set.Position(call.Pos())
			method, pattern := info.Types[call.Args[0]].Value, info.Types[call.Args[1]].Value
			require.NotNil(t, method, "%s: the method of a route is a constant", at)
			require.NotNil(t, pattern, "%s: the pattern of a route is a constant", at)
			access, ok := call.Args[2].(*ast.CallExpr)
			require.True(t, ok, "%s: the access of a route is a call of package web", at)
			out = append(out, mounted{
				constant.StringVal(method), constant.StringVal(pattern), access.Fun.(*ast.SelectorExpr).Sel.Name,
			})
			return true
		})
	}
	return out
}

// constants imports net/http, whose names of methods the routes use, and nothing else.
type constants struct{ types.Importer }

func (c constants) Import(path string) (*types.Package, error) {
	if path == "net/http" {
		return c.Importer.Import(path)
	}
	return nil, http.ErrNotSupported
}
