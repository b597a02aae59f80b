package metering

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/offer"
)

// Open is a month of a series in which something is not reconciled.
type Open struct {
	Month
	Tag any // of the stored rows as read
}

// ReconStore keeps what is to be reconciled.
type ReconStore interface {
	Aggregates
	// OpenMonths reads a page of the open months, at most limit after a continuation.
	OpenMonths(ctx context.Context, after string, limit int) ([]Open, string, error)
	// Reconciled replaces an open month; with closed it is not open any more. StaleETag when usage came in between.
	Reconciled(ctx context.Context, o Open, closed bool) error
	// Between reads accepted usage, but for dry runs, of a resource and dimension for times from <= t < to.
	Between(ctx context.Context, resourceID, dimension string, from, to time.Time) ([]Usage, error)
}

// Taken reports whether the ledger has taken the usage of an hour.
type Taken func(hour time.Time) bool

// Ledger is what became of usage that was handed over for billing.
type Ledger interface {
	// Taken tells which usage of a series and month the ledger has taken; nil when it knows nothing of it yet.
	Taken(ctx context.Context, of Series, month string) (Taken, error)
}

// ReconDeps are what the reconciliation needs; all are required.
type ReconDeps struct {
	Store  ReconStore
	Ledger Ledger
	Offers offer.Reader // tells the names of what was processed (MTR-89)
	Now    func() time.Time
}

// Reconciliation compares what was submitted with what the ledger took (MTR-88). Safe for concurrent use.
type Reconciliation struct {
	deps   ReconDeps
	offers *offer.Catalogue

	mu    sync.Mutex
	after string // where the last run stopped before its end
}

// NewReconciliation makes the service.
func NewReconciliation(d ReconDeps) (*Reconciliation, error) {
	if d.Store == nil || d.Ledger == nil || d.Offers == nil || d.Now == nil {
		return nil, errors.New("usage reconciliation: every dependency is required")
	}
	return &Reconciliation{deps: d, offers: offer.NewCatalogue(d.Offers, d.Now)}, nil
}

const (
	reconPage   = 100
	reconGrace  = 48 * time.Hour      // after its day, usage that the ledger did not take was dropped
	reconGiveUp = 62 * 24 * time.Hour // after its month, what differs is left to people
)

// Run reconciles the open months, as many as the context gives time for, and returns how many that were. The next
// run goes on where this one stopped. One that fails does not stop the others.
func (s *Reconciliation) Run(ctx context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	var errs []error
	for {
		page, next, err := s.deps.Store.OpenMonths(ctx, s.after, reconPage)
		if err != nil {
			s.after = "" // a continuation that is no good is not kept
			return done, errors.Join(append(errs, fmt.Errorf("reconcile usage: %w", err))...)
		}
		results := make([]error, len(page))
		eachOf(len(page), func(i int) { results[i] = s.reconcile(ctx, page[i]) })
		for i, err := range results {
			switch {
			case err == nil:
				done++
			case fault.Is(err, fault.StaleETag): // usage came in between; the next run sees it
			default:
				errs = append(errs, fmt.Errorf("reconcile %s of %s: %w", page[i].Month.Month, page[i].ResourceID, err))
			}
		}
		if s.after = next; next == "" || ctx.Err() != nil {
			return done, errors.Join(errs...)
		}
	}
}

// reconcile holds the days of a month that are not settled against the ledger.
func (s *Reconciliation) reconcile(ctx context.Context, o Open) error {
	first, err := time.Parse(MonthLayout, o.Month.Month)
	if err != nil {
		return err
	}
	now := s.deps.Now()
	from, until := o.unsettled()
	if from == until {
		return s.deps.Store.Reconciled(ctx, o, true)
	}
	usages, err := s.deps.Store.Between(ctx, o.ResourceID, o.Dimension, first.AddDate(0, 0, from-1), first.AddDate(0, 0, until-1))
	if err != nil {
		return err
	}
	if missing := o.missing(usages); len(missing) > 0 {
		return s.deps.Store.Count(ctx, missing) // its announcement was lost; the next run compares it
	}
	taken, err := s.deps.Ledger.Taken(ctx, o.Series, o.Month.Month)
	if err != nil {
		return err
	}
	o.Parts = slices.Clone(o.Parts)
	for i := range o.Parts {
		p := &o.Parts[i]
		if p.settled() {
			continue
		}
		if err := p.compare(processed(usages, *p, taken), now.After(first.AddDate(0, 0, p.Day).Add(reconGrace))); err != nil {
			return err
		}
		if err := s.name(ctx, o.Series, p); err != nil {
			return err
		}
	}
	from, until = o.unsettled()
	return s.deps.Store.Reconciled(ctx, o, from == until || now.After(first.AddDate(0, 1, 0).Add(reconGiveUp)))
}

// settled reports whether nothing is left to compare.
func (p Part) settled() bool { return !p.Billed() || p.Recon == ReconAccepted }

// unsettled are the days from <= d < until between which something is not settled; the same when all is.
func (m *Month) unsettled() (from, until int) {
	for _, p := range m.Parts { // in the order of the days
		if p.settled() {
			continue
		}
		if until == 0 {
			from = p.Day
		}
		until = p.Day + 1
	}
	return from, until
}

// missing is accepted usage that the sums lack.
func (m *Month) missing(usages []Usage) []Usage {
	var missing []Usage
	for _, u := range usages {
		if !m.Has(u) && u.OfferID == m.OfferID && u.CustomerID == m.CustomerID {
			missing = append(missing, u)
		}
	}
	return missing
}

// processed is the usage of a part that the ledger took.
func processed(usages []Usage, p Part, taken Taken) []Usage {
	if taken == nil {
		return nil
	}
	var took []Usage
	for _, u := range usages {
		if u.Effective.UTC().Day() == p.Day && u.PlanID == p.PlanID && u.Session == p.Session && taken(u.Effective.UTC().Truncate(time.Hour)) {
			took = append(took, u)
		}
	}
	return took
}

// compare sets the status of a part (MTR-88). Until it is late, usage that was not taken is on its way.
func (p *Part) compare(took []Usage, late bool) error {
	sum := decimal.Zero
	for _, u := range took {
		quantity, err := u.Value()
		if err != nil {
			return err
		}
		sum = sum.Add(quantity)
	}
	switch {
	case sum.Equal(p.Sum):
		p.Recon, p.Processed = ReconAccepted, sum
	case !late:
		p.Recon, p.Processed = Submitted, decimal.Zero // MTR-89
	case sum.IsZero():
		p.Recon, p.Processed = Rejected, sum
	default:
		p.Recon, p.Processed = Mismatch, sum
	}
	return nil
}

// name gives a part the names of what was processed; they stay when the offer is renamed or withdrawn later.
func (s *Reconciliation) name(ctx context.Context, of Series, p *Part) error {
	if p.Recon == Submitted {
		p.PlanName, p.OfferName = "", ""
		return nil
	}
	if p.OfferName != "" {
		return nil
	}
	version, err := s.offers.Sold(ctx, of.PublisherID, of.OfferID, false)
	if fault.Is(err, fault.NotFound) {
		version, err = s.offers.Sold(ctx, of.PublisherID, of.OfferID, true)
	}
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	plan, _ := version.Plan(p.PlanID)
	p.OfferName, p.PlanName = version.Listing.Name, plan.Name
	return nil
}
