package subscription

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// The id of a subscription is a GUID of version 8 (RFC 9562, 5.8): 24 bits that the subscriptions of a publisher
// have in common, 36 bits of the time of the purchase, the rest at random. So it says by itself where it is kept,
// and ids sort like purchases.
const (
	groupDigits = 6
	idTick      = 16 * time.Millisecond
	idBits      = 36
)

// idEpoch is where the time of an id begins; it lasts until 2049.
var idEpoch = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// NewID makes the id of a subscription that is bought now. Random is a GUID.
func NewID(publisherID string, now time.Time, random string) string {
	ticks := max(now.Sub(idEpoch)/idTick, 0) % (1 << idBits)
	t := fmt.Sprintf("%09x", int64(ticks))
	return GroupOf(publisherID) + t[:2] + "-" + t[2:6] + "-8" + t[6:] + "-" + random[19:]
}

// GroupOf is the group that the subscriptions of a publisher are in. Few publishers share one.
func GroupOf(publisherID string) string {
	sum := sha256.Sum256([]byte(publisherID))
	return hex.EncodeToString(sum[:])[:groupDigits]
}

// Group is the group of a subscription, by its id.
func Group(id string) string { return id[:min(groupDigits, len(id))] }
