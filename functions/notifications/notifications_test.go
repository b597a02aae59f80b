package notifications_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/functions/notifications"
	"stoa/shared/fault"
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

func TestRun(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		err    error
		back   bool
		parked int
	}{
		{"sent", nil, false, 0},
		{"the relay is away", fault.New(fault.Unavailable, "MailUnavailable", "", "x"), true, 0},
		{"an error without a kind", errors.New("x"), true, 0},
		{"refused for good", fault.New(fault.Invalid, "MailRefused", "", "x"), false, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, dead := &post{err: row.err}, &parked{}
			h := &notifications.Handler{Post: p, Parked: dead}
			err := h.Run(t.Context(), functionshosttest.Queue(t, "notifications", "message", `{"id":"n1"}`, 1))
			require.Equal(t, row.back, err != nil)
			require.Equal(t, `{"id":"n1"}`, p.body)
			require.Len(t, dead.letters, row.parked)
		})
	}
	dead := &parked{}
	h := &notifications.Handler{Post: &post{err: fault.New(fault.Invalid, "MalformedNotification", "", "x")}, Parked: dead}
	require.NoError(t, h.Run(t.Context(), functionshosttest.Queue(t, "notifications", "message", "not json", 1)))
	require.Equal(t, `"not json"`, string(dead.letters[0].Body))
	require.Equal(t, "message-1", dead.letters[0].ID)
}
