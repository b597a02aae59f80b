package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// A payment is made once for its key, whoever asks at the same time, and uses up one of what comes next.
func TestLedgerInstrumentPaysOnce(t *testing.T) { // BIL-13, BIL-14
	t.Parallel()
	db, _ := storetest.NewTwin(func() time.Time { return ledgerTime })
	cards := store.NewInstruments(db)
	ctx := t.Context()
	require.NoError(t, cards.SetCard(ctx, "b1", billing.Card{State: billing.CardValid, Next: []billing.CardState{billing.CardDeclined, billing.CardExpired}}))
	pay := func(key string, minor int64) (billing.Outcome, error) {
		return cards.Capture(ctx, billing.Payment{Key: key, BillingAccount: "b1", Amount: money.Amount{Minor: minor, Currency: "USD"}})
	}
	outcomes := make([]billing.Outcome, 8)
	var group sync.WaitGroup
	for i := range outcomes {
		group.Go(func() {
			out, err := pay("k1", 100)
			if err == nil {
				outcomes[i] = out
			}
		})
	}
	group.Wait()
	for _, out := range outcomes {
		require.Equal(t, billing.Outcome{Reason: "declined"}, out)
	}
	var got []string
	for i := range 3 {
		out, err := pay(fmt.Sprint("n", i), 100)
		require.NoError(t, err)
		got = append(got, fmt.Sprint(out.Paid, " ", out.Reason))
	}
	require.Equal(t, []string{"false expired", "true ", "true "}, got)
	_, err := pay("n1", 99)
	require.Equal(t, "PaymentConflict", fault.As(err).Code)
	for range 2 {
		out, err := cards.Refund(ctx, billing.Payment{Key: "n1", BillingAccount: "b1", Amount: money.Amount{Minor: 30, Currency: "USD"}})
		require.NoError(t, err)
		require.True(t, out.Paid)
	}
	sums, err := cards.Payments(ctx, "b1")
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"USD": 170}, sums)
}

// Another instrument asks again for what is due of its account, and of no other.
func TestLedgerInstrumentChange(t *testing.T) { // BIL-61
	t.Parallel()
	db, outbox := storetest.NewTwin(func() time.Time { return ledgerTime })
	cards, ledger := store.NewInstruments(db), store.NewLedger(db)
	for account, state := range map[string]billing.CollectionState{"b1": billing.Due, "b2": billing.Clear, "b3": billing.Due} {
		require.NoError(t, ledger.Apply(t.Context(), billing.Batch{PublisherID: "contoso", Collections: []billing.Collection{
			{SubscriptionID: "s-" + account, PublisherID: "contoso", BillingAccount: account, Currency: "USD", State: state},
		}}))
	}
	require.NoError(t, cards.SetCard(t.Context(), "b1", billing.Card{State: billing.CardValid}))
	require.NoError(t, cards.SetCard(t.Context(), "b2", billing.Card{State: billing.CardValid}))
	msgs := outbox.Messages(message.LedgerEvents)
	require.Len(t, msgs, 1)
	require.Contains(t, string(msgs[0].Body), `"s-b1"`)
	card, err := cards.Card(t.Context(), "b9")
	require.NoError(t, err)
	require.Equal(t, billing.CardValid, card.State)
}
