package portal

import (
	"bytes"
	"encoding/json"
	"net/http"

	"stoa/shared/account"
	"stoa/shared/dimension"
	"stoa/shared/dimension/draft"
	"stoa/shared/fault"
	"stoa/shared/offer"
	"stoa/shared/web"
)

const (
	mayReadOffers account.Permission = "offer.read"
	mayEditOffers account.Permission = "offer.edit"
)

// Meters serves the dimensions of offers, their meters on plans, and the price workbook (6.5; MTR-1 to MTR-19).
type Meters struct {
	Dimensions *draft.Service
}

// Portal mounts the routes.
func (h *Meters) Portal(g *web.Group) {
	const one = "/portal/v1/publishers/{publisherId}/offers/{offerId}"
	g.Handle(http.MethodGet, one+"/dimensions", web.Publisher(mayReadOffers), h.list)
	g.Handle(http.MethodPost, one+"/dimensions", web.Publisher(mayEditOffers), h.add)
	g.Handle(http.MethodPut, one+"/dimensions/{dimensionId}", web.Publisher(mayEditOffers), h.change)
	g.Handle(http.MethodDelete, one+"/dimensions/{dimensionId}", web.Publisher(mayEditOffers), h.remove)
	g.Handle(http.MethodPut, one+"/plans/{planId}/meters/{dimensionId}", web.Publisher(mayEditOffers), h.set)
	g.Handle(http.MethodGet, one+"/plans/{planId}/meters/prices", web.Publisher(mayReadOffers), h.export)
	g.Handle(http.MethodPut, one+"/plans/{planId}/meters/prices", web.Publisher(mayEditOffers), h.load)
}

// wireDimension is a dimension with what each plan of the offer makes of it.
type wireDimension struct {
	dimension.Dimension
	Locked bool        `json:"locked"`
	Plans  []wireMeter `json:"plans"`
}

// wireMeter is a dimension on a plan (3.2).
type wireMeter struct {
	PlanID       string       `json:"planId"`
	DimensionID  string       `json:"dimensionId"`
	Enabled      bool         `json:"enabled"`
	Price        string       `json:"price"`           // as the portal shows it
	PriceUSD     *json.Number `json:"pricePerUnitUsd"` // null where there is none
	Monthly      any          `json:"monthlyIncluded"` // a whole number, or "infinite"
	Annual       any          `json:"annualIncluded"`
	NeverCharged bool         `json:"neverCharged"`
	Locked       bool         `json:"locked"`
}

func shownDimension(o *dimension.Offer, d dimension.Dimension) wireDimension {
	out := wireDimension{Dimension: d, Locked: o.Locked(d.ID), Plans: make([]wireMeter, len(o.Plans))}
	for i := range o.Plans {
		out.Plans[i] = shownMeter(o, &o.Plans[i], d.ID)
	}
	return out
}

func shownMeter(o *dimension.Offer, p *dimension.Plan, dimensionID string) wireMeter {
	m, ok := p.Meter(dimensionID)
	out := wireMeter{
		PlanID: p.ID, DimensionID: dimensionID, Enabled: m.Enabled, Monthly: included(m.Monthly()), Annual: included(m.Annual()),
		NeverCharged: p.NeverCharged(m), Locked: o.PlanLocked(p.ID),
	}
	if ok {
		out.Price = p.PriceText(m)
	}
	if ok && !out.NeverCharged {
		price := number(m.PricePerUnitUSD)
		out.PriceUSD = &price
	}
	return out
}

func included(i dimension.Included) any {
	if i.Infinite {
		return i.String()
	}
	return i.Units
}

// list answers the dimensions of an offer, in the order in which they were added.
func (h *Meters) list(w http.ResponseWriter, r *http.Request) error {
	o, err := h.Dimensions.Read(r.Context(), r.PathValue("publisherId"), r.PathValue("offerId"))
	if err != nil {
		return err
	}
	out := struct {
		Value []wireDimension `json:"value"`
		Limit int             `json:"limit"`
	}{make([]wireDimension, len(o.Dimensions)), dimension.Most}
	for i, d := range o.Dimensions {
		out.Value[i] = shownDimension(&o.Offer, d)
	}
	web.SetETag(w, o.Tag)
	return web.WriteJSON(w, http.StatusOK, out)
}

