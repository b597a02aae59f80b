package payouts_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	payoutsfn "stoa/functions/payouts"
	"stoa/shared/account"
	"stoa/shared/billing/billingtest"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/payout"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

type people struct{}

func (people) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	return account.Caller{Kind: account.User, ObjectID: bearer}, nil
}

func (people) Allow(_ context.Context, c account.Caller, publisherID string, p account.Permission) error {
	if c.ObjectID == "owner" && publisherID == "contoso" && p == "payoutReports.read" {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

func (people) Operator(c account.Caller) bool { return c.ObjectID == "operator" }

func TestRunAndShow(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	sub := w.Subscribe("s1", "100.00", "USD")
	sub.Terms[0].Number = 2
	w.Save(sub)
	w.Charge(t, "s1", 2)
	require.Empty(t, w.Pump(t, nil))
	files := &blobstest.Account{}
	service, err := payout.New(payout.Deps{Store: store.NewPayouts(w.DB), Ledger: w.Ledger, Billing: w.Billing, Statements: files, Now: w.Now})
	require.NoError(t, err)
	h := &payoutsfn.Handler{Payouts: service, Links: files, Pages: web.Pages{Key: []byte("0123456789abcdef")}, Now: w.Now}
	rt, err := web.New(web.Deps{Verifier: people{}, Accounts: people{}, Now: w.Now, NewID: storetest.Counter("request")})
	require.NoError(t, err)
	h.Portal(rt.API(web.API{Prefix: "/portal/v1", Audiences: []string{"m"}}))
	h.Operator(rt.API(web.API{Prefix: "/operator/v1", Audiences: []string{"m"}}))
	call := func(method, target, token, body string) (int, string) {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		rt.ServeHTTP(answer, r)
		return answer.Code, answer.Body.String()
	}

	w.Set(time.Date(2026, 2, 15, 6, 0, 0, 0, time.UTC))
	for range 2 { // a doubled timer is ordinary
		require.NoError(t, h.Run(t.Context(), functionshosttest.Timer(t, "payouts", "timer", false)))
	}
	work := w.Outbox.Take(message.PayoutItems)
	require.Len(t, work, 1, "the second message has the id of the first")
	require.JSONEq(t, `{"runId":"payout-commercialMarketplace-2026-02","publisherId":"contoso"}`, string(work[0].Body))
	require.NoError(t, service.ComputeItem(t.Context(), "payout-commercialMarketplace-2026-02", "contoso"))

	const list = "/portal/v1/publishers/contoso/payouts"
	status, _ := call("GET", list, "developer", "") // PAY-50
	require.Equal(t, http.StatusForbidden, status)
	status, body := call("GET", list, "owner", "")
	require.Equal(t, http.StatusOK, status, body)
	var answer struct {
		Value []struct {
			Month, State, StatementLink, PaymentID string
			Total                                  struct{ Amount int64 } `json:"totalPayment"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	require.Len(t, answer.Value, 1)
	require.Equal(t, "sent", answer.Value[0].State)
	require.Equal(t, int64(9700), answer.Value[0].Total.Amount)
	require.NotEmpty(t, answer.Value[0].StatementLink)

	for body, want := range map[string]int{`{"month":"2026-02"}`: 200, `{"month":"2026-03"}`: 409, `{"month":"x"}`: 400, ``: 400} {
		status, answer := call("POST", "/operator/v1/payoutRuns", "operator", body)
		require.Equal(t, want, status, "%s: %s", body, answer)
	}
	status, _ = call("POST", "/operator/v1/payoutRuns", "owner", `{"month":"2026-02"}`)
	require.Equal(t, http.StatusForbidden, status)
	status, _ = call("GET", list+"?limit=0", "owner", "")
	require.Equal(t, http.StatusBadRequest, status)
}
