package storetest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table"
)

func TestTwin(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	db, outbox := storetest.NewTwin(func() time.Time { return now })
	op := table.Op{Action: table.Insert, Row: table.Row{Partition: "p", Key: "k", Data: []byte("{}")}}
	m := message.New("m1", message.Leads, 1)
	later := message.New("m2", message.Leads, 2).At(now.Add(time.Hour))
	_, err := db.Commit(t.Context(), "leads", []table.Op{op}, m, later)
	require.NoError(t, err)
	require.Len(t, outbox.Messages(message.Leads), 1)
	require.NoError(t, db.Send(t.Context(), m))
	require.Len(t, outbox.Take(message.Leads), 1, "a duplicate is dropped")
	require.Zero(t, outbox.Advance(now.Add(time.Hour-1)))
	require.Equal(t, 1, outbox.Advance(now.Add(time.Hour)))
	sent := outbox.Messages(message.Leads)
	require.Len(t, sent, 1)
	require.Equal(t, "m2", sent[0].ID)
	now = now.Add(10 * time.Minute)
	require.NoError(t, db.Send(t.Context(), m))
	require.Len(t, outbox.Messages(message.Leads), 2, "ids are forgotten after ten minutes")
}
