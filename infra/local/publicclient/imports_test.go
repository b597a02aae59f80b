package publicclient_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Whatever is imported comes with Go, verifies tokens, or is this package: a publisher has nothing else of ours.
func TestImportsNothingOfOurs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		must(t, name, err)
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			must(t, name, err)
			first, _, _ := strings.Cut(path, "/")
			std := !strings.Contains(first, ".") && first != "stoa"
			own := path == "stoa/infra/local/publicclient" && strings.HasSuffix(name, "_test.go")
			if !std && !own && path != "github.com/golang-jwt/jwt/v5" {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
