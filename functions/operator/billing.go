package operator

import (
	"context"
	"net/http"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/web"
)

// Cards are the means of payment of customers.
type Cards interface {
	Card(ctx context.Context, billingAccount string) (billing.Card, error)
	SetCard(ctx context.Context, billingAccount string, c billing.Card) error
	// Payments is what was taken less what was given back, in minor units by currency.
	Payments(ctx context.Context, billingAccount string) (map[string]int64, error)
}

// Billing lets staff say what customers' means of payment do, and see what is due and whether the ledger holds
// (BIL-61, BIL-97, BIL-98).
type Billing struct {
	Billing *billing.Service
	Cards   Cards
}

// Operator mounts the routes.
func (h *Billing) Operator(g *web.Group) {
	g.Handle(http.MethodGet, "/operator/v1/billing/instruments/{billingAccountId}", web.Operator(), h.card)
	g.Handle(http.MethodPut, "/operator/v1/billing/instruments/{billingAccountId}", web.Operator(), h.setCard)
	g.Handle(http.MethodGet, "/operator/v1/billing/collections/{subscriptionId}", web.Operator(), h.collection)
	g.Handle(http.MethodGet, "/operator/v1/ledger/verify", web.Operator(), h.verify)
	g.Handle(http.MethodGet, "/operator/v1/ledger/invariants/{publisherId}", web.Operator(), h.check)
}

// cardWire is a means of payment as staff see it.
type cardWire struct {
	BillingAccountID string              `json:"billingAccountId"`
	State            billing.CardState   `json:"state"`
	Next             []billing.CardState `json:"next"`
	ChangedAt        time.Time           `json:"changedAt,omitzero"`
	Taken            map[string]int64    `json:"taken"` // less what was given back, in minor units
}

// billingAccount is that of the path.
func billingAccount(r *http.Request) (string, error) {
	id := account.GUID(r.PathValue("billingAccountId"))
	if id == "" {
		return "", fault.New(fault.Invalid, "InvalidValue", "billingAccountId", "must be the GUID of the customer's directory")
	}
	return id, nil
}

func (h *Billing) card(w http.ResponseWriter, r *http.Request) error {
	id, err := billingAccount(r)
	if err != nil {
		return err
	}
	c, err := h.Cards.Card(r.Context(), id)
	if err != nil {
		return err
	}
	taken, err := h.Cards.Payments(r.Context(), id)
	if err != nil {
		return err
	}
	if c.Next == nil {
		c.Next = []billing.CardState{}
	}
	return web.WriteJSON(w, http.StatusOK, cardWire{BillingAccountID: id, State: c.State, Next: c.Next, ChangedAt: c.ChangedAt, Taken: taken})
}

// setCard sets the state of a means of payment, and what the next captures meet. What is due is asked for again.
func (h *Billing) setCard(w http.ResponseWriter, r *http.Request) error {
	id, err := billingAccount(r)
	if err != nil {
		return err
	}
	var in struct {
		State billing.CardState   `json:"state"`
		Next  []billing.CardState `json:"next"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	c := billing.Card{State: in.State, Next: in.Next}
	if err := c.Check(); err != nil {
		return err
	}
	if err := h.Cards.SetCard(r.Context(), id, c); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// collection shows what the customer of a subscription is asked for.
func (h *Billing) collection(w http.ResponseWriter, r *http.Request) error {
	c, err := h.Billing.Collection(r.Context(), strings.ToLower(r.PathValue("subscriptionId")))
	if err != nil {
		return err
	}
	if c.Bills == nil {
		c.Bills = []billing.Bill{}
	}
	return web.WriteJSON(w, http.StatusOK, c)
}

// verify walks the chains of an account: GET ?account=publisher:contoso:payable&currency=USD.
func (h *Billing) verify(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	currency := strings.ToUpper(query.Get("currency"))
	if _, known := money.MinorUnits(currency); !known {
		return fault.New(fault.Invalid, "InvalidValue", "currency", "must be an ISO 4217 code, such as USD")
	}
	if query.Get("account") == "" {
		return fault.New(fault.Invalid, "InvalidValue", "account", "must be the path of an account, such as platform:cash")
	}
	v, err := h.Billing.Verify(r.Context(), query.Get("account"), currency)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, v)
}

// check finds what breaks the invariants of a publisher's journal.
func (h *Billing) check(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("publisherId")
	breaches, err := h.Billing.Check(r.Context(), id)
	if err != nil {
		return err
	}
	if breaches == nil {
		breaches = []billing.Breach{}
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		PublisherID string           `json:"publisherId"`
		Breaches    []billing.Breach `json:"breaches"`
	}{id, breaches})
}
