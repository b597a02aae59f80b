package identity

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
)

func TestCacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	hash := func(n int) (h [32]byte) {
		binary.BigEndian.PutUint64(h[:], uint64(n))
		return h
	}
	const size = 10
	c := newCache(size)
	c.put(hash(0), verified{caller: account.Caller{AppID: "used"}})
	for n := 1; n <= 1000; n++ {
		c.put(hash(n), verified{})
		got, ok := c.get(hash(0))
		require.True(t, ok)
		require.Equal(t, "used", got.caller.AppID)
		require.LessOrEqual(t, len(c.young)+len(c.old), size)
	}
	_, ok := c.get(hash(1))
	require.False(t, ok)
	c.drop(hash(0))
	_, ok = c.get(hash(0))
	require.False(t, ok)
}
