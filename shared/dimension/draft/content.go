package draft

import (
	"bytes"
	"encoding/json"
	"fmt"

	"stoa/shared/dimension"
	"stoa/shared/offer"
)

const (
	monthly = "P1M"
	annual  = "P1Y"
)

// Of is what dimensions are about of an offer's content, with what of it has been live.
func Of(c *offer.Content, live *offer.Published) (dimension.Offer, error) {
	out := dimension.Offer{
		Kind: kindOf(c.OfferType), Transactable: c.Transactable(),
		Identity: dimension.Identity{TenantID: c.Technical.TenantID, AppID: c.Technical.AppID},
	}
	for _, d := range c.Dimensions {
		out.Dimensions = append(out.Dimensions, dimension.Dimension(d))
	}
	for _, p := range c.Plans {
		plan, err := planOf(out.Kind, &p)
		if err != nil {
			return out, err
		}
		out.Plans = append(out.Plans, plan)
	}
	var err error
	out.Published, err = publishedOf(live)
	return out, err
}

func kindOf(offerType string) dimension.Kind {
	switch offerType {
	case offer.TypeSaaS:
		return dimension.SaaS
	case offer.TypeAzureApplication:
		return dimension.AzureApplication
	}
	return dimension.Unmetered
}

func planOf(kind dimension.Kind, p *offer.Plan) (dimension.Plan, error) {
	out := dimension.Plan{
		ID: p.ID, PerUser: p.PricingModel == offer.PerUser, FreeTrial: p.FreeTrial, Private: p.Private, Markets: p.Markets,
		Monthly: kind == dimension.AzureApplication, // managed applications are billed by the month only
	}
	for _, t := range p.Terms {
		out.Monthly = out.Monthly || t.Unit == monthly
		out.Annual = out.Annual || t.Unit == annual
	}
	return out, recast(&out.Meters, p.Meters)
}

func publishedOf(live *offer.Published) (dimension.Published, error) {
	var out dimension.Published
	if live == nil {
		return out, nil
	}
	for _, d := range live.Dimensions {
		out.Dimensions = append(out.Dimensions, dimension.Dimension(d))
	}
	out.Plans = map[string][]dimension.Meter{}
	for id, p := range live.Plans {
		var meters []dimension.Meter
		if p.Meters != "" {
			if err := json.Unmarshal([]byte(p.Meters), &meters); err != nil {
				return out, fmt.Errorf("published meters of plan %s: %w", id, err)
			}
		}
		out.Plans[id] = meters
	}
	return out, nil
}

// apply writes dimensions and meters back into the content. Plans whose meters are what they were are left alone.
func apply(c *offer.Content, from dimension.Offer) error {
	c.Dimensions = nil
	for _, d := range from.Dimensions {
		c.Dimensions = append(c.Dimensions, offer.Dimension(d))
	}
	for i := range c.Plans {
		plan, err := from.Plan(c.Plans[i].ID)
		if err != nil {
			return err
		}
		var before []dimension.Meter
		if err := recast(&before, c.Plans[i].Meters); err != nil {
			return err
		}
		same, err := equal(before, plan.Meters)
		if err != nil {
			return err
		}
		if same {
			continue
		}
		if err := recast(&c.Plans[i].Meters, plan.Meters); err != nil {
			return err
		}
		kept, err := equal(c.Plans[i].Meters, plan.Meters)
		if err != nil {
			return err
		}
		if !kept {
			return fmt.Errorf("meters of plan %s: the draft of an offer does not hold all that was set", plan.ID)
		}
	}
	return nil
}

// recast reads a value into another type that has the same JSON.
func recast(into, from any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("recast %T: %w", from, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("recast %T: %w", from, err)
	}
	return nil
}

// equal reports whether two values have the same JSON.
func equal(a, b any) (bool, error) {
	left, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("compare %T: %w", a, err)
	}
	right, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("compare %T: %w", b, err)
	}
	return bytes.Equal(left, right), nil
}
