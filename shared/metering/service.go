package metering

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/message"
)

// Resources finds what usage is reported against, by lower-cased GUID or ARM id. NotFound.
type Resources interface {
	Resource(ctx context.Context, ref string) (Resource, error)
}

// Finder finds all that a request reports for.
type Finder interface {
	// Find finds resources as they are now. Each comes with the latest time that usage is reported for; what
	// became of the resource after that time, but for its present status, does not matter.
	Find(ctx context.Context, wanted map[string]time.Time) map[string]Found
	// Owner is the present metering identity of an offer. NotFound when the offer cannot be seen any more.
	Owner(ctx context.Context, publisherID, offerID string) (Owner, error)
}

// Found is a resource, or why there is none: NotFound, or what kept it from being read.
type Found struct {
	Resource Resource
	Err      error
}

// FindEach reads resources one by one, several at the same time.
func FindEach(ctx context.Context, refs []string, read func(context.Context, string) (Resource, error)) map[string]Found {
	results := make([]Found, len(refs))
	eachOf(len(refs), func(i int) { results[i].Resource, results[i].Err = read(ctx, refs[i]) })
	all := make(map[string]Found, len(refs))
	for i, ref := range refs {
		all[ref] = results[i]
	}
	return all
}

// eachOf runs the function for the numbers below n, several at the same time.
func eachOf(n int, run func(i int)) {
	var group sync.WaitGroup
	turns := make(chan struct{}, width)
	for i := range n {
		turns <- struct{}{}
		group.Go(func() {
			run(i)
			<-turns
		})
	}
	group.Wait()
}

// Outcome is what became of one usage that was to be added.
type Outcome struct {
	Added    bool
	Existing Usage // the accepted one that stands in its place, when not Added and Err is nil
	Err      error
}

// Store keeps accepted usage, and what was reported of it.
type Store interface {
	// Add inserts usage, each on its own: one per resource, dimension and hour, the first wins (MTR-53). It
	// returns the outcome of each, in order. What was added is announced, whatever happens to the process: on
	// the queue ledger-events by one message per resource, unless its session says that it is never billed, and
	// on the queue usage-accepted by one message per call. The keys of one call must differ.
	Add(ctx context.Context, usages []Usage) []Outcome
	// Offers lists the offers that have had the metering identity while usage of them was accepted.
	Offers(ctx context.Context, owner Owner) ([]OfferRef, error)
	// Days reads the daily usage of an offer, at most about limit and one more.
	Days(ctx context.Context, of OfferRef, r Range, limit int) ([]Day, error)
}

// Deps are what the service needs; all are required.
type Deps struct {
	Resources Finder
	Store     Store
	Now       func() time.Time
	NewID     func() string // GUIDs
}

// Service accepts usage and reads it back.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Resources == nil || d.Store == nil || d.Now == nil || d.NewID == nil {
		return nil, errors.New("metering service: every dependency is required")
	}
	return &Service{deps: d}, nil
}

const (
	tolerance = 5 * time.Minute // of the reporter's clock (MTR-39)
	width     = 8               // resources read at the same time
)

var mostQuantity = decimal.New(1, 12) // MTR-48

// Report is what a caller reports in one request.
type Report struct {
	Caller account.Caller
	Events []Event
	DryRun bool // checked and kept apart, never billed (9.2)
}

// Accept takes events, each on its own (MTR-58), and returns what became of them, in order. Of two events for
// the same resource, dimension and hour the first is taken and the second is its duplicate (MTR-59).
func (s *Service) Accept(ctx context.Context, report Report) []Result {
	now := s.deps.Now().UTC()
	results := make([]Result, len(report.Events))
	wellFormed := make([]*parsed, len(report.Events))
	wanted := map[string]time.Time{}
	for i, e := range report.Events {
		p, found := parse(e)
		if len(found) > 0 {
			results[i] = Result{Status: BadArgument, Details: found}
			continue
		}
		wellFormed[i] = &p
		if latest, ok := wanted[p.ref]; !ok || p.effective.After(latest) {
			wanted[p.ref] = p.effective
		}
	}
	resources := s.deps.Resources.Find(ctx, wanted)
	batch := batch{first: map[key]int{}, results: results}
	for i, p := range wellFormed {
		if p == nil {
			continue
		}
		at := resources[p.ref]
		if results[i] = check(at, report.Caller, p, now); results[i].Status == Accepted {
			batch.add(i, s.usage(ctx, report, at.Resource, p, now))
		}
	}
	if len(batch.usages) > 0 {
		batch.fill(s.deps.Store.Add(ctx, batch.usages))
	}
	return results
}

