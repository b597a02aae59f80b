package payoutitems_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	payoutitemsfn "stoa/functions/payoutitems"
	"stoa/shared/billing/billingtest"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/payout"
	"stoa/shared/store"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, currency string
		body           any
		parked         string
	}{
		{"an item", "USD", map[string]string{"runId": "payout-commercialMarketplace-2026-02", "publisherId": "contoso"}, ""},
		{"PAY-30 a rate is missing", "EUR", map[string]string{"runId": "payout-commercialMarketplace-2026-02", "publisherId": "contoso"}, "RateMissing"},
		{"an unknown publisher", "USD", map[string]string{"runId": "payout-commercialMarketplace-2026-02", "publisherId": "other"}, "NotFound"},
		{"not a run", "USD", map[string]string{"runId": "x", "publisherId": "contoso"}, "InvalidRun"},
		{"not JSON", "USD", "{", "MalformedMessage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := billingtest.New(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
			sub := w.Subscribe("s1", "100.00", c.currency)
			sub.Terms[0].Number = 2
			w.Save(sub)
			w.Charge(t, "s1", 2)
			require.Empty(t, w.Pump(t, nil))
			w.Set(time.Date(2026, 2, 15, 6, 0, 0, 0, time.UTC))
			service, err := payout.New(payout.Deps{
				Store: store.NewPayouts(w.DB), Ledger: w.Ledger, Billing: w.Billing, Statements: &blobstest.Account{}, Now: w.Now,
			})
			require.NoError(t, err)
			_, err = service.OpenRun(t.Context(), "2026-02")
			require.NoError(t, err)
			h := &payoutitemsfn.Handler{Payouts: service, Parked: w.DB.DeadLetters()}
			for range 2 {
				require.NoError(t, h.Run(t.Context(), functionshosttest.Queue(t, "payoutitems", "message", c.body, 1)))
			}
			letters, _, err := w.DB.DeadLetters().List(t.Context(), store.DeadLetterPage{Queue: message.PayoutItems})
			require.NoError(t, err)
			if c.parked == "" {
				require.Empty(t, letters)
				items, _, err := service.Items(t.Context(), "contoso", "", 1)
				require.NoError(t, err)
				require.Equal(t, payout.Sent, items[0].State)
				return
			}
			require.Len(t, letters, 1)
			require.Contains(t, letters[0].Reason, c.parked)
		})
	}
}
