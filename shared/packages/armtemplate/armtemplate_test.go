package armtemplate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/jsondoc"
)

func read(t testing.TB, text string) []*armtemplate.Template {
	t.Helper()
	report := finding.New("")
	doc := content.Parse("mainTemplate.json", []byte(text), report)
	require.Empty(t, report.Findings)
	return armtemplate.New(doc, true)
}

const nested = `{
 "parameters": {"a": {"type": "string"}, "B": {"type": "int"}},
 "variables": {"v": "[parameters('a')]", "copy": [{"name": "looped", "count": 2, "input": 1}]},
 "resources": [
  {"type": "Microsoft.Storage/storageAccounts", "name": "s", "resources": [
   {"type": "blobServices", "name": "b"},
   {"type": "Microsoft.Storage/storageAccounts/queueServices", "name": "q"}]},
  {"type": "Microsoft.Resources/deployments", "name": "outer", "properties": {"template": {"resources": [{"type": "a/b", "name": "o", "tags": {"x": "[parameters('b')]"}}]}}},
  {"type": "microsoft.resources/deployments", "name": "inner", "properties": {"expressionEvaluationOptions": {"scope": "Inner"},
   "template": {"resources": [{"type": "c/d", "name": "i", "tags": {"x": "[parameters('c')]"}}]}}},
  {"type": "p/q", "name": "policy", "properties": {"policyRule": {"then": {"template": {"resources": [{"type": "e/f", "name": "p"}]}}}}}]
}`

// TestScopes: a nested template with a scope of its own is one of its own; another one belongs to its parent.
func TestScopes(t *testing.T) {
	t.Parallel()
	all := read(t, nested)
	require.Len(t, all, 3)
	kinds := func(t *armtemplate.Template) (out []string) {
		for _, r := range t.Resources {
			out = append(out, r.Type)
		}
		return out
	}
	require.Equal(t, []string{
		"Microsoft.Storage/storageAccounts", "Microsoft.Storage/storageAccounts/blobServices", "Microsoft.Storage/storageAccounts/queueServices",
		"Microsoft.Resources/deployments", "a/b", "microsoft.resources/deployments", "p/q",
	}, kinds(all[0]))
	require.Equal(t, []string{"c/d"}, kinds(all[1]))
	require.Equal(t, []string{"e/f"}, kinds(all[2]))
	require.Equal(t, all[0], all[1].Outer)
	require.Equal(t, "/resources/2/properties/template", all[1].Cut.Pointer())
	require.Equal(t, "/resources/2/properties/template/resources/0/tags/x", all[1].Find("X")[0].Pointer())
	names := []string{}
	for _, use := range all[0].Uses {
		names = append(names, use.Name)
	}
	require.Equal(t, []string{"a", "b"}, names, "what a template of its own names is not here")
}

func TestDeclarations(t *testing.T) {
	t.Parallel()
	main := read(t, nested)[0]
	require.Equal(t, "int", main.Parameter("b").Member("type").Word())
	require.Nil(t, main.Parameter("c"))
	require.Len(t, main.Parameters(), 2)
	require.Len(t, main.Variables(), 1)
	require.Len(t, main.Loops(), 1)
	require.True(t, main.Looped("LOOPED"))
	require.False(t, main.Looped("v"))
	require.False(t, main.Bicep())
	require.True(t, read(t, `{"metadata": {"_generator": {"name": "bicep"}}}`)[0].Bicep())
	for _, empty := range []string{"[]", "1", `{"parameters": [1], "variables": 7, "resources": {"a": 1}}`} {
		one := read(t, empty)
		require.Len(t, one, 1)
		require.Empty(t, one[0].Parameters())
		require.Empty(t, one[0].Variables())
		require.Empty(t, one[0].Resources)
	}
}

func TestSymbolicNames(t *testing.T) {
	t.Parallel()
	one := read(t, `{"resources": {"x/y": {"type": "a/b", "existing": true, "resources": {"z": {"type": "c"}}}}}`)[0]
	require.Len(t, one.Resources, 2)
	require.Equal(t, "a/b/c", one.Resources[1].Type)
	require.Equal(t, "/resources/x~1y/resources/z", one.Resources[1].Pointer())
	require.True(t, one.Resources[0].OfType("c", "A/B"))
	require.True(t, one.Resources[1].Begins("A/"))
	require.False(t, one.Resources[1].Begins("a/b/c/"))
}

// TestUses: where parameters and variables are named, and whether inside of an expression.
func TestUses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[parameters('a')]": "parameters a true", "[concat(variables( 'B' ), 'x')]": "variables b true", "parameters('a')": "parameters a false",
		"@{parameters('a')}": "parameters a true", "@variables('a')": "variables a false", "[PARAMETERS ('a' )": "parameters a true",
		"[parameters(variables('a'))]": "variables a true", "[parameters('a'": "", "[parameter('a')]": "", "parameters(a)": "", "[f()]": "",
	} {
		got := ""
		for _, use := range read(t, `{"x": "`+text+`"}`)[0].Uses {
			got = use.Function + " " + use.Name + " " + map[bool]string{true: "true", false: "false"}[use.Expression]
		}
		require.Equal(t, want, got, text)
	}
	keyed := read(t, `{"resources": {"[parameters('a')]": 1}}`)[0]
	require.Len(t, keyed.Uses, 1)
	require.Equal(t, "[parameters('a')]", keyed.Uses[0].Value.Key)
	require.Len(t, keyed.Expressions, 1)
}

// TestManyMembers: an object of many members finds the first of a name, like one of few.
func TestManyMembers(t *testing.T) {
	t.Parallel()
	for _, more := range []int{1, 100} {
		var b strings.Builder
		b.WriteString(`{"variables": {"A": 1`)
		for i := range more {
			b.WriteString(`, "v` + strings.Repeat("x", i) + `": 2`)
		}
		b.WriteString("}}")
		one := read(t, b.String())[0]
		require.Equal(t, "1", one.Root.At("Variables", "a").Text)
		require.Equal(t, "2", one.Root.At("variables", "VX"[:1]).Text)
		require.Nil(t, one.Root.At("variables", "a", "b"))
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	one := read(t, "{\n \"ü\": 1, \"b\": {\"c\": 2}\n}")[0]
	require.Equal(t, finding.Place{File: "mainTemplate.json", Path: "/b/c", Line: 2, Column: 16}, one.Place(one.Root.At("b", "c")))
	require.Equal(t, finding.Place{File: "mainTemplate.json", Path: "/b/~1", Line: 2, Column: 10}, one.PlaceOf(one.Root.Member("b"), "/"))
}

func TestFolder(t *testing.T) {
	t.Parallel()
	one := read(t, `{"parameters": {"p": {"type": "string", "defaultValue": "d"}}, "variables": {"v": "[concat('a', variables('w'))]", "w": "b", "q": "[parameters('p')]"}}`)[0]
	text, known := one.Folder(nil).Text("[variables('V')]")
	require.True(t, known)
	require.Equal(t, "ab", text)
	_, known = one.Folder(nil).Text("[variables('q')]")
	require.False(t, known, "the default of a parameter is no constant")
	text, _ = one.Folder(func(call *armexpr.Node) *jsondoc.Node { return &jsondoc.Node{Kind: jsondoc.String, Text: "given"} }).Text("[variables('q')]")
	require.Equal(t, "given", text)
}
