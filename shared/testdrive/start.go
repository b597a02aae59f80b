package testdrive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/offer"
)

// Request is a customer's wish to try an offer (6.4).
type Request struct {
	Caller                account.Caller
	Source                lead.Source
	PublisherID, OfferID  string
	Slot                  offer.Slot // empty is Production
	Contact               lead.Customer
	AcceptedTerms         bool
	AcceptedPrivacyPolicy bool
	ShareContact          bool
}

// Started is a session that was started, or the one that the customer has already.
type Started struct {
	Session
	Existing bool
}

// maxID bounds the ids of publisher and offer, in characters.
const maxID = 50

// minWait is the least that a refused customer is asked to wait.
const minWait = time.Minute

// Start reserves a slot and sets a session going; a customer who has an unfinished one gets that (TDR-56).
// Faults: Invalid "AgreementRequired", "InvalidCustomer" and "InvalidLeadAction"; NotFound "TestDriveNotEnabled";
// Conflict "TestDriveCapacityReached" with RetryAfter (TDR-57); Unavailable "TestDriveUnavailable" for a test
// drive that cannot be run.
func (s *Service) Start(ctx context.Context, r Request) (Started, error) {
	r, err := r.check()
	if err != nil {
		return Started{}, err
	}
	version, err := s.offered(ctx, r)
	if err != nil {
		return Started{}, err
	}
	id := PoolID{PublisherID: r.PublisherID, OfferID: r.OfferID, Slot: r.Slot}
	session := s.plan(r, id, version)
	for range tries {
		pool, err := s.deps.Store.Pool(ctx, id)
		if err != nil {
			return Started{}, fmt.Errorf("start test drive of %s: %w", r.OfferID, err)
		}
		if h, has := pool.holder(session.Customer); has {
			existing, err := s.Session(ctx, r.Caller, h.SessionID)
			if err != nil {
				return Started{}, err
			}
			return Started{Session: existing, Existing: true}, nil
		}
		if len(pool.Holders) >= version.TestDrive.MaxConcurrent {
			return Started{}, s.full(&pool)
		}
		pool.Holders = append(pool.Holders, Holder{
			SessionID: session.ID, Customer: session.Customer, Until: session.RequestedAt.Add(session.Config.duration()),
		})
		err = s.deps.Store.Save(ctx, session, pool, session.step(StepProvision, session.Provision, time.Time{}))
		if err == nil {
			return Started{Session: session}, nil
		}
		if !fault.Is(err, fault.StaleETag) {
			return Started{}, fmt.Errorf("start test drive of %s: %w", r.OfferID, err)
		}
	}
	return Started{}, busy()
}

// check cleans the request (TDR-55).
func (r Request) check() (Request, error) {
	var missing fault.Findings
	for _, a := range []struct {
		target string
		given  bool
	}{{"acceptedTerms", r.AcceptedTerms}, {"acceptedPrivacyPolicy", r.AcceptedPrivacyPolicy}, {"shareContact", r.ShareContact}} {
		if !a.given {
			missing.Add("AgreementRequired", a.target,
				"The terms, the privacy policy and sharing contact data with the publisher must be accepted.")
		}
	}
	err := missing.Err(fault.Invalid, "AgreementRequired", "The terms, the privacy policy and sharing contact data with the publisher must be accepted.")
	if err != nil {
		return r, err
	}
	for target, id := range map[string]string{"publisherId": r.PublisherID, "offerId": r.OfferID} {
		if utf8.RuneCountInString(id) > maxID {
			return r, fault.New(fault.Invalid, "InvalidValue", target, "may have %d characters at most", maxID)
		}
	}
	if r.Contact, err = r.Contact.Check(); err != nil {
		return r, err
	}
	var found fault.Findings
	if r.Contact.Country == "" {
		found.Add("InvalidCustomer", "customer.Country", "is required")
	}
	if r.Contact.Company == "" {
		found.Add("InvalidCustomer", "customer.Company", "is required")
	}
	if err := found.Err(fault.Invalid, "InvalidCustomer", "The customer's data is not complete."); err != nil {
		return r, err
	}
	if r.Source, err = lead.TestDriveSource(r.Source); err != nil {
		return r, err
	}
	if r.Slot == "" {
		r.Slot = offer.Production
	}
	return r, nil
}

// offered reads the test drive the customer may start; in preview only its audience may (TDR-42).
func (s *Service) offered(ctx context.Context, r Request) (offer.Version, error) {
	none := fault.New(fault.NotFound, "TestDriveNotEnabled", "offerId", "The offer has no test drive.")
	if r.PublisherID == "" || r.OfferID == "" {
		return offer.Version{}, none
	}
	read := s.deps.Offers.Live
	if r.Slot == offer.Preview {
		read = s.deps.Offers.InPreview
	}
	v, err := read(ctx, r.PublisherID, r.OfferID)
	if fault.Is(err, fault.NotFound) {
		return v, none.Because(err)
	}
	if err != nil {
		return v, fmt.Errorf("start test drive of %s: %w", r.OfferID, err)
	}
	invited := slices.ContainsFunc(v.PreviewAudience, func(upn string) bool { return strings.EqualFold(upn, r.Caller.UPN) })
	if !v.TestDrive.Enabled || r.Slot == offer.Preview && !invited {
		return v, none
	}
	t := v.TestDrive
	if t.Kind != LogicApp || t.Settings["assignUrl"] == "" || t.Settings["deprovisionUrl"] == "" || t.DurationHours < 1 || t.MaxConcurrent < 1 {
		return v, fault.New(fault.Unavailable, "TestDriveUnavailable", "offerId", "The test drive of this offer cannot be started.")
	}
	return v, nil
}

func (s *Service) plan(r Request, id PoolID, v offer.Version) Session {
	return Session{
		ID: s.deps.NewID(), Pool: id, Kind: v.TestDrive.Kind, Customer: customerKey(r.Caller), Contact: r.Contact,
		Source: r.Source, State: Provisioning, RequestedAt: s.deps.Now().UTC(), Provision: 1,
		Config: Config{
			OfferTitle: v.Listing.Name, DurationHours: v.TestDrive.DurationHours, AccessInfo: v.TestDrive.AccessInfo,
			AssignURL: v.TestDrive.Settings["assignUrl"], DeprovisionURL: v.TestDrive.Settings["deprovisionUrl"],
		},
	}
}

// full is the refusal for want of a slot (TDR-57).
func (s *Service) full(p *Pool) error {
	f := fault.New(fault.Conflict, "TestDriveCapacityReached", "offerId", "All test drives of this offer are in use. Try again later.")
	f.RetryAfter = max(minWait, p.earliest().Sub(s.deps.Now()))
	return f
}
