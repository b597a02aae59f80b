package dev

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// customer is a person of the local stack's fixtures who buys.
type customer struct {
	UPN      string `json:"upn"`
	TenantID string `json:"tenantId"`
	ObjectID string `json:"objectId"`
	Market   string `json:"market"` // where they buy unless the order says otherwise
}

func (c customer) caller() account.Caller {
	return account.Caller{Kind: account.User, TenantID: c.TenantID, ObjectID: c.ObjectID, UPN: c.UPN}
}

//go:embed customers.json
var customersJSON []byte

// customers are the fixtures' customers; the first one buys when no other is named.
var customers = readCustomers(customersJSON)

func readCustomers(raw []byte) []customer {
	var all []customer
	if err := json.Unmarshal(raw, &all); err != nil || len(all) == 0 {
		panic(fmt.Sprintf("customers.json: %d customers, %v", len(all), err))
	}
	return all
}

func findCustomer(upn string) (customer, error) {
	names := make([]string, len(customers))
	for i, c := range customers {
		if upn == "" || strings.EqualFold(upn, c.UPN) {
			return c, nil
		}
		names[i] = c.UPN
	}
	return customer{}, fault.New(fault.Invalid, subscription.CodeInvalid, "customer", "must be one of %s", strings.Join(names, ", "))
}

// order is a purchase; what is left out is as a customer would have it.
type order struct {
	Customer    string   `json:"customer"` // UPN of a customer of the fixtures
	PublisherID string   `json:"publisherId"`
	OfferID     string   `json:"offerId"`
	PlanID      string   `json:"planId"`
	Quantity    quantity `json:"quantity"`
	TermUnit    string   `json:"termUnit"`
	Market      string   `json:"market"`
	Name        string   `json:"subscriptionName"`
	AutoRenew   *bool    `json:"autoRenew"`
}

func (in order) of(buyer customer) subscription.Order {
	or := func(given, usual string) string {
		if strings.TrimSpace(given) == "" {
			return usual
		}
		return given
	}
	return subscription.Order{
		Buyer: buyer.caller(), PublisherID: in.PublisherID, OfferID: in.OfferID, PlanID: in.PlanID, Seats: subscription.Seats(in.Quantity),
		TermUnit: or(in.TermUnit, subscription.Monthly), Market: strings.ToUpper(or(in.Market, buyer.Market)),
		Name:          or(in.Name, strings.TrimSpace(in.OfferID+" "+in.PlanID)),
		PaymentMethod: "card", AcceptedTerms: []string{subscription.StandardContract}, AutoRenew: in.AutoRenew == nil || *in.AutoRenew,
	}
}

type purchaseWire struct {
	SubscriptionID string              `json:"subscriptionId"`
	Status         subscription.Status `json:"saasSubscriptionStatus"`
	Customer       string              `json:"customer"`
	LandingURL     string              `json:"landingUrl"`
}

// purchase buys a plan as a customer of the fixtures and answers where their browser goes next: the publisher's
// landing page with a token (FUL-14, FUL-18).
func (h *Handler) purchase(w http.ResponseWriter, r *http.Request) error {
	var in order
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	buyer, err := findCustomer(in.Customer)
	if err != nil {
		return err
	}
	sub, err := h.buy(r.Context(), in.of(buyer))
	if err != nil {
		return err
	}
	address, err := h.open(r.Context(), &sub)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store") // the token opens the purchase
	return web.WriteJSON(w, http.StatusCreated, purchaseWire{sub.ID, sub.Status, buyer.UPN, address})
}

// buy places an order. Who clicks through accepts whatever terms are asked for, mostly the standard contract.
func (h *Handler) buy(ctx context.Context, o subscription.Order) (subscription.Subscription, error) {
	sub, err := h.Subscriptions.Purchase(ctx, o)
	if err == nil || fault.As(err).Code != subscription.CodeTermsNotAccepted {
		return sub, err
	}
	terms, err := h.Subscriptions.Terms(ctx, subscription.Shelf{Buyer: o.Buyer, PublisherID: o.PublisherID, OfferID: o.OfferID, PlanID: o.PlanID})
	if err != nil {
		return sub, err
	}
	for _, d := range terms {
		o.AcceptedTerms = append(o.AcceptedTerms, d.ID)
	}
	return h.Subscriptions.Purchase(ctx, o)
}

// open makes the address of the landing page with a new token: Configure before activation, Manage after it.
func (h *Handler) open(ctx context.Context, sub *subscription.Subscription) (string, error) {
	reason := subscription.ReasonManage
	if sub.Status == subscription.PendingFulfillmentStart {
		reason = subscription.ReasonConfigure
	}
	address, err := h.Subscriptions.Landing(ctx, buyerOf(sub), sub.ID, reason)
	return address, about(err, "id")
}

// buyerOf is the person who bought a subscription.
func buyerOf(sub *subscription.Subscription) account.Caller {
	p := sub.Purchaser
	return account.Caller{Kind: account.User, TenantID: p.TenantID, ObjectID: p.ObjectID, UPN: p.EmailID}
}

// quantity is a number of seats in a body: a whole number or its digits; null and "" count as absent.
type quantity subscription.Seats

// UnmarshalJSON reads a quantity. Anything else than a whole number is InvalidValue.
func (q *quantity) UnmarshalJSON(data []byte) error {
	text := string(data)
	if data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	if *q = (quantity{}); text == "null" || text == "" {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fault.New(fault.Invalid, subscription.CodeInvalid, "quantity", "must be a whole number")
	}
	*q = quantity{Given: true, Count: int(n)}
	return nil
}
