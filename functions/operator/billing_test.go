package operator_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/operator"
	"stoa/shared/billing"
	"stoa/shared/billing/billingtest"
	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/web"
)

const payer = "adadadad-0000-4000-8000-000000000003"

func ask(t *testing.T, w *billingtest.World, as, method, path, body string) (int, map[string]any) {
	t.Helper()
	rt, err := web.New(web.Deps{Verifier: staff{}, Accounts: staff{}, Now: time.Now, NewID: func() string { return "id" }})
	require.NoError(t, err)
	(&operator.Billing{Billing: w.Billing, Cards: w.Cards}).Operator(rt.API(web.API{Prefix: "/operator/v1"}))
	q := httptest.NewRequest(method, path, strings.NewReader(body))
	q.Header.Set("Authorization", "Bearer "+as)
	answer := httptest.NewRecorder()
	rt.ServeHTTP(answer, q)
	var out map[string]any
	_ = json.Unmarshal(answer.Body.Bytes(), &out) // 204 has none
	return answer.Code, out
}

// A customer whose card is declined by word of staff, and pays when the word changes.
func TestStaffAndTheInstrument(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC))
	sub := w.Subscribe("s1", "10.00", "USD")
	sub.Purchaser.TenantID, sub.Terms[0].Number = payer, 2
	w.Save(sub)
	const card = "/operator/v1/billing/instruments/" + payer
	get := func(path string) map[string]any {
		t.Helper()
		status, body := ask(t, w, "staff", "GET", path, "")
		require.Equal(t, 200, status, "%v", body)
		return body
	}
	require.Equal(t, "valid", get(card)["state"])
	status, _ := ask(t, w, "staff", "PUT", card, `{"state":"declined","next":["expired"]}`)
	require.Equal(t, 204, status)
	require.NoError(t, w.Billing.ChargeTerm(t.Context(), "s1", 2))
	require.Empty(t, w.Pump(t, nil))
	require.Equal(t, []any{[]any{}, map[string]any{}}, []any{get(card)["next"], get(card)["taken"]})
	require.Equal(t, "due", get("/operator/v1/billing/collections/s1")["state"])
	status, _ = ask(t, w, "staff", "PUT", card, `{"state":"valid"}`)
	require.Equal(t, 204, status)
	require.Empty(t, w.Pump(t, nil)) // BIL-61: at once
	require.Equal(t, map[string]any{"USD": float64(1000)}, get(card)["taken"])
	require.Equal(t, []any{"clear", []any{}}, []any{get("/operator/v1/billing/collections/s1")["state"], get("/operator/v1/billing/collections/s1")["bills"]})
	verified := get("/operator/v1/ledger/verify?account=platform:cash&currency=usd")
	require.Equal(t, []any{float64(1), nil}, []any{verified["entries"], verified["break"]}, "BIL-98")
	require.Equal(t, []any{}, get("/operator/v1/ledger/invariants/contoso")["breaches"], "BIL-97")

	_, err := w.Cards.Capture(t.Context(), billing.Payment{Key: "k", BillingAccount: payer, Amount: sum(5)})
	require.NoError(t, err)
	_, err = w.Cards.Capture(t.Context(), billing.Payment{Key: "k", BillingAccount: payer, Amount: sum(6)})
	require.Equal(t, "PaymentConflict", fault.As(err).Code)
}

func TestBadInputOfBilling(t *testing.T) {
	t.Parallel()
	w := billingtest.New(t, time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		method, path, body string
		status             int
		code, target       string
	}{
		{"GET", "/operator/v1/billing/instruments/adatum", "", 400, "InvalidValue", "billingAccountId"},
		{"PUT", "/operator/v1/billing/instruments/adatum", `{"state":"valid"}`, 400, "InvalidValue", "billingAccountId"},
		{"PUT", "/operator/v1/billing/instruments/" + payer, `{}`, 400, "InvalidValue", "state"},
		{"PUT", "/operator/v1/billing/instruments/" + payer, `{"state":"poor"}`, 400, "InvalidValue", "state"},
		{"PUT", "/operator/v1/billing/instruments/" + payer, `{"state":5}`, 400, "InvalidType", "state"},
		{"PUT", "/operator/v1/billing/instruments/" + payer, `{"state":"valid","next":"declined"}`, 400, "InvalidType", "next"},
		{"PUT", "/operator/v1/billing/instruments/" + payer, `{"state":"valid","next":["valid","poor"]}`, 400, "InvalidValue", "next[1]"},
		{"PUT", "/operator/v1/billing/instruments/" + payer, `{"state":"valid","next":[` + strings.Repeat(`"valid",`, 100) + `"valid"]}`, 400, "InvalidValue", "next"},
		{"GET", "/operator/v1/billing/collections/nothing", "", 404, "NotFound", "subscriptionId"},
		{"GET", "/operator/v1/ledger/verify?account=platform:cash", "", 400, "InvalidValue", "currency"},
		{"GET", "/operator/v1/ledger/verify?currency=USD", "", 400, "InvalidValue", "account"},
		{"GET", "/operator/v1/ledger/verify?account=platform:cash&currency=USD", "", 404, "NotFound", "account"},
	} {
		status, body := ask(t, w, "staff", c.method, c.path, c.body)
		require.Equal(t, c.status, status, "%s %s: %v", c.path, c.body, body)
		problem, _ := body["error"].(map[string]any)
		target, _ := problem["target"].(string)
		require.Equal(t, []any{c.code, c.target}, []any{problem["code"], target}, "%s %s", c.path, c.body)
		status, _ = ask(t, w, "somebody", c.method, c.path, c.body)
		require.Equal(t, 403, status, c.path)
	}
}

func sum(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: "USD"} }
