package seal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/seal"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, seal.KeySize) }

func box(t require.TestingT, current string) *seal.Box {
	b, err := seal.New(map[string][]byte{"2025": key(1), "2026": key(2)}, current)
	require.NoError(t, err)
	return b
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b := box(t, "2026")
	rapid.Check(t, func(t *rapid.T) {
		plain, context := rapid.String().Draw(t, "plain"), rapid.String().Draw(t, "context")
		sealed, err := b.Seal(plain, context)
		require.NoError(t, err)
		got, err := b.Open(sealed, context)
		require.NoError(t, err)
		require.Equal(t, plain, got)
		_, err = b.Open(sealed, context+"x")
		require.ErrorIs(t, err, seal.ErrBroken)
	})
}

func TestSealedTextTellsNothing(t *testing.T) {
	t.Parallel()
	b := box(t, "2026")
	first, err := b.Seal("secret", "c")
	require.NoError(t, err)
	second, err := b.Seal("secret", "c")
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.True(t, strings.HasPrefix(first, "v1.2026."))
	require.NotContains(t, first, "secret")
}

func TestEveryChangedCharacterIsNoticed(t *testing.T) {
	t.Parallel()
	b := box(t, "2026")
	sealed, err := b.Seal("secret", "c")
	require.NoError(t, err)
	for i := range sealed {
		changed := []byte(sealed)
		changed[i] ^= 1
		_, err := b.Open(string(changed), "c")
		require.Error(t, err, string(changed))
	}
	for _, text := range []string{"", "v1", "v1.2026", "v1.2026.", "v1.2026.AAAA", sealed + "A", sealed + ".x", sealed[:len(sealed)-4]} {
		_, err := b.Open(text, "c")
		require.ErrorIs(t, err, seal.ErrBroken, text)
	}
	_, err = b.Open(strings.Replace(sealed, "2026", "2025", 1), "c")
	require.ErrorIs(t, err, seal.ErrBroken, "another key")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	old, fresh := box(t, "2025"), box(t, "2026")
	sealed, err := old.Seal("secret", "c")
	require.NoError(t, err)
	require.False(t, old.Stale(sealed))
	require.True(t, fresh.Stale(sealed))
	plain, err := fresh.Open(sealed, "c")
	require.NoError(t, err)
	require.Equal(t, "secret", plain)
	gone, err := seal.New(map[string][]byte{"2026": key(2)}, "2026")
	require.NoError(t, err)
	_, err = gone.Open(sealed, "c")
	require.ErrorContains(t, err, "2025")
}

func TestNewRefusesBadKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys    map[string][]byte
		current string
	}{
		"no keys":         {nil, "a"},
		"current unknown": {map[string][]byte{"a": key(1)}, "b"},
		"a byte short":    {map[string][]byte{"a": key(1)[1:]}, "a"},
		"a byte long":     {map[string][]byte{"a": append(key(1), 1)}, "a"},
		"a dot in the id": {map[string][]byte{"a.b": key(1)}, "a.b"},
		"an empty id":     {map[string][]byte{"": key(1)}, ""},
	} {
		_, err := seal.New(c.keys, c.current)
		require.Error(t, err, name)
	}
}
