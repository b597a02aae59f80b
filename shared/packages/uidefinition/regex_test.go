package uidefinition_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/packages/uidefinition"
)

// TestRegex is the grammar of JavaScript, with the permissive rules of browsers (AZA-212, AZA-213).
func TestRegex(t *testing.T) {
	t.Parallel()
	for what, patterns := range map[string][]string{
		"valid": {
			"", "a", "^[a-z]{1,30}$", "a|", "()", "a*?", "a{0}?", "a{007,7}",
			`^(?=.*[A-Za-z])(?=.*\d)[A-Za-z\d]{12,}$`, "(?!a)*", "(?=a){2}", "(?<=a)b", "(?<!a)b", "(?:a)", // look-around
			`(a)\1`, `\9`, `(?<n>a)\k<n>`, `\k<n>(?<n>a)`, `\k`, `\k<x`, `[\k]`, "(?<ümläut>a)", "(?<$_1>a)", // references
			"{", "}", "]", "{1", "a{1", "a{,3}", "x{a}", // braces and brackets that stand for themselves
			"[]", "[^]", "[]-a]", "[a-]", "[-a]", `[\d-z]`, `[a-\d]`, `[\d-z-a]`, `[\w-.]`, `[+--]`, `[\b]`, `[\x41-\x5a]`, `[\u0041-\u005A]`,
			`[\cA-\cZ]`, `[\c]`, `[\0-\377]`, `[\--a]`, "[a-a]", "[\\x4-z]",
			`\u12`, `\x1`, `\c`, `\u{1F600}`, `\p{L}`, `\-`, `\/`, `\ü`, "😀", "[😀]", "(?i:a)", "(?i-ms:a)", "(?-i:a)",
		},
		"nothing to repeat": {"*", "+a", "?", "a**", "a{1}{2}", "a+*", "^*", "$+", `\b*`, `\B{2}`, "(?<=a)*", "(?<!a){1}", "(*a)", "|*", "{1}", "(?:+)", "a*??"},
		"order":             {"a{2,1}", "a{10,9}", "[b-a]", `[\x42-A]`, "[a-Z]", "[😀-😂]", `[a-\cA]`},
		"not closed":        {"(", "(a", "((a)", "[", "[a", `[\]`, "[^", "(?<n>a", "^hello("},
		"not opened":        {")", "a)", "(a))", "^(a))$"},
		"group":             {"(?", "(?a)", "(?>a)", "(?#a)", "(?i)", "(?P<n>a)", "(?'n'a)", "(?(1)a)", "(?<>a)", "(?<1>a)", "(?<n", "(?<n-m>a)", "(?ii:a)", "(?-:a)", "(?x:a)", "(?i-i:a)", "(?<n>a)(?<n>b)"},
		"reference":         {`(?<n>a)\k<m>`, `(?<n>a)\k`, `(?<n>a)\k<n`, `(?<n>a)[\k]`, `\k(?<n>a)`},
		"end":               {`\`, `a\`, `(\`, `[\`},
	} {
		for _, p := range patterns {
			t.Run(what+" "+p, func(t *testing.T) {
				t.Parallel()
				err := uidefinition.CheckRegex(p)
				require.Equal(t, what == "valid", err == nil, "%q: %v", p, err)
			})
		}
	}
}

// TestRegexLong: a long pattern is read once and nothing in it makes the reader go deep.
func TestRegexLong(t *testing.T) {
	t.Parallel()
	const n = 1 << 20
	require.NoError(t, uidefinition.CheckRegex(strings.Repeat("(", n)+strings.Repeat(")*", n)))
	require.Error(t, uidefinition.CheckRegex(strings.Repeat("(", n)))
	require.NoError(t, uidefinition.CheckRegex(strings.Repeat("(?=", n)+strings.Repeat(")", n)))
	require.NoError(t, uidefinition.CheckRegex(strings.Repeat(`\k<`, n)))
	require.NoError(t, uidefinition.CheckRegex(strings.Repeat(`a{1`, n)))
}

func FuzzRegex(f *testing.F) {
	for _, p := range []string{`^(?=.*\d)[A-Za-z\d]{12,}$`, `(?<n>a)\k<n>`, `[\d-z-a]`, "[^", "a{2,1}", "(?i-ms:", `[\377-\cA\u00e4]`, "\xff"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if uidefinition.CheckRegex(p) == nil && !strings.Contains(p, "(?<") { // a name may stand once only
			require.NoError(t, uidefinition.CheckRegex("(?:"+p+")|"+p), "what is valid is so as a part")
		}
	})
}
