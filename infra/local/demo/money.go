package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// feesOfTheWalk is 3 % of what was charged, in cents: the first term, on plan plus since its first day (6.00), its
// renewal (6.00), the converted trial (0.60), 2.5 units of e-mail at 0.50 (0.04) and 100 texts at 0.01 (0.03).
// As a balance, debit minus credit: what others on the same stack bought and got back leaves nothing.
const feesOfTheWalk = "-1267"

// month lets 31 days pass: the trial converts and is charged, the month's usage is closed.
func (w *Walk) month(ctx context.Context) error {
	if err := w.pass(ctx, "P31D"); err != nil {
		return err
	}
	// Killed in the middle: due work, messages and postings are under way now.
	w.stack.Host.KillHandler()
	fmt.Fprintln(w.out, "         the handler is killed")
	read := request{method: http.MethodGet, path: fulfillment + "/" + w.trial + version, token: w.publisher, want: http.StatusOK}
	if _, err := w.until(ctx, read, "trial converted", func(a answer) bool { return a.text("isFreeTrial") == "false" }); err != nil {
		return err
	}
	cycles := request{method: http.MethodGet, path: "/operator/v1/ledger/cycles/" + w.metered, token: w.operator, want: http.StatusOK}
	if _, err := w.until(ctx, cycles, "usage closed", func(a answer) bool { return strings.Contains(string(a.raw), `"closed"`) }); err != nil {
		return err
	}
	fees := request{method: http.MethodGet, path: "/operator/v1/ledger/accounts/platform:revenue:storeFee?currency=USD", token: w.operator, want: http.StatusOK}
	a, err := w.until(ctx, fees, "3 % of everything, once", func(a answer) bool { return a.text("balance") == feesOfTheWalk })
	if err == nil {
		fmt.Fprintf(w.out, "         %s\n", clip(string(a.raw), 200))
	}
	return err
}

// pass moves the clock and signs in again, because tokens live an hour.
func (w *Walk) pass(ctx context.Context, by string) error {
	if err := w.advance(ctx, by); err != nil {
		return err
	}
	return w.signIn(ctx)
}

// payout lets the holding period pass: the monthly run writes one statement, and again it changes nothing.
func (w *Walk) payout(ctx context.Context) error {
	if err := w.pass(ctx, "P62D"); err != nil {
		return err
	}
	contoso, _ := w.stack.Fixtures.Publisher(publisherID)
	finance, err := w.userToken(ctx, contoso.TenantID, "fin.contributor@contoso.example", "fin")
	if err != nil {
		return err
	}
	list := request{method: http.MethodGet, path: "/portal/v1/publishers/contoso/payouts", token: finance, want: http.StatusOK}
	first, err := w.until(ctx, list, "statement written", func(a answer) bool { return strings.Contains(string(a.raw), "statementLink") })
	if err != nil {
		return err
	}
	month, err := latestMonth(first)
	if err != nil {
		return err
	}
	if err := w.do(ctx, request{method: http.MethodPost, path: "/operator/v1/payoutRuns", token: w.operator, body: object{"month": month}, want: http.StatusOK}); err != nil {
		return err
	}
	again, err := w.must(ctx, list)
	if err != nil {
		return err
	}
	if n, m := strings.Count(string(first.raw), "statementLink"), strings.Count(string(again.raw), "statementLink"); n != m {
		return fmt.Errorf("the run was repeated and made %d statements of %d", m, n)
	}
	fmt.Fprintf(w.out, "         %s\n", clip(string(again.raw), 300))
	return nil
}

// Pass moves the clock and signs in again, for tests and measurements.
func (w *Walk) Pass(ctx context.Context, by string) error { return w.pass(ctx, by) }

// latestMonth is that of the newest payout of a list.
func latestMonth(list answer) (string, error) {
	var page struct {
		Value []struct {
			Month string `json:"month"`
		} `json:"value"`
	}
	if err := json.Unmarshal(list.raw, &page); err != nil || len(page.Value) == 0 {
		return "", fmt.Errorf("no payout is listed in %s", clip(string(list.raw), 300))
	}
	return page.Value[0].Month, nil
}
