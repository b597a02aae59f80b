package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type listed struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
}

// listPackages are the project's packages as the go command sees them, without their tests.
func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "stoa/...")
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p listed
		require.NoError(t, decoder.Decode(&p))
		all = append(all, p)
	}
	require.Greater(t, len(all), 20)
	return all
}

// adapterRooms reach the world; only they and main import an SDK, and only main imports them.
var adapterRooms = []string{"store", "blobs", "bus", "identity", "mail", "malware", "outbound", "registry", "remoteblob", "remoteshell", "telemetry", "seal", "clock"}

// supports are neither domain nor adapter: the host's protocol and what HTTP handlers share.
var supports = []string{"functionshost", "queue", "web"}

func room(path string) (name string, shared bool) {
	rest, found := strings.CutPrefix(path, "stoa/shared/")
	name, _, _ = strings.Cut(rest, "/")
	return name, found
}

func isAdapter(path string) bool {
	name, shared := room(path)
	return shared && slices.Contains(adapterRooms, name)
}

func isDomain(path string) bool {
	name, shared := room(path)
	return shared && !slices.Contains(adapterRooms, name) && !slices.Contains(supports, name)
}

func isFunction(path string) bool { return strings.HasPrefix(path, "stoa/functions/") }

func isTestHelp(path string) bool {
	return strings.HasSuffix(path, "test") && !strings.HasSuffix(path, "/selftest")
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		for _, imported := range p.Imports {
			if why := forbidden(p.ImportPath, imported); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, why)
			}
		}
	}
}

func forbidden(from, to string) string {
	if isTestHelp(from) || strings.HasPrefix(from, "stoa/infra/local/") {
		if strings.HasPrefix(from, "stoa/infra/local/host") && strings.HasPrefix(to, "stoa/shared/functionshost") {
			return "the host's encoder is not our decoder"
		}
		return ""
	}
	switch {
	case isTestHelp(to) && strings.HasPrefix(to, "stoa/"):
		return "test helpers are for tests"
	case strings.HasPrefix(to, "github.com/Azure/") && !isAdapter(from) && from != "stoa/functions":
		return "only adapterRooms and main know the SDK"
	case isDomain(from) && (slices.Contains([]string{"net/http", "os", "log", "log/slog"}, to) || strings.HasPrefix(to, "database/")):
		return "the domain has no I/O"
	case isDomain(from) && (isAdapter(to) || isFunction(to)):
		return "the domain imports downhill only"
	case isDomain(from) && strings.HasPrefix(to, "stoa/shared/functionshost"), isDomain(from) && strings.HasPrefix(to, "stoa/shared/web"):
		return "the domain knows neither host nor HTTP"
	case isFunction(from) && isAdapter(to):
		return "handlers reach adapterRooms through ports; main wires"
	case isFunction(from) && isFunction(to):
		return "functions meet only through queues and the domain"
	case strings.HasPrefix(from, "stoa/shared/functionshost") && strings.HasPrefix(to, "stoa/") && to != "stoa/shared/fault":
		return "the host's protocol knows nothing of marketplaces"
	}
	return ""
}

// clockFree may ask the machine for the time, wait or make random ids: main, adapterRooms, and what has to.
func clockFree(path string) bool {
	return isAdapter(path) || path == "stoa/functions" || isTestHelp(path) || strings.HasPrefix(path, "stoa/infra/local/") ||
		strings.HasPrefix(path, "stoa/shared/functionshost")
}

func TestPackagesAreDocumentedAndKeepToTheClock(t *testing.T) {
	t.Parallel()
	banned := map[string]bool{"time.Now": true, "time.Sleep": true, "uuid.New": true, "uuid.NewString": true}
	for _, p := range listPackages(t) {
		comments := 0
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
			require.NoError(t, err)
			if file.Doc != nil {
				comments++
			}
			if clockFree(p.ImportPath) {
				continue
			}
			ast.Inspect(file, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if pkg, ok := selector.X.(*ast.Ident); ok && banned[pkg.Name+"."+selector.Sel.Name] {
					t.Errorf("%s/%s uses %s.%s: time and ids are injected", p.ImportPath, name, pkg.Name, selector.Sel.Name)
				}
				return true
			})
		}
		if len(p.GoFiles) > 0 {
			require.Equal(t, 1, comments, "%s has %d package comments, want one", p.ImportPath, comments)
		}
	}
}

type binding struct {
	Type, Direction, Name, AuthLevel, Route, QueueName, Connection, Schedule, Path string
	Methods                                                                        []string
}

func bindings(t *testing.T, function string) []binding {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(function, "function.json"))
	require.NoError(t, err)
	var file struct{ Bindings []binding }
	require.NoError(t, json.Unmarshal(data, &file))
	return file.Bindings
}
