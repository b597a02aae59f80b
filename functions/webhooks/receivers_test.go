package webhooks_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stoa/functions/webhooks"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/outbound"
	"stoa/shared/store"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

const (
	receiverCount = 10
	dead          = 3                    // the receiver that never answers
	callsInAll    = 1000                 // webhooks
	workers       = 16                   // messages that a host gives a process at the same time (host.json)
	pace          = 4 * time.Millisecond // between two webhooks
	worst         = time.Second          // that a webhook to a living receiver may come late
)

// arrivals notes when webhooks arrived, by operation.
type arrivals struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var body struct{ ID string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.ID == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at[body.ID] = now
}

func (a *arrivals) of(id string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[id]
}

// startReceivers makes the receivers, and an offer for each.
func startReceivers(t *testing.T, offers *subscriptiontest.Offers) *arrivals {
	t.Helper()
	came := &arrivals{at: map[string]time.Time{}}
	for i := range receiverCount {
		var h http.Handler = came
		if i == dead {
			h = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
		}
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		c := subscriptiontest.Content()
		c.OfferID, c.Technical.ConnectionWebhook = offerOf(i), s.URL
		offers.Put(offer.Version{Slot: offer.Production, Content: c})
	}
	return came
}

func offerOf(i int) string { return fmt.Sprint("receiver-", i) }

// Of a thousand webhooks to ten receivers, one of which never answers, those to the nine others arrive as if it
// did not exist: none is a second late.
func TestADeadReceiverDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := subscriptiontest.New(t, subscription.Guide)
	came := startReceivers(t, w.Offers)
	service, err := subscription.New(subscription.Deps{
		Store: w.Store, Offers: w.Offers, Publishers: subscriptiontest.Publishers{}, Random: rand.Reader, Now: w.Now, NewID: uuid.NewString,
		Calls: outbound.NewReceivers(outbound.New(outbound.Options{AllowLoopback: true})),
		Sign:  func(context.Context, string, string) (string, error) { return "token", nil },
	})
	require.NoError(t, err)
	calls, err := subscription.NewDeliveries(service, store.NewDeliveries(w.DB))
	require.NoError(t, err)
	h := &webhooks.Handler{Subscriptions: calls, Parked: &parked{}}

	var work []subscription.Work
	for i := range callsInAll {
		order := subscriptiontest.Order("silver", 5)
		order.OfferID = offerOf(i % receiverCount)
		sub := w.Activate(w.BuyOrder(order).ID)
		o, err := w.Service.Suspend(t.Context(), sub.ID)
		require.NoError(t, err)
		work = append(work, subscription.Work{SubscriptionID: sub.ID, OperationID: o.ID, Attempt: 1})
	}
	w.Outbox.Take(message.Webhooks)

	ctx, stop := context.WithCancel(t.Context())
	queue := make(chan subscription.Work, callsInAll)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for m := range queue {
				if err := h.Run(ctx, functionshosttest.Queue(t, "webhooks", "message", m, 1)); err != nil && ctx.Err() == nil {
					t.Errorf("work %v: %v", m, err)
				}
			}
		})
	}
	sent := map[string]time.Time{}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i, m := range work {
		<-tick.C
		if i%receiverCount != dead {
			sent[m.OperationID] = time.Now()
		}
		queue <- m
	}
	close(queue)
	var late time.Duration
	for id, at := range sent {
		require.Eventually(t, func() bool { return !came.of(id).IsZero() }, 10*time.Second, 10*time.Millisecond, "a webhook to a living receiver never came")
		late = max(late, came.of(id).Sub(at))
	}
	stop() // what the dead receiver still holds
	group.Wait()
	require.Less(t, late, worst)
	t.Logf("%d webhooks arrived, the last one %v late", len(sent), late)
}