// usage is what is kept of an event that passed the checks.
func (s *Service) usage(ctx context.Context, report Report, r Resource, p *parsed, now time.Time) Usage {
	cause := message.CauseOf(ctx)
	u := Usage{
		EventID: s.deps.NewID(), ResourceID: r.ID, ResourceURI: cmp.Or(p.ResourceURI, r.URI), Kind: r.Kind, PublisherID: r.PublisherID,
		OfferID: r.OfferID, CustomerID: r.CustomerID, Dimension: p.Dimension, PlanID: p.PlanID, Quantity: p.Quantity,
		EffectiveStart: p.EffectiveStart, Effective: p.effective, AcceptedAt: now,
		RequestID: cause.RequestID, CorrelationID: cause.CorrelationID, CallerAppID: report.Caller.AppID, Owner: r.Owner,
	}
	switch {
	case report.DryRun:
		u.Session = DryRun
	case r.Test:
		u.Session = TestHeaders
	}
	return u
}

// batch is the events of one call that passed the checks.
type batch struct {
	usages  []Usage
	indexes []int       // of the usages among the results
	first   map[key]int // the usage that stands for a key
	repeats [][2]int    // result and usage it repeats
	results []Result
}

func (b *batch) add(i int, u Usage) {
	if n, ok := b.first[u.key()]; ok {
		b.repeats = append(b.repeats, [2]int{i, n})
		return
	}
	b.first[u.key()] = len(b.usages)
	b.usages = append(b.usages, u)
	b.indexes = append(b.indexes, i)
}

func (b *batch) fill(outcomes []Outcome) {
	for n, o := range outcomes {
		b.results[b.indexes[n]] = resultOf(o, b.usages[n])
	}
	for _, r := range b.repeats {
		first := b.results[b.indexes[r[1]]]
		if first.Status == Accepted {
			first = Result{Status: Duplicate, Existing: first.Usage}
		}
		b.results[r[0]] = first
	}
}

func resultOf(o Outcome, u Usage) Result {
	switch {
	case o.Err != nil:
		return Result{Status: Failed, Err: o.Err}
	case o.Added:
		return Result{Status: Accepted, Usage: u}
	}
	return Result{Status: Duplicate, Existing: o.Existing}
}

// check takes a well-formed event through the checks 2 to 7 of 4.6. The first that fails decides.
func check(at Found, caller account.Caller, p *parsed, now time.Time) Result {
	switch {
	case fault.Is(at.Err, fault.NotFound):
		return refused(ResourceNotFound)
	case at.Err != nil:
		return Result{Status: Failed, Err: at.Err}
	}
	r := at.Resource
	if p.ResourceID != "" && p.ResourceURI != "" && account.GUID(p.ResourceURI) == "" && !sameURI(r.URI, p.ResourceURI) { // MTR-35
		return Result{Status: BadArgument, Details: []fault.Detail{{
			Code: string(BadArgument), Target: targetURI, Message: "The resourceId and the resourceUri must name the same resource.",
		}}}
	}
	if !r.ownedBy(caller) {
		return refused(ResourceNotAuthorized) // MTR-61
	}
	if status, details := r.active(p.effective); status != Accepted {
		if details != nil {
			return Result{Status: status, Details: details}
		}
		return refused(status)
	}
	window := time.Duration(facts.limits.WindowHours) * time.Hour
	if p.effective.Before(now.Add(-window)) || p.effective.After(now.Add(tolerance)) { // MTR-38, MTR-39
		return refused(Expired)
	}
	if p.PlanID != r.planAt(p.effective) { // MTR-45
		return refused(InvalidDimension)
	}
	if _, ok := r.Meter(p.PlanID, p.Dimension); !ok { // MTR-46
		return refused(InvalidDimension)
	}
	if p.quantity.Sign() <= 0 || p.quantity.GreaterThan(mostQuantity) { // MTR-48
		return refused(InvalidQuantity)
	}
	return Result{Status: Accepted}
}

// refused is the result of a status that the table explains.
func refused(status Status) Result {
	info := InfoOf(status)
	return Result{Status: status, Details: []fault.Detail{{Code: info.Code, Target: info.Target, Message: info.Message}}}
}
