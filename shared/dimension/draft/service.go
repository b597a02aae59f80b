package draft

import (
	"context"
	"errors"
	"time"

	"stoa/shared/dimension"
	"stoa/shared/offer"
)

// Drafts edits drafts. *offer.Service does.
type Drafts interface {
	Edit(ctx context.Context, d offer.DraftRef, change func(*offer.Content) error) (offer.Offer, error)
}

// Offers reads offers.
type Offers interface {
	Offer(ctx context.Context, publisherID, offerID string) (offer.Offer, error)
}

// Deps are what the service needs; all are required.
type Deps struct {
	Drafts Drafts
	Offers Offers
	Rates  offer.Rates
	Now    func() time.Time
}

// Service edits dimensions and meters. Safe for concurrent use.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Drafts == nil || d.Offers == nil || d.Rates == nil || d.Now == nil {
		return nil, errors.New("dimension draft: Drafts, Offers, Rates and Now are required")
	}
	return &Service{deps: d}, nil
}

// Saved is an offer's draft as the rules see it, and the draft's tag.
type Saved struct {
	dimension.Offer
	Tag string
}

// Read reads an offer. NotFound.
func (s *Service) Read(ctx context.Context, publisherID, offerID string) (Saved, error) {
	o, err := s.deps.Offers.Offer(ctx, publisherID, offerID)
	if err != nil {
		return Saved{}, err
	}
	return seen(&o), nil
}

func seen(o *offer.Offer) Saved {
	return Saved{Offer: o.Metered(o.Published), Tag: o.Tag()}
}

// edit saves what the rules make of the draft; refused, the draft is as it was.
func (s *Service) edit(ctx context.Context, ref offer.DraftRef, change func(*dimension.Offer) error) (Saved, error) {
	before, err := s.deps.Offers.Offer(ctx, ref.PublisherID, ref.OfferID)
	if err != nil {
		return Saved{}, err
	}
	o, err := s.deps.Drafts.Edit(ctx, ref, func(c *offer.Content) error {
		next := c.Metered(before.Published)
		if err := change(&next); err != nil {
			return err
		}
		return apply(c, next)
	})
	if err != nil {
		return Saved{}, err
	}
	return seen(&o), nil
}

// On is how a plan meters a dimension.
type On struct {
	PlanID  string
	Setting dimension.Setting
}

// Add adds a dimension, and with a plan its meter there.
func (s *Service) Add(ctx context.Context, ref offer.DraftRef, d dimension.Dimension, on *On) (Saved, error) {
	rates := dimension.Rates{}
	if on != nil {
		var err error
		if rates, err = s.rates(ctx, ref, on.PlanID); err != nil {
			return Saved{}, err
		}
	}
	return s.edit(ctx, ref, func(o *dimension.Offer) error {
		if err := o.Add(d); err != nil || on == nil {
			return err
		}
		return o.Set(on.PlanID, d.ID, on.Setting, rates)
	})
}

// Change gives a dimension a new ID, name or unit.
func (s *Service) Change(ctx context.Context, ref offer.DraftRef, id string, to dimension.Dimension) (Saved, error) {
	return s.edit(ctx, ref, func(o *dimension.Offer) error { return o.Change(id, to) })
}

// Remove removes a dimension.
func (s *Service) Remove(ctx context.Context, ref offer.DraftRef, id string) (Saved, error) {
	return s.edit(ctx, ref, func(o *dimension.Offer) error { return o.Remove(id) })
}

// Set says how a plan meters a dimension; its price is converted at the rates of the day.
func (s *Service) Set(ctx context.Context, ref offer.DraftRef, id string, on On) (Saved, error) {
	rates, err := s.rates(ctx, ref, on.PlanID)
	if err != nil {
		return Saved{}, err
	}
	return s.edit(ctx, ref, func(o *dimension.Offer) error { return o.Set(on.PlanID, id, on.Setting, rates) })
}

// Import takes the prices of an edited workbook.
func (s *Service) Import(ctx context.Context, ref offer.DraftRef, planID string, rows []dimension.Row) (Saved, error) {
	return s.edit(ctx, ref, func(o *dimension.Offer) error { return o.Import(planID, rows) })
}

// rates are those of today for the currencies of a plan. A currency without one is left out. NotFound for a plan
// that is not there.
func (s *Service) rates(ctx context.Context, ref offer.DraftRef, planID string) (dimension.Rates, error) {
	now, err := s.Read(ctx, ref.PublisherID, ref.OfferID)
	if err != nil {
		return dimension.Rates{}, err
	}
	plan, err := now.Plan(planID)
	if err != nil {
		return dimension.Rates{}, err
	}
	return offer.RatesOn(ctx, s.deps.Rates, s.deps.Now(), plan.Currencies())
}
