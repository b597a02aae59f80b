package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/testdrive"
)

func TestTestDrives(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	db, outbox := storetest.NewTwin(func() time.Time { return at })
	drives, ctx := store.NewTestDrives(db), t.Context()
	id := testdrive.PoolID{PublisherID: "contoso", OfferID: "app", Slot: offer.Production}
	empty, err := drives.Pool(ctx, id)
	require.NoError(t, err)
	require.Equal(t, testdrive.Pool{ID: id}, empty)

	s := testdrive.Session{
		ID: "s1", Pool: id, Kind: "logicApp", Customer: "t/o", State: testdrive.Provisioning, RequestedAt: at, Provision: 1,
		Config: testdrive.Config{AssignURL: "https://x"}, Outputs: []testdrive.Output{{Name: "a", Value: "b"}},
	}
	pool := empty
	pool.Holders = []testdrive.Holder{{SessionID: "s1", Customer: "t/o", Until: at}}
	require.NoError(t, drives.Save(ctx, s, pool, message.New("m1", message.TestDrives, 1)))
	require.Len(t, outbox.Messages(message.TestDrives), 1)
	got, err := drives.Session(ctx, "s1")
	require.NoError(t, err)
	want := s
	want.Lock = got.Lock
	require.Equal(t, want, got)

	other := s
	other.ID = "s2"
	err = drives.Save(ctx, other, pool, message.New("m2", message.TestDrives, 1))
	require.True(t, fault.Is(err, fault.StaleETag), "TDR-47 a pool that another has taken a slot of")
	_, err = drives.Session(ctx, "s2")
	require.True(t, fault.Is(err, fault.NotFound), "a session that never came to be")
	require.Len(t, outbox.Messages(message.TestDrives), 1)

	held, err := drives.Pool(ctx, id)
	require.NoError(t, err)
	require.Equal(t, pool.Holders, held.Holders)
	require.NoError(t, drives.Save(ctx, got, held))
	require.True(t, fault.Is(drives.Save(ctx, got, held), fault.StaleETag))

	for i := range 3 {
		held, err = drives.Pool(ctx, id)
		require.NoError(t, err)
		more := s
		more.ID, more.RequestedAt = fmt.Sprint("n", i), at.Add(time.Duration(i+1)*time.Minute)
		require.NoError(t, drives.Save(ctx, more, held))
	}
	page, next, err := drives.Sessions(ctx, id, "", 3)
	require.NoError(t, err)
	require.Equal(t, []string{"n2", "n1", "n0"}, []string{page[0].ID, page[1].ID, page[2].ID}, "the newest first")
	page, _, err = drives.Sessions(ctx, id, next, 3)
	require.NoError(t, err)
	require.Equal(t, "s1", page[0].ID)
}
