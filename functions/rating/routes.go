package rating

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/web"
)

// Operator mounts what staff see of the ledger.
func (h *Handler) Operator(g *web.Group) {
	g.Handle(http.MethodGet, "/operator/v1/ledger/accounts/{account}", web.Operator(), h.account)
	g.Handle(http.MethodGet, "/operator/v1/ledger/cycles/{resourceId}", web.Operator(), h.cycles)
	g.Handle(http.MethodPut, "/operator/v1/fxRates/{date}", web.Operator(), h.setRates)
}

// accountPage is a page of an account. The balance is debit minus credit.
type accountPage struct {
	Account      string          `json:"account"`
	Currency     string          `json:"currency"`
	Debit        int64           `json:"debit"`
	Credit       int64           `json:"credit"`
	Balance      int64           `json:"balance"`
	Postings     []billing.Entry `json:"postings"`
	Continuation string          `json:"continuation,omitempty"`
}

func (h *Handler) account(w http.ResponseWriter, r *http.Request) error {
	currency := strings.ToUpper(r.URL.Query().Get("currency"))
	if _, ok := money.MinorUnits(currency); !ok {
		return fault.New(fault.Invalid, "InvalidValue", "currency", "must be an ISO 4217 code, such as USD")
	}
	account := r.PathValue("account")
	scope := "account|" + account + "|" + currency
	after, limit, err := h.page(r, scope)
	if err != nil {
		return err
	}
	s, err := h.Billing.Account(r.Context(), account, currency, after, limit)
	if err != nil {
		return err
	}
	if s.Entries == nil {
		s.Entries = []billing.Entry{}
	}
	return web.WriteJSON(w, http.StatusOK, accountPage{
		Account: s.Account, Currency: s.Currency, Debit: s.Debit, Credit: s.Credit, Balance: s.Debit - s.Credit,
		Postings: s.Entries, Continuation: h.Pages.Encode(scope, s.Next),
	})
}

// cycles shows the metered cycles of a resource, with the running quantities of those that are open.
func (h *Handler) cycles(w http.ResponseWriter, r *http.Request) error {
	id := strings.ToLower(r.PathValue("resourceId"))
	after, limit, err := h.page(r, "cycles|"+id)
	if err != nil {
		return err
	}
	list, next, err := h.Billing.Cycles(r.Context(), id, after, limit)
	if err != nil {
		return err
	}
	if list == nil {
		list = []billing.Cycle{}
	}
	return web.WriteJSON(w, http.StatusOK, web.Page[billing.Cycle]{Value: list, Continuation: h.Pages.Encode("cycles|"+id, next)})
}

// setRates keeps the rates of a day: {"EUR":"0.90"}, units per USD. A rate that is kept is never changed.
func (h *Handler) setRates(w http.ResponseWriter, r *http.Request) error {
	var in map[string]json.RawMessage
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	if len(in) == 0 {
		return fault.New(fault.Invalid, "MissingValue", "", "must hold at least one rate, such as {\"EUR\":\"0.90\"}")
	}
	rates := map[string]decimal.Decimal{}
	for currency, raw := range in {
		rate, err := decimal.NewFromString(strings.Trim(string(raw), `"`))
		_, known := money.MinorUnits(currency)
		if err != nil || !known || currency == "USD" || rate.Sign() <= 0 || rate.Exponent() < -8 || rate.NumDigits() > rateDigits || rate.Exponent() > rateDigits {
			return fault.New(fault.Invalid, "InvalidValue", currency, "must be a known currency other than USD, with a rate above 0 of 8 decimals and %d digits at most", rateDigits)
		}
		rates[currency] = rate
	}
	if err := h.Rates.SetRates(r.Context(), r.PathValue("date"), rates); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	rateDigits  = 18
	defaultPage = 100
	largestPage = 1000
)

// page reads the paging parameters of a list.
func (h *Handler) page(r *http.Request, scope string) (after string, limit int, err error) {
	limit = defaultPage
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > largestPage {
			return "", 0, fault.New(fault.Invalid, "InvalidValue", "limit", "must be a number from 1 to %d", largestPage)
		}
	}
	after, err = h.Pages.Decode(scope, r.URL.Query().Get("continuation"))
	return after, limit, err
}
