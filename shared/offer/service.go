package offer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"stoa/shared/fault"
)

// Store keeps offers. A new offer is inserted: Conflict AlreadyExists is the uniqueness rule (SAS-2). Save
// replaces what was read and fails with StaleETag when someone saved in between.
type Store interface {
	Create(ctx context.Context, o Offer, events ...Event) error
	Offer(ctx context.Context, publisherID, offerID string) (Offer, error)
	Save(ctx context.Context, o Offer, events ...Event) error
	Offers(ctx context.Context, publisherID, after string, limit int) ([]Offer, string, error)
	// Delete removes an offer that was read before, with all that is kept of it. StaleETag.
	Delete(ctx context.Context, o Offer) error
}

// Reader reads the versions that others see. NotFound when the slot is empty.
type Reader interface {
	Live(ctx context.Context, publisherID, offerID string) (Version, error)
	InPreview(ctx context.Context, publisherID, offerID string) (Version, error)
}

// Service creates and edits offers. Safe for concurrent use.
type Service struct {
	Store         Store
	Sealer        Sealer
	Registrations Registrations // nil: application registrations are not compared between publishers
	Rates         Rates         // nil: markets that a plan gains have no prices of meters until a meter is saved
	Now           func() time.Time
}

// DraftRef names the draft an edit is for.
type DraftRef struct {
	PublisherID string
	OfferID     string
	IfMatch     string // tag the caller read; "" and "*" compare nothing
	By          string // who edits, for the history
}

// CodeDraftChanged is the code of a tag that is not the draft's.
const CodeDraftChanged = "DraftChanged"

const codePlanPublished = "PublishedPlanCannotBeRemoved"

// attempts bounds the retries of an edit whose offer was saved in between by someone who did not touch the draft.
const attempts = 25

// Create makes an offer. Conflict AlreadyExists when the publisher has one of that id.
func (s *Service) Create(ctx context.Context, in NewOffer, by string) (Offer, error) {
	now := s.Now()
	o, err := New(in, now)
	if err != nil {
		return Offer{}, err
	}
	if err := s.Store.Create(ctx, o, NewEvent(OfferCreated, by, "", now)); err != nil {
		return Offer{}, fmt.Errorf("create offer %s: %w", in.OfferID, err)
	}
	return s.Store.Offer(ctx, in.PublisherID, in.OfferID)
}

// Edit changes the draft and returns the offer with its new tag. StaleETag when IfMatch names another draft than
// the current one; of several edits with one tag exactly one wins (CPP-18).
func (s *Service) Edit(ctx context.Context, d DraftRef, change func(*Content) error) (Offer, error) {
	return s.edit(ctx, d, func(o *Offer) ([]Event, error) { return s.apply(ctx, o, d, change) })
}

// edit reads the offer, changes it and saves it with the events of the change, again when it was saved in between.
func (s *Service) edit(ctx context.Context, d DraftRef, change func(*Offer) ([]Event, error)) (Offer, error) {
	for range attempts {
		o, err := s.Store.Offer(ctx, d.PublisherID, d.OfferID)
		if err != nil {
			return Offer{}, err
		}
		if err := CheckMatch(&o, d.IfMatch); err != nil {
			return Offer{}, err
		}
		events, err := change(&o)
		if err == nil {
			err = s.Store.Save(ctx, o, events...)
		}
		switch {
		case fault.Is(err, fault.StaleETag):
			continue // re-read: a draft write has changed the tag, anything else has not
		case err != nil:
			return Offer{}, err
		}
		return s.Store.Offer(ctx, o.PublisherID, o.OfferID)
	}
	return Offer{}, fault.New(fault.Unavailable, "Busy", "", "The offer is being changed by others. Try again.")
}

// CheckMatch compares the tag of a request with the draft's (CPP-14, CPP-15).
func CheckMatch(o *Offer, ifMatch string) error {
	if ifMatch == "" || ifMatch == "*" || ifMatch == o.Tag() {
		return nil
	}
	return fault.New(fault.StaleETag, CodeDraftChanged, "If-Match", "The offer was changed since it was read.")
}

// apply changes the draft and gives the events of the change.
func (s *Service) apply(ctx context.Context, o *Offer, d DraftRef, change func(*Content) error) ([]Event, error) {
	now, before := s.Now(), o.Content
	added, err := o.Edit(now, func(next *Content) error {
		if err := change(next); err != nil {
			return err
		}
		if err := s.fillPrices(ctx, &before, next); err != nil {
			return err
		}
		return seal(s.Sealer, &before, next)
	})
	if err != nil {
		return nil, err
	}
	if err := s.claim(ctx, &before, &o.Content); err != nil {
		return nil, err
	}
	var events []Event
	for _, name := range added {
		events = append(events, NewEvent(PlanCreated, d.By, name, now))
	}
	for _, p := range before.Plans {
		if _, still := o.Plan(p.ID); !still {
			events = append(events, NewEvent(PlanDeleted, d.By, "", now)) // PUB-57
		}
	}
	return events, nil
}

// SavePage merges the fields of one page into the draft.
func (s *Service) SavePage(ctx context.Context, d DraftRef, page string, patch map[string]any) (Offer, error) {
	return s.Edit(ctx, d, func(c *Content) error { return c.SetPage(page, patch) })
}

// AddPlan adds a plan, whose planId is among its members. Conflict AlreadyExists when the offer has one of that id.
func (s *Service) AddPlan(ctx context.Context, d DraftRef, plan map[string]any) (Offer, error) {
	id, err := planID(plan)
	if err != nil {
		return Offer{}, err
	}
	return s.Edit(ctx, d, func(c *Content) error {
		if _, there := c.Plan(id); there {
			return fault.New(fault.Conflict, "AlreadyExists", "planId", "The offer has a plan %s.", id)
		}
		return c.SetPlan(id, plan)
	})
}

