package subscription

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Deps are what the service needs; all but Profile and PendingLife are required.
type Deps struct {
	Store      Store
	Offers     offer.Reader
	Publishers Publishers
	Calls      call.Doer
	Sign       Sign
	Random     io.Reader // of landing tokens
	Now        func() time.Time
	NewID      func() string // GUIDs
	Profile    Profile       // empty takes Guide
	// PendingLife is how long a purchase waits for its activation before it ends (FUL-93). Zero takes 30 days, below
	// zero is for ever. It holds for purchases from now on; earlier ones keep theirs.
	PendingLife time.Duration
}

// Service performs the acts on subscriptions. Safe for concurrent use.
type Service struct {
	deps   Deps
	offers *offer.Catalogue
}

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Offers == nil || d.Publishers == nil || d.Calls == nil || d.Sign == nil || d.Random == nil || d.Now == nil || d.NewID == nil {
		return nil, errors.New("subscription service: Store, Offers, Publishers, Calls, Sign, Random, Now and NewID are required")
	}
	if d.Profile == "" {
		d.Profile = Guide
	}
	if d.PendingLife == 0 {
		d.PendingLife = pendingTime
	}
	if !d.Profile.Valid() {
		return nil, fmt.Errorf("subscription service: profile %q, want guide or current", d.Profile)
	}
	return &Service{deps: d, offers: offer.NewCatalogue(d.Offers, d.Now)}, nil
}

// offer is the version the subscription lives by. NotFound.
func (s *Service) offer(ctx context.Context, sub *Subscription) (offer.Version, error) {
	return s.offers.Sold(ctx, sub.PublisherID, sub.OfferID, sub.Preview)
}

// saves bounds how often an act is decided anew because someone saved in between.
const saves = 12

// errNothing ends an act that finds nothing to do.
var errNothing = errors.New("nothing to do")

func (s *Service) decision(ctx context.Context, sub Subscription) *decision {
	cause := message.CauseOf(ctx) // FUL-8
	d := &decision{
		sub: sub, now: s.deps.Now().UTC(), profile: s.deps.Profile, newID: s.deps.NewID,
		request: cause.RequestID, caused: cause.CorrelationID,
	}
	d.sub.Terms, d.sub.Plans, d.sub.History = slices.Clone(sub.Terms), slices.Clone(sub.Plans), slices.Clone(sub.History)
	if len(sub.Outgoing) > 0 {
		d.head = sub.Outgoing[0]
	}
	return d
}

// act decides from the subscription as read and saves; when someone saved in between it reads and decides again.
func (s *Service) act(ctx context.Context, sub Subscription, decide func(*decision) error) (Subscription, error) {
	var err error
	for range saves {
		d := s.decision(ctx, sub)
		if err = decide(d); err != nil {
			if errors.Is(err, errNothing) {
				return sub, nil
			}
			return sub, err
		}
		change := d.finish()
		if err = s.deps.Store.Save(ctx, change); err == nil {
			return change.Subscription, nil
		}
		if !fault.Is(err, fault.StaleETag) {
			return sub, fmt.Errorf("save subscription %s: %w", sub.ID, err)
		}
		if sub, err = s.deps.Store.Subscription(ctx, sub.ID); err != nil {
			return sub, fmt.Errorf("read subscription again: %w", err)
		}
	}
	return sub, fault.New(fault.Unavailable, "Busy", "", "The subscription is being changed by others. Try again.").Because(err)
}

// pending reads the pending operation of the subscription, nil when there is none.
func (s *Service) pending(ctx context.Context, sub *Subscription) (*Operation, error) {
	if sub.PendingOp == "" {
		return nil, nil
	}
	o, err := s.deps.Store.Operation(ctx, sub.ID, sub.PendingOp)
	if err != nil {
		return nil, fmt.Errorf("read the pending operation of %s: %w", sub.ID, err)
	}
	return &o, nil
}

// maxShown is how much of a value that a caller sent is shown to it.
const maxShown = 64

// clip is a caller's value as a refusal shows it.
func clip(value string) string {
	r := []rune(value)
	if len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return value
}

// unknownSubscription refuses an id as it was sent (FUL-6).
func unknownSubscription(id string) *fault.Error {
	if account.GUID(id) == "" {
		return fault.New(fault.NotFound, CodeNotFound, "subscriptionId", "There is no such subscription: expected a GUID, found %q.", clip(id))
	}
	return fault.New(fault.NotFound, CodeNotFound, "subscriptionId", "There is no subscription %s.", id)
}

