package rating_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	ratingfn "stoa/functions/rating"
	"stoa/shared/account"
	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

var start = time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC)

type staff struct{}

func (staff) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	return account.Caller{Kind: account.App, AppID: bearer}, nil
}
func (staff) Allow(context.Context, account.Caller, string, account.Permission) error { return nil }
func (staff) Operator(c account.Caller) bool                                          { return c.AppID == "operator" }

func setUp(t *testing.T) (*billingtest.World, *ratingfn.Handler) {
	t.Helper()
	w := billingtest.New(t, start)
	return w, &ratingfn.Handler{
		Billing: w.Billing, Parked: w.DB.DeadLetters(), Rates: w.Ledger, Pages: web.Pages{Key: []byte("0123456789abcdef")},
	}
}

func parked(t *testing.T, w *billingtest.World) []store.DeadLetter {
	t.Helper()
	letters, _, err := w.DB.DeadLetters().List(t.Context(), store.DeadLetterPage{Queue: message.LedgerEvents})
	require.NoError(t, err)
	return letters
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		body   any
		back   bool   // the message comes back
		parked string // or is parked with this in its reason
	}{
		{"a term", billing.Signal{Kind: billing.SignalTerm, SubscriptionID: "s1", Term: 1}, false, ""},
		{"BIL-12 a change that is not known yet", billing.Signal{Kind: billing.SignalTerm, SubscriptionID: "s1", Term: 1, OperationID: "o1"}, true, ""},
		{"BIL-12 a request of a subscription that is not known yet", billing.Signal{Kind: billing.SignalRequest, SubscriptionID: "s2", Term: 2}, true, ""},
		{"a request of a term that has begun", billing.Signal{Kind: billing.SignalRequest, SubscriptionID: "s1", Term: 1}, false, ""},
		{"a request before its time", billing.Signal{Kind: billing.SignalRequest, SubscriptionID: "s1", Term: 2}, true, ""},
		{"a retry of what is not due", billing.Signal{Kind: billing.SignalCollect, SubscriptionID: "s1", Retry: 1}, false, ""},
		{"usage", billing.Signal{Kind: billing.SignalUsage, ResourceID: "s1", Events: []billing.UsageEvent{{Dimension: "email", Hour: "2026011009"}}}, false, ""},
		{"an end", billing.Signal{Kind: billing.SignalEnded, SubscriptionID: "ended"}, false, ""},
		{"BIL-12 a subscription that is not known yet", billing.Signal{Kind: billing.SignalTerm, SubscriptionID: "s2", Term: 1}, true, ""},
		{"BIL-12 a term that is not known yet", billing.Signal{Kind: billing.SignalTerm, SubscriptionID: "s1", Term: 2}, true, ""},
		{"BIL-12 usage of a resource that is not known yet", billing.Signal{Kind: billing.SignalUsage, ResourceID: "s2", Events: []billing.UsageEvent{{Dimension: "email", Hour: "2026011009"}}}, true, ""},
		{"BIL-12 a cycle that is not known yet", billing.Signal{Kind: billing.SignalClose, ResourceID: "s1", Dimension: "email", Month: "2026-01"}, true, ""},
		{"BIL-12 a line that is not known yet", billing.Signal{Kind: billing.SignalFirm, PublisherID: "contoso", LineID: "x"}, true, ""},
		{"BIL-12 a release that is not known yet", billing.Signal{Kind: billing.SignalMature, PublisherID: "contoso", LineID: "x"}, true, ""},
		{"BIL-12 an end that is not known yet", billing.Signal{Kind: billing.SignalEnded, SubscriptionID: "s1"}, true, ""},
		{"not JSON", "{", false, "MalformedMessage"},
		{"nothing", "", false, "MalformedMessage"},
		{"another type", `{"kind":"term","term":"first"}`, false, "MalformedMessage"},
		{"an unknown kind", `{"kind":"other"}`, false, "UnknownKind"},
		{"a message of another queue", `{"runId":"payout-commercialMarketplace-2026-01","publisherId":"contoso"}`, false, "UnknownKind"},
		{"an impossible hour", `{"kind":"usage","resourceId":"s1","events":[{"dimension":"email","hour":"x"}]}`, false, "InvalidHour"},
		{"one impossible hour of two", `{"kind":"usage","resourceId":"s1","events":[{"dimension":"email","hour":"2026011009"},{"dimension":"email","hour":"2026"}]}`, false, "InvalidHour"},
		{"usage of nothing", `{"kind":"usage","resourceId":"s1","events":[{"hour":"2026011009"}]}`, false, "MissingDimension"},
		{"an impossible month", `{"kind":"cycleClose","resourceId":"s1","dimension":"email","month":"2026-13"}`, false, "InvalidMonth"},
		{"postings of an unknown transaction", `{"kind":"post","publisherId":"contoso","keys":["charge:x"]}`, false, "NotFound"},
		{"a term in no currency", `{"kind":"term","subscriptionId":"foreign","term":1}`, false, "UnknownCurrency"},
		{"BIL-8 a negative price", `{"kind":"term","subscriptionId":"negative","term":1}`, false, "NegativeCharge"},
		{"BIL-8 an amount that does not fit", `{"kind":"term","subscriptionId":"huge","term":1}`, false, "AmountTooLarge"},
		{"BIL-10 other content than before", `{"kind":"term","subscriptionId":"changed","term":1}`, false, "BillingConflict"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, h := setUp(t)
			w.Subscribe("s1", "10.00", "USD")
			w.Subscribe("foreign", "10.00", "XXX")
			w.Subscribe("negative", "-10.00", "USD")
			w.Subscribe("huge", "1e30", "USD")
			ended := w.Subscribe("ended", "10.00", "USD")
			ended.EndedAt = start
			w.Save(ended)
			w.Subscribe("changed", "10.00", "USD")
			require.NoError(t, w.Billing.ChargeTerm(t.Context(), "changed", 1))
			require.Empty(t, w.Pump(t, nil))
			before := w.Balances(t, "USD", billingtest.Accounts...)
			w.Subscribe("changed", "11.00", "USD")
			for delivery := range 2 {
				err := h.Run(t.Context(), functionshosttest.Queue(t, "rating", "message", c.body, delivery+1))
				require.Equal(t, c.back, err != nil, "%v", err)
			}
			letters := parked(t, w)
			if c.back || c.parked != "" { // nothing half done
				require.Empty(t, w.Pump(t, nil))
				require.Equal(t, before, w.Balances(t, "USD", billingtest.Accounts...))
				cycles, _, err := w.Billing.Cycles(t.Context(), "s1", "", 5)
				require.NoError(t, err)
				require.Empty(t, cycles)
			}
			if c.parked == "" {
				require.Empty(t, letters)
				return
			}
			require.Len(t, letters, 1)
			require.Contains(t, letters[0].Reason, c.parked)
		})
	}
}

