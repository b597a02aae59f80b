package lead

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Capture records the lead of an event and sets its delivery going. Without the customer's consent there is no
// lead: the result is the zero Lead, nothing is kept, and that is no error (LED-4). A repeated event gives the
// lead it made, with Repeated set (LED-3). A contact that was asked on another app's page makes a second lead for
// that app, which only informs (LED-8). Faults: Invalid "InvalidLeadAction", "InvalidCustomer", "InvalidValue";
// Conflict "OfferNotPublished".
func (s *Service) Capture(ctx context.Context, e Event) (Lead, error) {
	if !e.ConsentGiven {
		return Lead{}, nil
	}
	e, err := e.check(s.deps.Now())
	if err != nil {
		return Lead{}, err
	}
	if err := actions.checkSource(e.Source); err != nil {
		return Lead{}, err
	}
	row, ok := actions.match(e.CallToAction, e.Source, false)
	if !ok {
		return Lead{}, fault.New(fault.Invalid, "InvalidLeadAction", "callToAction", "%s of %s makes no lead", e.CallToAction, e.Source)
	}
	other, err := crossListed(e)
	if err != nil {
		return Lead{}, err
	}
	l, err := s.capture(ctx, e, row)
	if err != nil || other == nil {
		return l, err
	}
	row, _ = actions.match(e.CallToAction, e.Source, true) // crossListed has seen it
	_, err = s.capture(ctx, *other, row)
	if err != nil && !fault.As(err).Kind.Transient() {
		err = nil // the page's app cannot be told; the lead of the partner stands (LED-8)
	}
	return l, err
}

// crossListed is the event for the app on whose page the partner was asked, nil when it was the partner's own.
func crossListed(e Event) (*Event, error) {
	if e.CrossListedOn == "" {
		return nil, nil
	}
	publisher, offerID, ok := strings.Cut(e.CrossListedOn, ".")
	if !ok || publisher == "" || offerID == "" {
		return nil, fault.New(fault.Invalid, "InvalidValue", "crossListedOn", "must be publisherId.offerId")
	}
	if _, ok := actions.match(e.CallToAction, e.Source, true); !ok {
		return nil, fault.New(fault.Invalid, "InvalidLeadAction", "crossListedOn", "only a contact asked in AppSource is cross-listed")
	}
	if publisher == e.PublisherID && offerID == e.OfferID {
		return nil, nil
	}
	e.PublisherID, e.OfferID, e.PlanID = publisher, offerID, ""
	return &e, nil
}

// capture records one lead.
func (s *Service) capture(ctx context.Context, e Event, row matrixRow) (Lead, error) {
	id := leadID(e, row.Action)
	version, err := s.version(ctx, e.PublisherID, e.OfferID, e.Slot)
	if fault.Is(err, fault.NotFound) {
		// An event that was taken before the offer left the shelf still meets its lead (LED-3).
		if l, known := s.deps.Store.Lead(ctx, e.PublisherID, id); known == nil {
			l.Repeated = true
			return l, nil
		}
		return Lead{}, fault.New(fault.Conflict, "OfferNotPublished", "offerId", "The offer %s is not published.", e.OfferID).Because(err)
	}
	if err != nil {
		return Lead{}, fmt.Errorf("capture lead %s: %w", id, err)
	}
	l, err := s.compose(ctx, e, row, version)
	if err != nil {
		return Lead{}, fmt.Errorf("capture lead %s: %w", id, err)
	}
	msgs := []message.Message{}
	switch why := unusable(version.LeadDestination); {
	case academic(e.Customer.Email):
		l.wait(Suppressed, "", l.CapturedAt)
		l.erase() // LED-67
	case why != "":
		l.wait(Unrouted, why, l.CapturedAt)
		msgs = append(msgs, s.expiry(&l, keepWaiting))
	default:
		msgs = append(msgs, l.attempt())
	}
	msgs = append(msgs, s.mail(&l, version.LeadDestination.ContactEmail)...)
	err = s.deps.Store.Add(ctx, l, msgs...)
	if fault.Is(err, fault.Conflict) {
		known, err := s.deps.Store.Lead(ctx, l.PublisherID, l.ID)
		if err != nil {
			return Lead{}, fmt.Errorf("capture lead %s: %w", id, err)
		}
		known.Repeated = true
		return known, nil
	}
	if err != nil {
		return Lead{}, fmt.Errorf("capture lead %s: %w", id, err)
	}
	return l, nil
}

func (s *Service) compose(ctx context.Context, e Event, row matrixRow, v offer.Version) (Lead, error) {
	now := s.deps.Now().UTC()
	l := Lead{
		ID: leadID(e, row.Action), EventID: e.EventID, PublisherID: e.PublisherID, OfferID: e.OfferID, PlanID: e.PlanID,
		OfferTitle: v.Listing.Name, Slot: e.Slot, Source: row.Source, Action: row.Action, Kind: row.Kind,
		LeadSource: Compose(row.Source, row.Action, e.PublisherID, e.OfferID),
		Customer:   e.Customer, Description: e.Note, SessionID: e.SessionID,
		OccurredAt: e.OccurredAt.UTC(), CapturedAt: now, Round: now, State: Queued, Next: 1,
	}
	publisher, err := s.deps.Publishers.Publisher(ctx, e.PublisherID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Lead{}, err
	}
	l.PublisherName = publisher.Name
	return l, nil
}

// version reads the version of the slot the lead comes from (LED-6).
func (s *Service) version(ctx context.Context, publisherID, offerID string, slot offer.Slot) (offer.Version, error) {
	if publisherID == "" || offerID == "" {
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "offerId", "There is no such offer.")
	}
	if slot == offer.Preview {
		return s.deps.Offers.InPreview(ctx, publisherID, offerID)
	}
	return s.deps.Offers.Live(ctx, publisherID, offerID)
}

// mail is the notice that a lead has come, once per lead and without personal data (LED-62, LED-63).
func (s *Service) mail(l *Lead, to []string) []message.Message {
	if len(to) == 0 {
		return nil
	}
	action, _ := actions.action(l.Action)
	body := fmt.Sprintf("Offer: %s\nAction: %s (%s)\nStorefront: %s\nTime: %s\nLead: %s/portal/v1/publishers/%s/leads/%s\n",
		l.OfferTitle, l.Action, action.Name, actions.source(l.Source).Name, l.OccurredAt.Format("2006-01-02 15:04 UTC"),
		s.deps.PublicURL, l.PublisherID, l.ID)
	if !action.Contact {
		body += "\nThe customer must not be contacted.\n"
	}
	id := "lead:" + l.ID
	return []message.Message{message.New(id, message.Notifications, map[string]any{
		"id": id, "kind": "lead", "to": to, "subject": "New lead for " + l.OfferTitle, "body": body,
	})}
}

var errMissing = errors.New("lead service: all of Deps but PublicURL are required")
