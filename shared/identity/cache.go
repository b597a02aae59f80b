package identity

import (
	"crypto/sha256"
	"sync"
)

// cache remembers verified tokens by their hash. It keeps two generations of half its size: what is used moves
// to the young one, and when that is full the old one is forgotten. So it never grows past its size, and
// needs no clock. Only tokens that verified get in, so strangers cannot push others out.
type cache struct {
	half int

	mu         sync.Mutex
	young, old map[[sha256.Size]byte]verified
}

func newCache(size int) *cache {
	return &cache{half: max(size/2, 1), young: map[[sha256.Size]byte]verified{}}
}

// get finds a token.
func (c *cache) get(hash [sha256.Size]byte) (verified, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.young[hash]; ok {
		return t, true
	}
	t, ok := c.old[hash]
	if ok {
		delete(c.old, hash)
		c.add(hash, t)
	}
	return t, ok
}

// put remembers a token.
func (c *cache) put(hash [sha256.Size]byte, t verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(hash, t)
}

// drop forgets a token.
func (c *cache) drop(hash [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, hash)
	delete(c.old, hash)
}

// add needs the lock.
func (c *cache) add(hash [sha256.Size]byte, t verified) {
	if len(c.young) >= c.half {
		c.old, c.young = c.young, map[[sha256.Size]byte]verified{}
	}
	c.young[hash] = t
}