// call asks as a member of staff, unless the token says otherwise.
func call(t *testing.T, h *ratingfn.Handler, method, target, token, body string) (int, string) {
	t.Helper()
	rt, err := web.New(web.Deps{Verifier: staff{}, Accounts: staff{}, Now: time.Now, NewID: storetest.Counter("request")})
	require.NoError(t, err)
	h.Operator(rt.API(web.API{Prefix: "/operator/v1", Audiences: []string{"m"}}))
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	rt.ServeHTTP(answer, r)
	return answer.Code, answer.Body.String()
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	w, h := setUp(t)
	for _, id := range []string{"s1", "s2", "s3"} {
		w.Subscribe(id, "10.00", "USD")
		w.Charge(t, id, 1)
	}
	require.Empty(t, w.Pump(t, nil))
	const accrued = "/operator/v1/ledger/accounts/publisher:contoso:accrued?currency=usd&limit=2"
	status, _ := call(t, h, "GET", accrued, "somebody", "")
	require.Equal(t, http.StatusForbidden, status)
	var page struct {
		Debit, Credit, Balance int64
		Postings               []billing.Entry
		Continuation           string
	}
	status, body := call(t, h, "GET", accrued, "operator", "")
	require.Equal(t, http.StatusOK, status, body)
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	require.Equal(t, int64(-2910), page.Balance)
	require.Len(t, page.Postings, 2)
	status, body = call(t, h, "GET", accrued+"&continuation="+page.Continuation, "operator", "")
	require.Equal(t, http.StatusOK, status, body)
	page.Postings, page.Continuation = nil, ""
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	require.Len(t, page.Postings, 1)
	require.Empty(t, page.Continuation)
	for target, want := range map[string]int{
		"/operator/v1/ledger/accounts/publisher:contoso:accrued":               400,
		"/operator/v1/ledger/accounts/publisher:contoso:accrued?currency=EUR":  404,
		"/operator/v1/ledger/accounts/publisher:fabrikam:accrued?currency=USD": 404,
		strings.Replace(accrued, "limit=2", "limit=0", 1):                      400, accrued + "&continuation=x": 400,
		"/operator/v1/ledger/cycles/s1": 200, "/operator/v1/ledger/cycles/s9": 404,
	} {
		status, body := call(t, h, "GET", target, "operator", "")
		require.Equal(t, want, status, "%s: %s", target, body)
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	w, h := setUp(t)
	for _, c := range []struct {
		date, body string
		want       int
	}{
		{"2026-01-10", `{"EUR":"0.90","JPY":150}`, 204}, {"2026-01-10", `{"EUR":0.9}`, 204}, {"2026-01-10", `{"EUR":"0.91"}`, 409},
		{"2026-01-10", `{"CHF":"0.88","EUR":"0.91","GBP":"0.8"}`, 409}, {"2026-01-11", `{"EUR":"x"}`, 400}, {"2026-01-11", `{"EUR":[]}`, 400},
		{"2026-01-11", `{"EUR":"1e30"}`, 400}, {"2026-01-11", `{"EUR":null}`, 400},
		{"yesterday", `{"EUR":"0.9"}`, 400}, {"2026-01-11", `{"USD":"1"}`, 400}, {"2026-01-11", `{"XXX":"1"}`, 400},
		{"2026-01-11", `{"EUR":"0"}`, 400}, {"2026-01-11", `{"EUR":"0.123456789"}`, 400}, {"2026-01-11", `{}`, 400},
	} {
		status, body := call(t, h, "PUT", "/operator/v1/fxRates/"+c.date, "operator", c.body)
		require.Equal(t, c.want, status, "%s %s: %s", c.date, c.body, body)
	}
	for _, currency := range []string{"CHF", "GBP"} {
		_, err := w.Ledger.UnitsPerUSD(t.Context(), currency, "2026-03-01")
		require.True(t, fault.Is(err, fault.NotFound), "of a refused request nothing is kept")
	}
	rate, err := w.Ledger.UnitsPerUSD(t.Context(), "EUR", "2026-03-01") // BIL-85: the last earlier set
	require.NoError(t, err)
	require.Equal(t, "0.9", rate.String())
	_, err = w.Ledger.UnitsPerUSD(t.Context(), "EUR", "2026-01-09")
	require.True(t, fault.Is(err, fault.NotFound))
}
