package webhooks_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/functions/webhooks"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/subscription"
)

type worker struct {
	got   []subscription.Work
	cause message.Cause
	err   error
}

func (w *worker) Work(ctx context.Context, work subscription.Work) error {
	w.got, w.cause = append(w.got, work), message.CauseOf(ctx)
	return w.err
}

type parked struct {
	letters []message.Message
	err     error
}

func (p *parked) Park(_ context.Context, queue string, m message.Message, _ error) error {
	m.Queue = queue
	p.letters = append(p.letters, m)
	return p.err
}

func TestRun(t *testing.T) {
	t.Parallel()
	work := subscription.Work{SubscriptionID: "s", OperationID: "o", Attempt: 2}
	for _, tc := range []struct {
		name   string
		body   any
		err    error
		back   bool
		parked string
	}{
		{"done", work, nil, false, ""},
		{"a dependency is away", work, fault.New(fault.Unavailable, "Busy", "", "no"), true, ""},
		{"someone saved in between", work, fault.New(fault.StaleETag, "Stale", "", "no"), true, ""},
		{"unknown trouble", work, errors.New("no"), true, ""},
		{"names nothing", work, fault.New(fault.NotFound, "EntityNotFound", "", "no"), false, `{"subscriptionId":"s","operationId":"o","attempt":2}`},
		{"no JSON", "lunch", nil, false, `"lunch"`},
		{"another shape", `{"subscriptionId":7}`, nil, false, `{"subscriptionId":7}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, p := &worker{err: tc.err}, &parked{}
			h := &webhooks.Handler{Subscriptions: w, Parked: p}
			err := h.Run(t.Context(), functionshosttest.Queue(t, "webhooks", "message", tc.body, 1))
			require.Equal(t, tc.back, err != nil)
			if len(w.got) > 0 {
				require.Equal(t, work, w.got[0])
				require.Equal(t, message.Cause{RequestID: "request-1", CorrelationID: "correlation-1"}, w.cause, "FUL-8")
			}
			if tc.parked == "" {
				require.Empty(t, p.letters)
				return
			}
			require.Len(t, p.letters, 1)
			require.JSONEq(t, tc.parked, string(p.letters[0].Body))
			require.Equal(t, []string{"message-1", "webhooks"}, []string{p.letters[0].ID, p.letters[0].Queue})
		})
	}
}

func TestWhatCannotBeParkedComesBack(t *testing.T) {
	t.Parallel()
	h := &webhooks.Handler{Subscriptions: &worker{}, Parked: &parked{err: errors.New("store is away")}}
	require.Error(t, h.Run(t.Context(), functionshosttest.Queue(t, "webhooks", "message", "lunch", 1)))
}
