package payouts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"

	payoutsfn "stoa/functions/payouts"
	"stoa/infra"
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

	w.Set(time.Date(2026, 2, 5, 8, 0, 0, 0, time.UTC)) // PAY-21
	for range 2 {                                      // a doubled timer is ordinary
		require.NoError(t, h.Run(t.Context(), functionshosttest.Timer(t, "payouts", "timer", false)))
	}
	work := w.Outbox.Take(message.PayoutItems)
	require.Len(t, work, 1, "the second message has the id of the first")
	require.JSONEq(t, `{"kind":"list","runId":"payout-commercialMarketplace-2026-02"}`, string(work[0].Body))
	require.NoError(t, service.List(t.Context(), "payout-commercialMarketplace-2026-02", 0))
	work = w.Outbox.Take(message.PayoutItems)
	require.Len(t, work, 1)
	require.JSONEq(t, `{"runId":"payout-commercialMarketplace-2026-02","publisherId":"contoso"}`, string(work[0].Body))
	require.NoError(t, service.ComputeItem(t.Context(), "payout-commercialMarketplace-2026-02", "contoso"))
	w.Set(time.Date(2026, 2, 13, 8, 0, 0, 0, time.UTC))
	require.NoError(t, service.SendItem(t.Context(), "payout-commercialMarketplace-2026-02", "contoso"))

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

// The timer's schedule is the cut-off of every month (PAY-21), and comes once in it.
func TestScheduleIsTheCutoff(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("function.json")
	require.NoError(t, err)
	var file struct {
		Bindings []struct{ Schedule string }
	}
	require.NoError(t, json.Unmarshal(data, &file))
	require.Equal(t, infra.All.Schedules["payouts"], file.Bindings[0].Schedule)
	schedule, err := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(file.Bindings[0].Schedule)
	require.NoError(t, err)
	at := time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)
	for month := 1; month <= 12; month++ {
		at = schedule.Next(at)
		want := payout.Month(fmt.Sprintf("2026-%02d", month))
		require.Equal(t, want.Cutoff(), at, "PAY-21 %s", want)
		require.Equal(t, want, payout.Due(at))
	}
}

// A timer that is no timer opens nothing.
func TestPoison(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, time.Date(2026, 2, 5, 8, 0, 0, 0, time.UTC))
	service, err := payout.New(payout.Deps{Store: store.NewPayouts(w.DB), Ledger: w.Ledger, Billing: w.Billing, Statements: &blobstest.Account{}, Now: w.Now})
	require.NoError(t, err)
	h := &payoutsfn.Handler{Payouts: service, Now: w.Now}
	require.Error(t, h.Run(t.Context(), functionshosttest.Queue(t, "payouts", "message", "{", 1)))
	_, err = store.NewPayouts(w.DB).Run(t.Context(), payout.Month("2026-02").RunID())
	require.True(t, fault.Is(err, fault.NotFound))
	require.Empty(t, w.Outbox.Messages(message.PayoutItems))
}
