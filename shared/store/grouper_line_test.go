package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/store/table"
	"stoa/shared/store/table/tabletest"
)

type nobody struct{}

func (nobody) Send(context.Context, string, []message.Message) error { return nil }

// stuck is a table whose writes wait.
type stuck struct {
	table.Table
	begun, through chan struct{}
}

func (s stuck) Apply(ctx context.Context, ops ...table.Op) ([]string, error) {
	s.begun <- struct{}{}
	<-s.through
	return s.Table.Apply(ctx, ops...)
}

// An act that has waited for its turn longer than its marker is good for is refused and does not happen.
func TestActsDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	var account tabletest.Account
	slow := stuck{account.Table("subscriptions"), make(chan struct{}, 9), make(chan struct{})}
	db := New(Deps{Tables: func(string) table.Table { return slow }, Sender: nobody{}, Now: time.Now, NewID: func() string { return "id" }})
	at := place{"subscriptions", "p"}
	row := func(key string) []table.Op {
		return []table.Op{{Action: table.Insert, Row: table.Row{Partition: "p", Key: key, Data: []byte("{}")}}}
	}
	ended, end := context.WithCancel(t.Context())
	answers := map[string]chan error{"first": make(chan error, 1), "late": make(chan error, 1), "next": make(chan error, 1)}
	start := func(ctx context.Context, key string) {
		go func() {
			_, err := db.groups.apply(ctx, at, row(key))
			answers[key] <- err
		}()
	}
	waits := func(n int) {
		require.Eventually(t, func() bool {
			db.groups.mu.Lock()
			defer db.groups.mu.Unlock()
			return len(db.groups.lines[at]) == n
		}, 10*time.Second, time.Millisecond)
	}
	start(t.Context(), "first")
	<-slow.begun
	start(ended, "late")
	waits(1)
	start(t.Context(), "next")
	waits(2)
	end()
	close(slow.through)
	require.NoError(t, <-answers["first"])
	require.True(t, fault.Is(<-answers["late"], fault.Unavailable))
	require.NoError(t, <-answers["next"])
	for key, there := range map[string]bool{"first": true, "late": false, "next": true} {
		_, err := account.Table("subscriptions").Get(t.Context(), "p", key)
		require.Equal(t, there, err == nil, key)
	}
}
