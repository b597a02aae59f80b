package jsondoc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/jsondoc"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text   string
		kind         jsondoc.ProblemKind
		line, column int
		readable     bool
	}{
		{"AZA-115 comma at the end", "{\n  \"a\": 1,\n}", jsondoc.Slip, 2, 9, true},
		{"AZA-115 comma at the end of a list", "[1, ]", jsondoc.Slip, 1, 3, true},
		{"AZA-115 two commas at the end", "[1,,]", jsondoc.Invalid, 1, 4, false},
		{"AZA-115 a comma alone", "{,}", jsondoc.Invalid, 1, 2, false},
		{"AZA-115 text behind the value", "{} x", jsondoc.Invalid, 1, 4, false},
		{"AZA-115 empty", "", jsondoc.Invalid, 1, 1, false},
		{"AZA-115 raw line break in a string", "[\"a\nb\"]", jsondoc.Slip, 1, 4, true},
		{"AZA-115 no escape", `["a\d"]`, jsondoc.Invalid, 1, 2, false},
		{"AZA-115 column counts characters", "[\"é\" x]", jsondoc.Invalid, 1, 6, false},
		{"AZA-116 line comment", "{ // why\n}", jsondoc.Comment, 1, 3, true},
		{"AZA-116 block comment", "{\n/* a\n b */ \"a\": 1}", jsondoc.Comment, 2, 1, true},
		{"AZA-117 key in another case", "{\"a\":1,\n\"A\":2}", jsondoc.Duplicate, 2, 1, true},
		{"AZA-117 among many keys", "{" + manyKeys(40) + ",\n\"K7\":1}", jsondoc.Duplicate, 2, 1, true},
		{"AZA-117 the thirteenth key", "{" + manyKeys(12) + ",\n\"K11\":1}", jsondoc.Duplicate, 2, 1, true},
		{"AZA-117 a sign that folds to a letter", "{" + manyKeys(40) + ",\n\"\u212a7\":1}", jsondoc.Duplicate, 2, 1, true},
		{"one level too deep", strings.Repeat("[", jsondoc.MaxDepth+2), jsondoc.Invalid, 1, jsondoc.MaxDepth + 2, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			root, problems := jsondoc.Parse([]byte(row.text))
			require.Len(t, problems, 1)
			line, column := jsondoc.Position([]byte(row.text), problems[0].Offset)
			require.Equal(t, []any{row.kind, row.line, row.column}, []any{problems[0].Kind, line, column})
			require.Equal(t, row.readable, root != nil)
		})
	}
}

// manyKeys are members k0, k1 and so on.
func manyKeys(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"k%d":0`, i)
	}
	return strings.Join(list, ",")
}

func TestURLInStringIsNoComment(t *testing.T) {
	t.Parallel()
	root, problems := jsondoc.Parse([]byte(`{"u": "https://contoso.com/*x*/"}`))
	require.Empty(t, problems)
	require.Equal(t, "https://contoso.com/*x*/", root.Get("U").Text)
}

// What a string says is read in spite of a raw line break in it.
func TestSlipsAreReadOn(t *testing.T) {
	t.Parallel()
	root, problems := jsondoc.Parse([]byte("{\"a\": \"one\r\n\ttwo \\n\", \"b\": [1,],}"))
	require.Len(t, problems, 3)
	require.Equal(t, "one\r\n\ttwo \n", root.Get("a").Text)
	require.Len(t, root.Get("b").Items, 1)
}

// FuzzParse compares with the library: a text without slips and comments is readable exactly when it is JSON.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,true,null,"x\u00e9"]}`, "// c\n{}", `{"a":1,"A":2}`, `[1,]`, `"\ud800"`, "\xff", `{"":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, problems := jsondoc.Parse(text)
		for _, p := range problems {
			require.LessOrEqual(t, p.Offset, len(text))
			if p.Kind == jsondoc.Comment || p.Kind == jsondoc.Slip || strings.Contains(p.Message, "nested") {
				return
			}
		}
		require.Equal(t, json.Valid(text), root != nil)
	})
}

// TestPositions: marks do not change what a place is, in short and in long lines.
func TestPositions(t *testing.T) {
	t.Parallel()
	text := []byte("a\né\n\nb" + strings.Repeat("é日x", 400) + "\n" + strings.Repeat("ab\n", 700))
	lines := jsondoc.LinesOf(text)
	for offset := range len(text) + 2 {
		if offset < len(text) && !utf8.RuneStart(text[offset]) {
			continue
		}
		line, column := jsondoc.Position(text, offset)
		gotLine, gotColumn := lines.Position(text, offset)
		require.Equal(t, [2]int{line, column}, [2]int{gotLine, gotColumn}, "%d", offset)
	}
}
