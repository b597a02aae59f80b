package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/metering"
)

// Deps are what the service needs; all but Instrument and Proration are required.
type Deps struct {
	Ledger        Ledger
	Subscriptions Subscriptions
	Resources     metering.Resources
	Usage         Usage
	Rates         Rates
	Instrument    Instrument // of customers; none: they pay whatever they are asked for
	Proration     Proration  // of changes inside a term; empty is ByDays (BIL-48)
	Now           func() time.Time
}

// Service charges terms and usage and carries the shares of what is paid towards the payout. Safe for concurrent use.
type Service struct {
	deps Deps
	open openCycles
}

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Ledger == nil || d.Subscriptions == nil || d.Resources == nil || d.Usage == nil || d.Rates == nil || d.Now == nil {
		return nil, errors.New("billing service: every dependency but Instrument and Proration is required")
	}
	if d.Instrument == nil {
		d.Instrument = alwaysPays{}
	}
	if d.Proration == "" {
		d.Proration = ByDays
	}
	if d.Proration != ByDays && d.Proration != NoProration {
		return nil, fmt.Errorf("billing service: proration %q, want %s or %s", d.Proration, ByDays, NoProration)
	}
	return &Service{deps: d}, nil
}

// Signal is the body of a message on the queue ledger-events. Kind says which other members it has.
type Signal struct {
	Kind           string       `json:"kind"`
	SubscriptionID string       `json:"subscriptionId,omitempty"` // term, trial, request, collect, ended
	Term           int          `json:"term,omitempty"`           // term, request
	OperationID    string       `json:"operationId,omitempty"`    // term: the change
	At             time.Time    `json:"at,omitzero"`              // business time; collect: when it is due
	Retry          int          `json:"retry,omitempty"`          // collect: number in the schedule, 0 is at once
	ResourceID     string       `json:"resourceId,omitempty"`     // usage, cycleClose
	Events         []UsageEvent `json:"events,omitempty"`         // usage
	Dimension      string       `json:"dimension,omitempty"`      // cycleClose
	Month          string       `json:"month,omitempty"`          // cycleClose: yyyy-MM
	PublisherID    string       `json:"publisherId,omitempty"`    // firm, mature, post
	LineID         string       `json:"lineId,omitempty"`         // firm, mature
	Keys           []string     `json:"keys,omitempty"`           // post
}

// UsageEvent names accepted usage of a resource.
type UsageEvent struct {
	Dimension string `json:"dimension"`
	Hour      string `json:"hour"` // yyyyMMddHH
}

// Kinds of signals.
const (
	SignalTerm    = "term"       // a paid term began, or plan or seats changed inside it (FUL-58)
	SignalTrial   = "trial"      // a trial began
	SignalRequest = "request"    // a term is to begin when it is paid
	SignalCollect = "collect"    // what is due is to be asked for again
	SignalUsage   = "usage"      // usage was accepted
	SignalClose   = "cycleClose" // a metered cycle is over
	SignalEnded   = "ended"      // a subscription has ended
	SignalFirm    = "firm"       // a free window is over
	SignalMature  = "mature"     // a holding period is over
	SignalPost    = "post"       // postings are to reach their accounts
)

// Handle does what a signal asks for. A fault that is not transient will never succeed.
func (s *Service) Handle(ctx context.Context, in Signal) error {
	switch in.Kind {
	case SignalTerm, SignalTrial:
		if in.OperationID != "" {
			return s.ChargeChange(ctx, in.SubscriptionID, in.Term, in.OperationID)
		}
		return s.ChargeTerm(ctx, in.SubscriptionID, in.Term)
	case SignalRequest:
		return s.RequestTerm(ctx, in.SubscriptionID, in.Term)
	case SignalCollect:
		return s.Collect(ctx, in.SubscriptionID, in.Retry, in.At)
	case SignalUsage:
		return s.ChargeUsage(ctx, in.ResourceID, in.Events)
	case SignalClose:
		return s.CloseCycle(ctx, in.ResourceID, in.Dimension, in.Month)
	case SignalEnded:
		return s.End(ctx, in.SubscriptionID)
	case SignalFirm:
		return s.Confirm(ctx, in.PublisherID, in.LineID)
	case SignalMature:
		return s.Mature(ctx, in.PublisherID, in.LineID)
	case SignalPost:
		return s.deps.Ledger.Distribute(ctx, in.PublisherID, in.Keys)
	}
	return fault.New(fault.Invalid, "UnknownKind", "kind", "there is no signal of the kind %q", in.Kind)
}