// unknownOperation refuses an id as it was sent.
func unknownOperation(subscriptionID, id string) *fault.Error {
	if account.GUID(id) == "" {
		return fault.New(fault.NotFound, CodeNotFound, "operationId", "There is no such operation: expected a GUID, found %q.", clip(id))
	}
	return fault.New(fault.NotFound, CodeNotFound, "operationId", "The subscription %s has no operation %s.", subscriptionID, id)
}

// forbidden refuses a caller, with the check that failed and what the caller's own token says.
func forbidden(format string, args ...any) *fault.Error {
	return fault.New(fault.Forbidden, CodeForbidden, "", format, args...)
}

func (s *Service) read(ctx context.Context, id string) (Subscription, error) {
	sent := id
	if id = account.GUID(sent); id == "" {
		return Subscription{}, unknownSubscription(sent) // FUL-6: not even a GUID
	}
	sub, err := s.deps.Store.Subscription(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return sub, unknownSubscription(id).Because(err)
	}
	if err != nil {
		return sub, fmt.Errorf("read subscription %s: %w", id, err)
	}
	return sub, nil
}

// Owned reads a subscription for the application of its publisher. NotFound for an unknown id, Forbidden when
// the application is not that of the subscription's offer (FUL-4, FUL-6, FUL-39).
func (s *Service) Owned(ctx context.Context, caller account.Caller, id string) (Subscription, error) {
	sub, err := s.read(ctx, id)
	if err != nil {
		return sub, err
	}
	return sub, s.owns(ctx, caller, &sub)
}

// owns is nil when the application is that of the technical configuration of the subscription's offer (FUL-4).
func (s *Service) owns(ctx context.Context, caller account.Caller, sub *Subscription) error {
	v, err := s.offer(ctx, sub)
	if fault.Is(err, fault.NotFound) {
		return notRegistered(caller).Because(err)
	}
	if err != nil {
		return fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	if !registered(&v, caller) {
		return notRegistered(caller)
	}
	return nil
}

// notRegistered says which check failed and what was found; what was expected is for the offer's publisher to know.
func notRegistered(caller account.Caller) *fault.Error {
	return forbidden("The claims tid and appid of the token are not those of the technical configuration of the subscription's offer: found tid %q, appid %q.",
		clip(caller.TenantID), clip(caller.AppID))
}

// Registered is nil for the application of a publisher. Forbidden.
func (s *Service) Registered(ctx context.Context, caller account.Caller) error {
	_, err := s.publisher(ctx, caller)
	return err
}

func (s *Service) publisher(ctx context.Context, caller account.Caller) (string, error) {
	id, err := s.deps.Publishers.OfCaller(ctx, caller)
	if fault.Is(err, fault.Forbidden) {
		return "", forbidden("The claims tid and appid of the token belong to no publisher: found tid %q, appid %q.",
			clip(caller.TenantID), clip(caller.AppID)).Because(err)
	}
	return id, err
}

func registered(v *offer.Version, caller account.Caller) bool {
	t := v.Technical
	return caller.Kind == account.App && caller.TenantID != "" && caller.AppID != "" &&
		strings.EqualFold(caller.TenantID, t.TenantID) && strings.EqualFold(caller.AppID, t.AppID)
}

const (
	pageSize  = 100 // FUL-35
	pageReads = 10  // stretches read for one page when others' subscriptions lie between
)

// List gives a page of the subscriptions of all offers that carry the application's registration, oldest first,
// and where the next one begins, empty on the last (FUL-4, FUL-35, FUL-36).
func (s *Service) List(ctx context.Context, caller account.Caller, after string) ([]Subscription, string, error) {
	publisherID, err := s.publisher(ctx, caller)
	if err != nil {
		return nil, "", err
	}
	read := func(after string) ([]Subscription, error) {
		return s.deps.Store.OfPublisher(ctx, publisherID, after, pageSize+1)
	}
	byID := func(sub *Subscription) string { return sub.ID }
	return page(after, read, byID, func(sub *Subscription) (bool, error) {
		err := s.owns(ctx, caller, sub)
		if fault.Is(err, fault.Forbidden) {
			return false, nil
		}
		return err == nil, err
	})
}

// page gathers up to pageSize wanted subscriptions. It looks one further, so that a full last page says so.
func page(after string, read func(after string) ([]Subscription, error), position func(*Subscription) string, want func(*Subscription) (bool, error)) ([]Subscription, string, error) {
	found := []Subscription{}
	for range pageReads {
		subs, err := read(after)
		if err != nil {
			return nil, "", err
		}
		for i := range subs {
			ok, err := want(&subs[i])
			if err != nil {
				return nil, "", err
			}
			if ok && len(found) == pageSize {
				return found, after, nil
			}
			if ok {
				found = append(found, subs[i])
			}
			after = position(&subs[i])
		}
		if len(subs) <= pageSize {
			return found, "", nil
		}
	}
	return found, after, nil
}
