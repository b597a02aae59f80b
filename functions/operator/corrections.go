package operator

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/web"
)

// Corrections lets staff investigate usage corrections (MTR-82).
type Corrections struct {
	Corrections *correction.Service
	Pages       web.Pages
}

// Operator mounts the routes.
func (h *Corrections) Operator(g *web.Group) {
	const one = "/operator/v1/usage-corrections/{publisherId}/{correctionId}"
	g.Handle(http.MethodGet, "/operator/v1/usage-corrections", web.Operator(), h.cases)
	g.Handle(http.MethodGet, one, web.Operator(), h.show)
	g.Handle(http.MethodPost, one+"/approve", web.Operator(), h.verdict(true))
	g.Handle(http.MethodPost, one+"/decline", web.Operator(), h.verdict(false))
}

// correctionWire is a correction as staff see it.
type correctionWire struct {
	ID          string           `json:"id"`
	PublisherID string           `json:"publisherId"`
	OfferID     string           `json:"offerId"`
	MeterID     string           `json:"meterId"`
	CustomerID  string           `json:"customerId"`
	UsageDate   string           `json:"usageDate"`
	AnomalyID   string           `json:"anomalyId,omitempty"`
	EventID     string           `json:"usageEventId,omitempty"`
	Reported    json.Number      `json:"reportedUsage"`
	NewReported json.Number      `json:"newReportedUsage"`
	Reason      string           `json:"reason,omitempty"`
	CaseType    string           `json:"caseType,omitempty"`
	State       correction.State `json:"state"`
	SubmittedAt time.Time        `json:"submittedAt"`
	SubmittedBy string           `json:"submittedBy"`
	OpenedAt    time.Time        `json:"investigationOpenedAt,omitzero"`
	DecidedAt   time.Time        `json:"decidedAt,omitzero"`
	DecidedBy   string           `json:"decidedBy,omitempty"`
	Note        string           `json:"note,omitempty"`
	CreditedAt  time.Time        `json:"creditedAt,omitzero"`
	Parts       []partWire       `json:"parts"`
}

// partWire is the share of one resource; its credit is there once it is fixed.
type partWire struct {
	ResourceID string        `json:"resourceId"`
	PlanID     string        `json:"planId"`
	Quantity   json.Number   `json:"reportedUsage"`
	Reduced    json.Number   `json:"reducedBy"`
	LineID     string        `json:"lineId,omitempty"`
	CreditID   string        `json:"creditLineId,omitempty"`
	UnitPrice  *json.Number  `json:"unitPrice,omitempty"`
	Credit     *money.Amount `json:"credit,omitempty"` // before tax
	Posted     bool          `json:"posted"`
}

func numberOf(d decimal.Decimal) json.Number { return json.Number(d.String()) }

func correctionWireOf(c correction.Correction) correctionWire {
	out := correctionWire{
		ID: c.ID, PublisherID: c.PublisherID, OfferID: c.OfferID, MeterID: c.Meter, CustomerID: c.CustomerID, UsageDate: c.UsageDate,
		AnomalyID: c.AnomalyID, EventID: c.EventID, Reported: numberOf(c.Reported), NewReported: numberOf(c.NewReported), Reason: c.Reason,
		CaseType: c.CaseType, State: c.State, SubmittedAt: c.SubmittedAt, SubmittedBy: c.SubmittedBy, OpenedAt: c.OpenedAt,
		DecidedAt: c.DecidedAt, DecidedBy: c.DecidedBy, Note: c.Note, CreditedAt: c.CreditedAt, Parts: make([]partWire, len(c.Parts)),
	}
	for i, p := range c.Parts {
		out.Parts[i] = partWire{
			ResourceID: p.ResourceID, PlanID: p.PlanID, Quantity: numberOf(p.Quantity), Reduced: numberOf(p.Reduced),
			LineID: p.LineID, CreditID: p.CreditID, Posted: p.Posted,
		}
		if p.LineID != "" {
			price := numberOf(p.UnitPrice)
			out.Parts[i].UnitPrice, out.Parts[i].Credit = &price, &money.Amount{Minor: p.Net, Currency: p.Currency}
		}
	}
	return out
}

const (
	casesPage = 50
	casesMost = 200
)

// cases answers the corrections under investigation, the oldest first.
func (h *Corrections) cases(w http.ResponseWriter, r *http.Request) error {
	query, limit := r.URL.Query(), casesPage
	if text := query.Get("top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > casesMost {
			return fault.New(fault.Invalid, "InvalidValue", "top", "must be a whole number from 1 to %d", casesMost)
		}
		limit = n
	}
	const scope = "usage-corrections"
	after, err := h.Pages.Decode(scope, query.Get("continuation"))
	if err != nil {
		return err
	}
	list, next, err := h.Corrections.Cases(r.Context(), after, limit)
	if err != nil {
		return err
	}
	out := make([]correctionWire, len(list))
	for i, c := range list {
		out[i] = correctionWireOf(c)
	}
	return web.WriteJSON(w, http.StatusOK, web.Page[correctionWire]{Value: out, Continuation: h.Pages.Encode(scope, next)})
}

// show answers one correction with what was credited.
func (h *Corrections) show(w http.ResponseWriter, r *http.Request) error {
	c, err := h.Corrections.Correction(r.Context(), r.PathValue("publisherId"), r.PathValue("correctionId"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, correctionWireOf(c))
}

// verdict ends an investigation: 200 with the correction, also when the verdict was given before.
func (h *Corrections) verdict(approve bool) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in struct {
			Note string `json:"note"`
		}
		if err := web.DecodeOptional(r, &in); err != nil {
			return err
		}
		caller := web.Caller(r.Context())
		c, err := h.Corrections.Decide(r.Context(), correction.Verdict{
			PublisherID: r.PathValue("publisherId"), CorrectionID: r.PathValue("correctionId"), Approve: approve, Note: in.Note,
			By: cmp.Or(caller.UPN, caller.AppID, caller.ObjectID),
		})
		if err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, correctionWireOf(c))
	}
}
