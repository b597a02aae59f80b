package subscriptiontest

import (
	"context"
	"encoding/json"

	"github.com/stretchr/testify/require"

	"stoa/shared/message"
	"stoa/shared/subscription"
)

// Decline lets the customers pay no renewal from now on, or pay again.
func (w *World) Decline(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.declines = on
}

// Pay answers the requests for terms that were not answered yet, as the ledger does, and reports whether there were
// any.
func (w *World) Pay() bool {
	w.T.Helper()
	answered := false
	for _, m := range w.Outbox.Messages(message.LedgerEvents) {
		var request struct {
			Kind, SubscriptionID string
			Term                 int
		}
		require.NoError(w.T, json.Unmarshal(m.Body, &request))
		w.mu.Lock()
		done := request.Kind != "request" || w.asked[m.ID]
		if w.asked == nil {
			w.asked = map[string]bool{}
		}
		w.asked[m.ID] = true
		event := subscription.PaymentEvent{
			ID: subscription.AttemptID(len(w.asked)), SubscriptionID: request.SubscriptionID, Type: subscription.EventPaymentSucceeded, Term: request.Term,
		}
		if w.declines {
			event.Type = subscription.EventPaymentFailed
		}
		w.mu.Unlock()
		if done {
			continue
		}
		answered = true
		work := subscription.Work{SubscriptionID: request.SubscriptionID, Kind: subscription.PaymentHeard, Payment: &event}
		require.NoError(w.T, w.Service.Work(message.WithCause(context.Background(), m.Cause()), work))
	}
	return answered
}
