package notifications_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/notifications"
	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
)

type post struct {
	err  error
	body string
}

func (p *post) Deliver(_ context.Context, body []byte) error {
	p.body = string(body)
	return p.err
}

type parked struct{ letters []message.Message }

func (p *parked) Park(_ context.Context, queue string, m message.Message, _ error) error {
	p.letters = append(p.letters, m)
	return nil
}

// agenda keeps what is sent for later.
type agenda struct {
	err  error
	sent []message.Message
}

func (a *agenda) Send(_ context.Context, msgs ...message.Message) error {
	a.sent = append(a.sent, msgs...)
	return a.err
}

// delivered is a notification that arrives in a message with an id of its own.
func delivered(t *testing.T, id string) functionshost.Invocation {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"Data": map[string]string{"message": strconv.Quote(`{"id":"n1"}`)}, "Metadata": map[string]string{"MessageId": strconv.Quote(id)},
	})
	require.NoError(t, err)
	in, err := functionshost.Decode("notifications", http.Header{}, bytes.NewReader(body))
	require.NoError(t, err)
	return in
}

func TestRun(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "MailUnavailable", "", "x")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		name   string
		id     string
		err    error
		agenda error
		back   bool
		later  string
		parked int
	}{
		{"sent", "n1", nil, nil, false, "", 0},
		{"the relay is away", "n1", away, nil, false, "n1:again:1", 0},
		{"it is still away", "n1:again:9", away, nil, false, "n1:again:10", 0},
		{"an id that only looks so", "n1:again:x", away, nil, false, "n1:again:x:again:1", 0},
		{"it was away for a day but for a moment", "n1:again:479", away, nil, false, "n1:again:480", 0},
		{"it was away for a day", "n1:again:480", away, nil, false, "", 1},
		{"the agenda is away as well", "n1", away, errors.New("x"), true, "n1:again:1", 0},
		{"an error without a kind", "n1", errors.New("x"), nil, false, "n1:again:1", 0},
		{"refused for good", "n1", fault.New(fault.Invalid, "MailRefused", "", "x"), nil, false, "", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, dead, later := &post{err: row.err}, &parked{}, &agenda{err: row.agenda}
			h := &notifications.Handler{Post: p, Parked: dead, Later: later, Now: func() time.Time { return now }}
			err := h.Run(t.Context(), delivered(t, row.id))
			require.Equal(t, row.back, err != nil)
			require.Equal(t, `{"id":"n1"}`, p.body)
			require.Len(t, dead.letters, row.parked)
			if row.later == "" {
				require.Empty(t, later.sent)
				return
			}
			require.Equal(t, row.later, later.sent[0].ID)
			require.Equal(t, message.Notifications, later.sent[0].Queue)
			require.Equal(t, now.Add(3*time.Minute), later.sent[0].Due)
			require.JSONEq(t, `{"id":"n1"}`, string(later.sent[0].Body))
		})
	}
	dead := &parked{}
	h := &notifications.Handler{Post: &post{err: fault.New(fault.Invalid, "MalformedNotification", "", "x")}, Parked: dead}
	require.NoError(t, h.Run(t.Context(), functionshosttest.Queue(t, "notifications", "message", "not json", 1)))
	require.Equal(t, `"not json"`, string(dead.letters[0].Body))
	require.Equal(t, "message-1", dead.letters[0].ID)
}
