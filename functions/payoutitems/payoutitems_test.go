package payoutitems_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	payoutitemsfn "stoa/functions/payoutitems"
	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/payout"
	"stoa/shared/store"
)

const run = "payout-commercialMarketplace-2026-02"

// setUp is a world in which contoso sold for 100.00 and the run of February is open.
func setUp(t *testing.T, currency string) (*billingtest.World, *payout.Service, *payoutitemsfn.Handler) {
	t.Helper()
	w := billingtest.New(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	sub := w.Subscribe("s1", "100.00", currency)
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
	return w, service, &payoutitemsfn.Handler{Payouts: service, Parked: w.DB.DeadLetters()}
}

func TestRun(t *testing.T) {
	t.Parallel()
	w, service, h := setUp(t, "USD")
	for done := 0; done < 2; { // the listing, then the item
		work := w.Outbox.Take(message.PayoutItems)
		require.NotEmpty(t, work)
		for _, m := range work {
			done++
			for delivery := range 2 {
				require.NoError(t, h.Run(t.Context(), functionshosttest.Queue(t, "payoutitems", "message", json.RawMessage(m.Body), delivery+1)))
			}
		}
	}
	letters, _, err := w.DB.DeadLetters().List(t.Context(), store.DeadLetterPage{Queue: message.PayoutItems})
	require.NoError(t, err)
	require.Empty(t, letters)
	items, _, err := service.Items(t.Context(), "contoso", "", 1)
	require.NoError(t, err)
	require.Equal(t, payout.Sent, items[0].State)
}

// What can never be done is settled and parked with its reason, and leaves nothing half done.
func TestPoison(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, currency string
		body           any
		reason         string
	}{
		{"PAY-30 a rate is missing", "EUR", payout.Work{RunID: run, PublisherID: "contoso"}, "RateMissing"},
		{"an unknown publisher", "USD", payout.Work{RunID: run, PublisherID: "other"}, "NotFound"},
		{"no publisher", "USD", payout.Work{RunID: run}, "MissingValue"},
		{"a run that is not open", "USD", payout.Work{Kind: payout.WorkList, RunID: "payout-commercialMarketplace-2026-01"}, "NotFound"},
		{"an order of another run", "USD", payout.Work{Kind: payout.WorkSend, RunID: "payout-commercialMarketplace-2026-01", PublisherID: "contoso"}, "NotFound"},
		{"not a run", "USD", payout.Work{RunID: "x", PublisherID: "contoso"}, "InvalidRun"},
		{"a month that is none", "USD", payout.Work{RunID: "payout-commercialMarketplace-2026-99", PublisherID: "contoso"}, "InvalidMonth"},
		{"another kind", "USD", map[string]string{"kind": "lead", "runId": run, "publisherId": "contoso"}, "UnknownKind"},
		{"a message of another queue", "USD", billing.Signal{Kind: billing.SignalTerm, SubscriptionID: "s1", Term: 2}, "UnknownKind"},
		{"another type", "USD", `{"runId":7}`, "MalformedMessage"},
		{"not JSON", "USD", "{", "MalformedMessage"},
		{"nothing", "USD", "", "MalformedMessage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, service, h := setUp(t, c.currency)
			require.NoError(t, service.List(t.Context(), run, 0))
			before := w.Balances(t, c.currency, billingtest.Accounts...)
			w.Outbox.Take(message.PayoutItems)
			for delivery := range 2 {
				require.NoError(t, h.Run(t.Context(), functionshosttest.Queue(t, "payoutitems", "message", c.body, delivery+1)))
			}
			letters, _, err := w.DB.DeadLetters().List(t.Context(), store.DeadLetterPage{Queue: message.PayoutItems})
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Contains(t, letters[0].Reason, c.reason)
			items, _, err := service.Items(t.Context(), "contoso", "", 5)
			require.NoError(t, err)
			require.Len(t, items, 1)
			require.Equal(t, payout.Queued, items[0].State)
			require.Empty(t, items[0].PaymentID)
			require.Empty(t, w.Outbox.Messages(message.PayoutItems))
			for account, balance := range w.Balances(t, c.currency, billingtest.Accounts...) {
				if account != "publisher:{p}:escrow" && account != "publisher:{p}:payable" { // the holding period may end
					require.Equal(t, before[account], balance, account)
				}
			}
			open, _, err := w.Ledger.Releases(t.Context(), "contoso", w.Now(), "", 5)
			require.NoError(t, err)
			require.Len(t, open, 1, "nothing is paid")
		})
	}
}

// A listing or an order that comes too early or in pieces comes back.
func TestComesBack(t *testing.T) {
	t.Parallel()
	w, service, h := setUp(t, "USD")
	w.Set(time.Date(2026, 2, 5, 8, 0, 0, 0, time.UTC))
	require.NoError(t, service.List(t.Context(), run, 0))
	require.NoError(t, service.ComputeItem(t.Context(), run, "contoso"))
	require.Error(t, h.Run(t.Context(), functionshosttest.Queue(t, "payoutitems", "message", payout.Work{Kind: payout.WorkSend, RunID: run, PublisherID: "contoso"}, 1)))
	letters, _, err := w.DB.DeadLetters().List(t.Context(), store.DeadLetterPage{Queue: message.PayoutItems})
	require.NoError(t, err)
	require.Empty(t, letters)
}