func planID(plan map[string]any) (string, error) {
	id, ok := plan["planId"].(string)
	switch {
	case plan["planId"] != nil && !ok:
		return "", fault.New(fault.Invalid, CodeType, "planId", "The value must be a string.")
	case id == "":
		return "", fault.New(fault.Invalid, CodeRequired, "planId", "A plan has an ID.")
	}
	return id, nil
}

// SavePlan merges a patch into a plan, adding it when it is new.
func (s *Service) SavePlan(ctx context.Context, d DraftRef, planID string, patch map[string]any) (Offer, error) {
	return s.Edit(ctx, d, func(c *Content) error { return c.SetPlan(planID, patch) })
}

// DeletePlan removes a plan that was never published (PUB-57).
func (s *Service) DeletePlan(ctx context.Context, d DraftRef, planID string) (Offer, error) {
	o, err := s.Edit(ctx, d, func(c *Content) error { return c.RemovePlan(planID) })
	var f *fault.Error
	if errors.As(err, &f) && f.Code == codePlanPublished {
		return o, fault.New(fault.Conflict, codePlanPublished, "planId", "%s", f.Message)
	}
	return o, err
}

// Delete removes an offer no submission of which ever reached preview (PUB-58). Conflict for another: its
// distribution is stopped instead.
func (s *Service) Delete(ctx context.Context, d DraftRef) error {
	for range attempts {
		o, err := s.Store.Offer(ctx, d.PublisherID, d.OfferID)
		if err != nil {
			return err
		}
		if err := CheckMatch(&o, d.IfMatch); err != nil {
			return err
		}
		if o.Preview != nil || o.Production != nil || o.Published != nil {
			return fault.New(fault.Conflict, "OfferPublished", "", "An offer that has been in preview cannot be deleted; stop its distribution instead.")
		}
		if o.Status == StatusPublishInProgress {
			return fault.New(fault.Conflict, "OperationInProgress", "", "A submission of this offer is running.")
		}
		if err := s.Store.Delete(ctx, o); !fault.Is(err, fault.StaleETag) {
			return err
		}
	}
	return fault.New(fault.Unavailable, "Busy", "", "The offer is being changed by others. Try again.")
}

// MaxNotes bounds the notes for certification, in characters.
const MaxNotes = 4000

// SaveNotes stores the notes for certification. They are no part of the draft and leave its tag alone.
func (s *Service) SaveNotes(ctx context.Context, d DraftRef, text string) error {
	if utf8.RuneCountInString(text) > MaxNotes {
		return fault.New(fault.Invalid, CodeInvalid, "text", "At most %d characters are allowed.", MaxNotes)
	}
	for range attempts {
		o, err := s.Store.Offer(ctx, d.PublisherID, d.OfferID)
		if err != nil {
			return err
		}
		o.Notes = text
		if err := s.Store.Save(ctx, o); !fault.Is(err, fault.StaleETag) {
			return err
		}
	}
	return fault.New(fault.Unavailable, "Busy", "", "The offer is being changed by others. Try again.")
}

// Put replaces the whole draft, or creates the offer when there is none of that id. An existing offer is only
// replaced with a tag (CPP-13); a new one takes none or "*" (CPP-16). It reports whether it created.
func (s *Service) Put(ctx context.Context, d DraftRef, offerType string, change func(*Content) error) (Offer, bool, error) {
	_, err := s.Store.Offer(ctx, d.PublisherID, d.OfferID)
	switch {
	case err == nil && d.IfMatch == "":
		return Offer{}, false, fault.New(fault.Invalid, "BadRequest", "If-Match", "The If-Match header is required to change an offer.")
	case err == nil:
		o, err := s.Edit(ctx, d, change)
		return o, false, err
	case !fault.Is(err, fault.NotFound):
		return Offer{}, false, err
	case d.IfMatch != "" && d.IfMatch != "*":
		return Offer{}, false, fault.New(fault.StaleETag, CodeDraftChanged, "If-Match", "There is no such offer.")
	}
	o, err := s.createWith(ctx, d, offerType, change)
	if fault.Is(err, fault.Conflict) && d.IfMatch == "*" {
		o, err = s.Edit(ctx, d, change) // created in between: the last one wins (CPP-15)
		return o, false, err
	}
	return o, true, err
}

func (s *Service) createWith(ctx context.Context, d DraftRef, offerType string, change func(*Content) error) (Offer, error) {
	now := s.Now()
	o, err := New(NewOffer{PublisherID: d.PublisherID, OfferID: d.OfferID, OfferType: offerType}, now)
	if err != nil {
		return Offer{}, err
	}
	empty := o.Content
	added, err := o.Edit(now, func(c *Content) error {
		if err := change(c); err != nil {
			return err
		}
		return seal(s.Sealer, &empty, c)
	})
	if err != nil {
		return Offer{}, err
	}
	if err := s.claim(ctx, &empty, &o.Content); err != nil {
		return Offer{}, err
	}
	events := []Event{NewEvent(OfferCreated, d.By, "", now)}
	for _, name := range added {
		events = append(events, NewEvent(PlanCreated, d.By, name, now))
	}
	if err := s.Store.Create(ctx, o, slices.Clip(events)...); err != nil {
		return Offer{}, err
	}
	return s.Store.Offer(ctx, d.PublisherID, d.OfferID)
}