// Account reads a page of an account's postings with its balance (BIL-95). NotFound when it has none in the
// currency.
func (s *Service) Account(ctx context.Context, account, currency, after string, limit int) (Statement, error) {
	return s.deps.Ledger.Account(ctx, account, currency, after, limit)
}

// early is the error of what comes before its time; the message comes back.
func early(what string) error {
	return fault.New(fault.Unavailable, "NotYetDue", "", "%s is not due yet", what)
}

// unknown is the error of a signal whose subject was not seen yet. It waits and never makes a guess (BIL-12).
func unknown(what string) error {
	return fault.New(fault.Unavailable, "NotYetKnown", "", "%s is not known yet", what)
}

// holding is how long money must have been there before its share is paid out (PAY-3).
const holding = 30 * 24 * time.Hour

// apply writes a batch that another may write at the same time: when its transactions are there, it is done. The
// error is Conflict "LedgerConflict" when one is there with other content (BIL-93), and Unavailable when another
// part of the batch was in the way.
func (s *Service) apply(ctx context.Context, b Batch, what string) error {
	err := s.deps.Ledger.Apply(ctx, b)
	if err == nil {
		return nil
	}
	if !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("%s: %w", what, err)
	}
	done := len(b.Transactions) > 0
	for _, t := range b.Transactions {
		stored, err := s.deps.Ledger.Transaction(ctx, b.PublisherID, t.Key)
		switch {
		case fault.Is(err, fault.NotFound):
			done = false
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		case stored.Hash != t.Hash:
			return fault.New(fault.Conflict, "LedgerConflict", t.Key, "%s was posted with other content before", t.Key)
		}
	}
	if !done {
		return fault.New(fault.Unavailable, "LedgerBusy", "", "%s: another was there at the same time", what).Because(err)
	}
	return nil
}

// Mature moves the share of a line from escrow to payable when its holding period is over (PAY-6).
func (s *Service) Mature(ctx context.Context, publisherID, lineID string) error {
	line, err := s.deps.Ledger.Line(ctx, publisherID, lineID)
	if fault.Is(err, fault.NotFound) || err == nil && line.State == Pending {
		return unknown("the release of line " + lineID)
	}
	if err != nil {
		return fmt.Errorf("mature line %s: %w", lineID, err)
	}
	if line.State != Invoiced {
		return nil
	}
	release, err := s.deps.Ledger.Release(ctx, publisherID, line.EligibleAt, lineID)
	if fault.Is(err, fault.NotFound) || err == nil && release.Matured {
		return nil // it is in a payment order, or was matured before
	}
	if err != nil {
		return fmt.Errorf("mature line %s: %w", lineID, err)
	}
	return s.MatureRelease(ctx, release)
}

// MatureRelease is Mature for a release that was read.
func (s *Service) MatureRelease(ctx context.Context, r Release) error {
	now := s.deps.Now().UTC()
	if now.Before(r.EligibleAt) {
		return early("the release of line " + r.LineID)
	}
	t, err := Post("earning.matured", Inputs{
		Names:    map[string]string{"p": r.PublisherID, "lineId": r.LineID, "n": "1"},
		Amounts:  map[string]int64{"released": r.Amount.Minor},
		Currency: r.Amount.Currency, LineID: r.LineID, OccurredAt: r.EligibleAt, PostedAt: now,
	})
	if err != nil {
		return fmt.Errorf("mature line %s: %w", r.LineID, err)
	}
	r.Matured = true
	b := Batch{PublisherID: r.PublisherID, Transactions: []Transaction{t}, Releases: []Release{r}}
	return s.apply(ctx, b, "mature line "+r.LineID)
}
