package fulfillment

import (
	"encoding/json"
	"net/http"

	"stoa/shared/dimension"
	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/web"
)

type planWire struct {
	PlanID      string `json:"planId"`
	DisplayName string `json:"displayName"`
	Private     bool   `json:"isPrivate"`
	*planExtras
}

// planExtras are what profile current adds to a plan (6.7).
type planExtras struct {
	Description  string         `json:"description"`
	MinQuantity  int            `json:"minQuantity"`
	MaxQuantity  int            `json:"maxQuantity"`
	FreeTrials   bool           `json:"hasFreeTrials"`
	PerSeat      bool           `json:"isPricePerSeat"`
	StopSell     bool           `json:"isStopSell"`
	Market       string         `json:"market"`
	Components   planComponents `json:"planComponents"`
	SourceOffers []sourceOffer  `json:"sourceOffers"`
}

type planComponents struct {
	Terms      []planTerm      `json:"recurrentBillingTerms"`
	Dimensions []planDimension `json:"meteringDimensions"`
}

type planTerm struct {
	Currency    string         `json:"currency"`
	Price       json.Number    `json:"price"`
	TermUnit    string         `json:"termUnit"`
	Description string         `json:"termDescription"`
	Included    []planIncluded `json:"meteredQuantityIncluded"`
}

type planIncluded struct {
	DimensionID string `json:"dimensionId"`
	Units       int64  `json:"units"`
	Infinite    bool   `json:"infinite,omitempty"` // ours: all of it is included
}

type planDimension struct {
	ID           string      `json:"id"`
	Currency     string      `json:"currency"`
	PricePerUnit json.Number `json:"pricePerUnit"`
	Unit         string      `json:"unitOfMeasure"`
	DisplayName  string      `json:"displayName"`
	NeverCharged bool        `json:"neverCharged,omitempty"` // ours: every term includes all of it
}

// sourceOffer names the private offer a plan came from; there is none.
type sourceOffer struct {
	ExternalID string `json:"externalId"`
}

// plans answers the plans the subscription may change to, an empty list for an unknown one (FUL-43, FUL-44).
func (h *Handler) plans(w http.ResponseWriter, r *http.Request) error {
	found, err := h.deps.Subscriptions.AvailablePlans(r.Context(), web.Caller(r.Context()), r.PathValue("subscriptionId"))
	if err != nil {
		return err
	}
	only := ""
	if h.deps.Profile == subscription.Current {
		only = r.URL.Query().Get("planId")
	}
	out := struct {
		Plans []planWire `json:"plans"`
	}{[]planWire{}}
	for i := range found.Plans {
		if p := &found.Plans[i]; only == "" || only == p.ID {
			out.Plans = append(out.Plans, h.plan(p, &found))
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (h *Handler) plan(p *offer.Plan, in *subscription.Available) planWire {
	wire := planWire{PlanID: p.ID, DisplayName: p.Name, Private: p.Private}
	if h.deps.Profile == subscription.Current {
		low, high := 0, 0
		if p.PricingModel == offer.PerUser {
			low, high = subscription.SeatLimits(p)
		}
		wire.planExtras = &planExtras{
			Description: p.Description, MinQuantity: low, MaxQuantity: high, FreeTrials: p.FreeTrial,
			PerSeat: p.PricingModel == offer.PerUser, StopSell: p.Stopped, Market: in.Market,
			Components: componentsOf(p, in), SourceOffers: []sourceOffer{},
		}
	}
	return wire
}

// componentsOf are the prices of a plan in the subscription's market. Dimensions that are not enabled are hidden
// (MTR-15).
func componentsOf(p *offer.Plan, in *subscription.Available) planComponents {
	c := planComponents{Terms: []planTerm{}, Dimensions: []planDimension{}}
	metered, plan := dimension.Offer{Dimensions: in.Dimensions}, p.Metered()
	shown := metered.Shown(&plan, in.Market)
	for _, t := range p.Terms {
		price, currency := subscription.PriceIn(t, in.Market)
		wire := planTerm{Currency: currency, Price: json.Number(price.String()), TermUnit: t.Unit, Description: describe(t.Unit), Included: []planIncluded{}}
		for _, d := range shown {
			included := d.Monthly
			if t.Unit == subscription.Annual {
				included = d.Annual
			}
			wire.Included = append(wire.Included, planIncluded{DimensionID: d.ID, Units: included.Units, Infinite: included.Infinite})
		}
		c.Terms = append(c.Terms, wire)
	}
	for _, d := range shown {
		c.Dimensions = append(c.Dimensions, planDimension{
			ID: d.ID, Currency: d.Currency, PricePerUnit: json.Number(d.Price.String()), Unit: d.UnitOfMeasure, DisplayName: d.DisplayName,
			NeverCharged: d.NeverCharged,
		})
	}
	return c
}

func describe(unit string) string {
	if unit == subscription.Annual {
		return "One year"
	}
	return "One month"
}
