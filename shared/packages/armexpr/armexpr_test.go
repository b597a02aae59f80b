package armexpr_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/jsondoc"
)

// TestParse: the printed form has the blanks of no writer.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, printed string }{
		{"a call", "[f()]", "[f()]"},
		{"arguments", "[ f( 'a' , 1,-2 , g() ) ]", "[f('a', 1, -2, g())]"},
		{"a quote in a string", "[f('it''s', '''')]", "[f('it''s', '''')]"},
		{"a string alone", "['a[b](c'] ", "['a[b](c']"},
		{"a number", "[1.5]", "[1.5]"},
		{"members and items", "[f().a.b-c[0]['x'][g()].?d[?1]]", "[f().a.b-c[0]['x'][g()].?d[?1]]"},
		{"blanks around members", "[f() . a [ 0 ]]", "[f().a[0]]"},
		{"lines", "[concat(\r\n\t'a',\n'b'\n)]", "[concat('a', 'b')]"},
		{"a function of the template", "[contoso.name('a')]", "[contoso.name('a')]"},
		{"words", "[if(true, false, null)]", "[if(true(), false(), null())]"},
		{"other scripts in strings", "[f('日本', 'é')]", "[f('日本', 'é')]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			n, err := armexpr.Parse(row.text)
			require.NoError(t, err)
			require.Equal(t, row.printed, n.String())
		})
	}
}

// TestErrors: an error says what is wrong and at which byte.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		pos        int
		says       string
	}{
		{"no brackets", "f()", 0, "brackets"},
		{"two brackets are a literal", "[[f()]", 0, "brackets"},
		{"nothing", "[]", 1, "begin a value"},
		{"a name alone", "[f]", 2, `"f"`},
		{"an open call", "[f(]", 3, "begin a value"},
		{"a comma too much", "[f(1,)]", 5, "begin a value"},
		{"a missing comma", "[f(1 2)]", 5, "comma"},
		{"an open string", "[f('a)]", 3, "does not end"},
		{"something behind", "[f()]]", 5, "follows"},
		{"an open index", "[f()[0)]", 6, "index"},
		{"no member", "[f().]", 5, "member"},
		{"a minus", "[-]", 2, "digit"},
		{"something between", "[f() g()]", 5, "closing bracket"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := armexpr.Parse(row.text)
			var fault *armexpr.Error
			require.ErrorAs(t, err, &fault)
			require.Equal(t, row.pos, fault.Pos)
			require.Contains(t, fault.Error(), row.says)
		})
	}
}

// TestLimits: length and depth at their borders.
func TestLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return "[f('" + strings.Repeat("é", n-7) + "')]" }
	deep := func(n int) string {
		return "[" + strings.Repeat("f(", n-1) + "1" + strings.Repeat(")", n-1) + "]"
	}
	chain := func(n int) string { return "[f()" + strings.Repeat(".a", n) + "]" }
	for text, good := range map[string]bool{
		long(armexpr.MaxLength): true, long(armexpr.MaxLength + 1): false,
		deep(armexpr.MaxDepth): true, deep(armexpr.MaxDepth + 1): false,
		chain(armexpr.MaxDepth - 1): true, chain(armexpr.MaxDepth): false,
		"[" + strings.Repeat("f()[", 10_000) + "]": false,
	} {
		_, err := armexpr.Parse(text)
		require.Equal(t, good, err == nil, "%.40s: %v", text, err)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	text := "[ concat('a', parameters('b').c) ]"
	n, err := armexpr.Parse(text)
	require.NoError(t, err)
	found := []string{}
	n.Walk(func(n *armexpr.Node) bool {
		found = append(found, text[n.Pos:n.End])
		return true
	})
	require.Equal(t, []string{"concat('a', parameters('b').c)", "'a'", "parameters('b').c", "parameters('b')", "'b'"}, found)
	require.True(t, n.Calls("format", "CONCAT"))
	require.True(t, n.Args[1].Root().Calls("parameters"))
	name, plain := n.Args[1].Root().Argument(0)
	require.True(t, plain)
	require.Equal(t, "b", name)
	require.False(t, n.Args[0].Calls("a"))
}

func TestLiterals(t *testing.T) {
	t.Parallel()
	for text, is := range map[string]bool{"[f()]": true, " [f()]\n": true, "[[f()]": false, "[f()": false, "f()]": false, "[": false, "": false, "[]": true} {
		require.Equal(t, is, armexpr.Is(text), text)
	}
	require.Equal(t, "[f()]", armexpr.Literal("[[f()]"))
	require.Equal(t, "[[f()", armexpr.Literal("[[f()"))
	require.Equal(t, "a", armexpr.Literal("a"))
}

// variables are those of a template, for TestFold.
const variables = `{"a": "A", "b": "[concat(variables('a'), 'B')]", "list": ["x", "[variables('a')]"], "o": {"m": "[variables('b')]"},
 "self": "[variables('self')]", "twice": "[concat(variables('twice2'), variables('twice2'))]", "twice2": "[concat(variables('twice'), variables('twice'))]"}`

