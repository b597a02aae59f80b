package offer_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// counting is a reader of one live offer that counts its reads.
type counting struct{ live, preview atomic.Int32 }

func (c *counting) Live(_ context.Context, publisherID, offerID string) (offer.Version, error) {
	n := c.live.Add(1)
	return offer.Version{Slot: offer.Production, Number: int(n)}, nil
}

func (c *counting) InPreview(context.Context, string, string) (offer.Version, error) {
	c.preview.Add(1)
	return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "not in preview")
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	var moved atomic.Int64
	reads := &counting{}
	c := offer.NewCatalogue(reads, func() time.Time { return time.Unix(0, moved.Load()) })
	number := func() int {
		v, err := c.Sold(t.Context(), "contoso", "cns", true)
		require.NoError(t, err)
		return v.Number
	}
	require.Equal(t, 1, number())
	moved.Store(int64(2*time.Second - 1))
	require.Equal(t, 1, number())
	require.EqualValues(t, 2, reads.preview.Load(), "what is not there is asked for again")
	moved.Store(int64(2 * time.Second))
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			v, err := c.Live(context.Background(), "contoso", "cns")
			require.NoError(t, err)
			require.Equal(t, 2, v.Number)
		})
	}
	group.Wait()
	require.EqualValues(t, 2, reads.live.Load(), "of many who need it again one reads")
	moved.Store(0) // a clock that went back
	require.Equal(t, 3, number())
}