// ref names the draft of the request.
func ref(r *http.Request) offer.DraftRef {
	return offer.DraftRef{PublisherID: r.PathValue("publisherId"), OfferID: r.PathValue("offerId"), IfMatch: web.IfMatch(r), By: who(r)}
}

// meterBody says how a plan meters a dimension. Numbers may come as texts.
type meterBody struct {
	Enabled *bool           `json:"enabled"` // nothing: it is
	Price   json.RawMessage `json:"pricePerUnitUsd"`
	Monthly json.RawMessage `json:"monthlyIncluded"`
	Annual  json.RawMessage `json:"annualIncluded"`
}

func (b *meterBody) setting() (dimension.Setting, error) {
	out := dimension.Setting{Enabled: b.Enabled == nil || *b.Enabled}
	var found fault.Findings
	note := func(err error) {
		if err != nil {
			f := fault.As(err)
			found.Add(f.Code, f.Target, "%s", f.Message)
		}
	}
	price, err := scalar("pricePerUnitUsd", b.Price)
	if err == nil {
		out.Price, err = dimension.ParsePrice("pricePerUnitUsd", price)
	}
	note(err)
	for _, q := range []struct {
		target string
		raw    json.RawMessage
		into   *dimension.Included
	}{{"monthlyIncluded", b.Monthly, &out.Monthly}, {"annualIncluded", b.Annual, &out.Annual}} {
		text, err := scalar(q.target, q.raw)
		if err == nil {
			*q.into, err = dimension.ParseIncluded(q.target, text)
		}
		note(err)
	}
	return out, found.Err(fault.Invalid, dimension.CodeInvalid, "Some values are not allowed.")
}

// scalar is the text of a number or a string; nothing and null are empty.
func scalar(target string, raw json.RawMessage) (string, error) {
	switch raw = bytes.TrimSpace(raw); {
	case len(raw) == 0 || string(raw) == "null":
		return "", nil
	case raw[0] == '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	case raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9':
		return string(raw), nil
	}
	return "", fault.New(fault.Invalid, offer.CodeType, target, "The value must be a number.")
}

// add adds a dimension, and with a planId its meter on that plan: 201 (MTR-9).
func (h *Meters) add(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		dimension.Dimension
		meterBody
		PlanID string `json:"planId"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	var on *draft.On
	if in.PlanID != "" {
		setting, err := in.setting()
		if err != nil {
			return err
		}
		on = &draft.On{PlanID: in.PlanID, Setting: setting}
	}
	o, err := h.Dimensions.Add(r.Context(), ref(r), in.Dimension, on)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/portal/v1/publishers/"+r.PathValue("publisherId")+"/offers/"+r.PathValue("offerId")+"/dimensions/"+in.ID)
	return answer(w, http.StatusCreated, o, in.ID)
}

func answer(w http.ResponseWriter, status int, o draft.Saved, dimensionID string) error {
	d, err := o.Dimension(dimensionID)
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag)
	return web.WriteJSON(w, status, shownDimension(&o.Offer, d))
}

// change gives a dimension a name and a unit, and another ID when the body has one (MTR-10, MTR-11).
func (h *Meters) change(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("dimensionId")
	to := dimension.Dimension{ID: id}
	if err := web.Decode(r, &to); err != nil {
		return err
	}
	o, err := h.Dimensions.Change(r.Context(), ref(r), id, to)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, o, to.ID)
}

// remove removes a dimension that was never live: 204 (MTR-17).
func (h *Meters) remove(w http.ResponseWriter, r *http.Request) error {
	o, err := h.Dimensions.Remove(r.Context(), ref(r), r.PathValue("dimensionId"))
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// set says how a plan meters a dimension: 200 with the meter (MTR-12, MTR-13).
func (h *Meters) set(w http.ResponseWriter, r *http.Request) error {
	var in meterBody
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	setting, err := in.setting()
	if err != nil {
		return err
	}
	planID, dimensionID := r.PathValue("planId"), r.PathValue("dimensionId")
	o, err := h.Dimensions.Set(r.Context(), ref(r), dimensionID, draft.On{PlanID: planID, Setting: setting})
	if err != nil {
		return err
	}
	plan, err := o.Plan(planID)
	if err != nil {
		return err
	}
	web.SetETag(w, o.Tag)
	return web.WriteJSON(w, http.StatusOK, shownMeter(&o.Offer, plan, dimensionID))
}