// TestFold is AZA-140's resolution of constants.
func TestFold(t *testing.T) {
	t.Parallel()
	root, problems := jsondoc.Parse([]byte(variables))
	require.Empty(t, problems)
	const unknown = "-"
	for text, want := range map[string]string{
		"plain": "plain", "[[x]": "[x]", "['a']": "a", "[1]": unknown, "[concat('a', 1, 'b')]": "a1b",
		"[variables('A')]": "A", "[variables('b')]": "AB", "[variables('o').m]": "AB", "[variables('o')['m']]": "AB",
		"[variables('list')[1]]": "A", "[last(variables('list'))]": "A", "[variables('list')[2]]": unknown, "[variables('none')]": unknown,
		"[variables('self')]": unknown, "[variables('twice')]": unknown,
		"[format('{0}-{1}{{}}', 'a', 2)]": "a-2{}", "[format('{0:N}', 1)]": unknown, "[format('{2}', 1)]": unknown, "[format('{0', 1)]": unknown,
		"[uri('https://h/a/', 'b c.json')]": "https://h/a/b c.json", "[uri('https://h/a/m.json', 'n.json')]": "https://h/a/n.json", "[uri('https://h', 'b')]": "https://h/b",
		"[toLower('AB')]": "ab", "[toUpper('ab')]": "AB", "[trim(' a ')]": "a", "[string(7)]": "7", "[replace('aXa', 'a', 'b')]": "bXb", "[replace('a', '', 'b')]": unknown,
		"[substring('abc', 1)]": "bc", "[substring('abc', 0, 2)]": "ab", "[substring('abc', 2, 2)]": unknown, "[first('äb')]": "ä", "[first('')]": unknown,
		"[join(split('a,b', ','), '-')]": "a-b", "[join(concat(createArray('a'), createArray('b')), '')]": "ab", "[join(variables('list'), ',')]": unknown,
		"[if(equals('a', 'a'), 'y', parameters('p'))]": "y", "[if(not(true()), 'y', 'n')]": "n", "[if(parameters('p'), 'y', 'n')]": unknown,
		"[if(and(true(), false()), 'y', 'n')]": "n", "[if(or(true(), false()), 'y', 'n')]": "y", "[if(empty(''), 'y', 'n')]": "y",
		"[json('{\"a\": \"b\"}').a]": "b", "[json('{').a]": unknown, "[concat('a', parameters('p'))]": unknown, "[parameters('known')]": "K", "[f(": "[f(", "[f(]": unknown,
	} {
		f := &armexpr.Folder{Value: func(call *armexpr.Node) *jsondoc.Node {
			name, _ := call.Argument(0)
			switch {
			case call.Calls("variables"):
				return root.Get(name)
			case call.Calls("parameters") && name == "known":
				return &jsondoc.Node{Kind: jsondoc.String, Text: "K"}
			default:
				return nil
			}
		}}
		got, known := f.Text(text)
		if !known {
			got = unknown
		}
		require.Equal(t, want, got, text)
	}
}

// TestFoldBounds: what grows without end, or takes too long, is not constant.
func TestFoldBounds(t *testing.T) {
	t.Parallel()
	doubling := map[string]string{"v0": "0123456789"}
	for i := 1; i < 31; i++ {
		last := "variables('v" + string(rune('a'+i-1)) + "')"
		if i == 1 {
			last = "variables('v0')"
		}
		doubling["v"+string(rune('a'+i))] = "[concat(" + last + ", " + last + ")]"
	}
	left := armexpr.Budget
	f := &armexpr.Folder{Left: &left, Value: func(call *armexpr.Node) *jsondoc.Node {
		if name, plain := call.Argument(0); plain {
			return &jsondoc.Node{Kind: jsondoc.String, Text: doubling[name]}
		}
		return nil
	}}
	text, known := f.Text("[variables('vf')]")
	require.True(t, known)
	require.Len(t, text, 320)
	for range 1000 {
		_, known = f.Text("[variables('" + "v" + string(rune('a'+30)) + "')]")
		require.False(t, known)
	}
	require.LessOrEqual(t, left, 0)
	_, known = f.Text("['a']")
	require.False(t, known, "nothing is left")
}

// FuzzParse: what is printed is parsed again, and printed the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"[f('a''b', -1.5, g().x[0].?y[?'z'])]", "[if(true, false, null)]", "[[x]", "[f(", "['é']", "[a.b.c()]", "[f() . a]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := armexpr.Parse(text)
		if err != nil {
			var fault *armexpr.Error
			require.ErrorAs(t, err, &fault)
			require.LessOrEqual(t, fault.Pos, len(text))
			return
		}
		printed := n.String()
		if len(printed) > armexpr.MaxLength {
			return
		}
		again, err := armexpr.Parse(printed)
		require.NoError(t, err, printed)
		require.Equal(t, printed, again.String())
		folder := &armexpr.Folder{}
		folder.Text(text)
	})
}

func BenchmarkParse(b *testing.B) {
	text := "[concat(parameters('prefix'), '-', uniqueString(resourceGroup().id, variables('names')[copyIndex()].name), '-vm')]"
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := armexpr.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
