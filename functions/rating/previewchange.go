package rating

import (
	"context"
	"net/http"

	"stoa/shared/account"
	"stoa/shared/billing"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

// Changes computes subscriptions as a change would make them.
type Changes interface {
	PreviewChange(ctx context.Context, caller account.Caller, id string, to subscription.Target) (subscription.Subscription, error)
}

// Previews serves what a change of a subscription would cost (BIL-54).
type Previews struct {
	Changes Changes
	Billing *billing.Service
}

// Storefront mounts what customers may ask.
func (h *Previews) Storefront(g *web.Group) {
	g.Handle(http.MethodPost, "/storefront/v1/subscriptions/{id}/previewChange", web.Customer(), h.previewChange)
}

// wireChange is what would be on the bill, in minor units of the currency.
type wireChange struct {
	Currency string       `json:"currency"`
	Lines    []wireLine   `json:"lines"`
	Net      int64        `json:"net"`
	Tax      int64        `json:"tax"`
	Total    int64        `json:"total"`
	Credit   int64        `json:"creditUsed"`
	DueNow   int64        `json:"dueNow"`
	Renewal  *wireRenewal `json:"nextRenewal"` // null for a subscription that does not renew
}

type wireLine struct {
	ChargeType  string `json:"chargeType"`
	PlanID      string `json:"planId"`
	Quantity    string `json:"quantity"`
	UnitPrice   string `json:"unitPrice"`
	PeriodStart string `json:"periodStart"`
	PeriodEnd   string `json:"periodEnd"`
	Net         int64  `json:"net"`
	Tax         int64  `json:"tax"`
}

type wireRenewal struct {
	Date   string `json:"date"`
	Amount int64  `json:"amount"`
}

// previewChange answers what another plan, or another number of seats, would cost from now on. It is refused like the
// change itself, and changes nothing.
func (h *Previews) previewChange(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		PlanID   string `json:"planId"`
		Quantity *int   `json:"quantity"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	to := subscription.Target{PlanID: in.PlanID}
	if in.Quantity != nil {
		to.Seats = subscription.Seats{Given: true, Count: *in.Quantity}
	}
	would, err := h.Changes.PreviewChange(r.Context(), web.Caller(r.Context()), r.PathValue("id"), to)
	if err != nil {
		return err
	}
	p, err := h.Billing.Preview(r.Context(), would)
	if err != nil {
		return err
	}
	out := wireChange{Currency: would.Currency, Lines: make([]wireLine, len(p.Lines)), Total: p.Total.Minor, Credit: p.Credit.Minor, DueNow: p.DueNow.Minor}
	for i, l := range p.Lines {
		out.Lines[i] = wireLine{l.ChargeType, l.PlanID, l.Quantity.String(), l.UnitPrice.String(), l.PeriodStart, l.PeriodEnd, l.Net, l.Tax}
		out.Net, out.Tax = out.Net+l.Net, out.Tax+l.Tax
	}
	if p.RenewsOn != "" {
		out.Renewal = &wireRenewal{p.RenewsOn, p.Renewal.Minor}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}
