package web_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/web"
)

func TestPages(t *testing.T) {
	t.Parallel()
	pages := web.Pages{Key: []byte("0123456789abcdef")}
	other := web.Pages{Key: []byte("0123456789abcdeg")}
	rapid.Check(t, func(t *rapid.T) {
		scope, inner := rapid.String().Draw(t, "scope"), rapid.StringN(1, 50, 100).Draw(t, "inner")
		token := pages.Encode(scope, inner)
		got, err := pages.Decode(scope, token)
		require.NoError(t, err)
		require.Equal(t, inner, got)
		_, err = pages.Decode(scope+"x", token)
		require.True(t, fault.Is(err, fault.Invalid), "another list")
		_, err = other.Decode(scope, token)
		require.True(t, fault.Is(err, fault.Invalid), "another key")
		i := rapid.IntRange(0, len(token)-1).Draw(t, "i")
		changed := "A"
		if token[i] == 'A' {
			changed = "B"
		}
		_, err = pages.Decode(scope, token[:i]+changed+token[i+1:])
		require.True(t, fault.Is(err, fault.Invalid), "tampered at %d", i)
	})
	for _, token := range []string{"x", "!", strings.Repeat("A", 22), strings.Repeat("A", 5000)} {
		_, err := pages.Decode("s", token)
		require.Equal(t, "InvalidContinuation", fault.As(err).Code)
	}
	require.Empty(t, pages.Encode("s", ""))
	inner, err := pages.Decode("s", "")
	require.NoError(t, err)
	require.Empty(t, inner)
	require.Panics(t, func() { web.Pages{}.Encode("s", "x") })
}

// The border between scope and continuation cannot be moved.
func TestPagesScopeBorder(t *testing.T) {
	t.Parallel()
	pages := web.Pages{Key: []byte("0123456789abcdef")}
	require.NotEqual(t, pages.Encode("ab", "c")[:20], pages.Encode("a", "bc")[:20])
}
