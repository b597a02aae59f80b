package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
)

// Deps are what the service needs; all are required.
type Deps struct {
	Ledger        Ledger
	Subscriptions Subscriptions
	Resources     metering.Resources
	Usage         Usage
	Rates         Rates
	Now           func() time.Time
}

// Service charges terms and usage and carries the shares of what is paid towards the payout.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Ledger == nil || d.Subscriptions == nil || d.Resources == nil || d.Usage == nil || d.Rates == nil || d.Now == nil {
		return nil, errors.New("billing service: every dependency is required")
	}
	return &Service{deps: d}, nil
}

// Signal is the body of a message on the queue ledger-events. Kind says which other members it has.
type Signal struct {
	Kind           string       `json:"kind"`
	SubscriptionID string       `json:"subscriptionId,omitempty"` // term, ended
	Term           int          `json:"term,omitempty"`           // term
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
	SignalTerm   = "term"       // a paid term began
	SignalUsage  = "usage"      // usage was accepted
	SignalClose  = "cycleClose" // a metered cycle is over
	SignalEnded  = "ended"      // a subscription has ended
	SignalFirm   = "firm"       // a free window is over
	SignalMature = "mature"     // a holding period is over
	SignalPost   = "post"       // postings are to reach their accounts
)

// Handle does what a signal asks for. A fault that is not transient will never succeed.
func (s *Service) Handle(ctx context.Context, in Signal) error {
	switch in.Kind {
	case SignalTerm:
		return s.ChargeTerm(ctx, in.SubscriptionID, in.Term)
	case SignalUsage:
		return s.ChargeUsage(ctx, in.ResourceID, in.Events)
	case SignalClose:
		return s.CloseCycle(ctx, in.ResourceID, in.Dimension, in.Month)
	case SignalEnded:
		return s.EndUsage(ctx, in.SubscriptionID)
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

// ChargeTerm charges a term of a subscription (BIL-15), or takes the charge back when the subscription was
// cancelled inside the free window. Charging it again is nothing; the error is Conflict "BillingConflict" when the
// term has changed since it was charged, and Unavailable while it is not known.
func (s *Service) ChargeTerm(ctx context.Context, subscriptionID string, number int) error {
	sub, err := s.deps.Subscriptions.Subscription(ctx, subscriptionID)
	if fault.Is(err, fault.NotFound) {
		return unknown("subscription " + subscriptionID)
	}
	if err != nil {
		return fmt.Errorf("charge term %d of %s: %w", number, subscriptionID, err)
	}
	for _, t := range sub.Terms {
		if t.Number == number {
			line, err := termLine(sub, t)
			if err != nil {
				return err
			}
			if sub.Waived {
				if err := s.waive(ctx, line); err != nil {
					return err
				}
				return s.EndUsage(ctx, sub.ID) // what was used is charged (BIL-26)
			}
			return s.charge(ctx, line)
		}
	}
	return unknown(fmt.Sprintf("term %d of subscription %s", number, subscriptionID))
}

// charge writes a new line with its postings. The same line again is nothing (BIL-9, BIL-10).
func (s *Service) charge(ctx context.Context, line Line) error {
	stored, err := s.deps.Ledger.Line(ctx, line.PublisherID, line.ID)
	if err == nil {
		return same(stored, line)
	}
	if !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	b, err := s.newLine(line)
	if err != nil {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	err = s.deps.Ledger.Apply(ctx, b)
	if fault.Is(err, fault.Conflict) {
		stored, err := s.deps.Ledger.Line(ctx, line.PublisherID, line.ID)
		if err != nil {
			return fmt.Errorf("charge %s: %w", line.SourceKey, err)
		}
		return same(stored, line)
	}
	if err != nil {
		return fmt.Errorf("charge %s: %w", line.SourceKey, err)
	}
	return nil
}

func same(stored, line Line) error {
	if stored.Hash != line.Hash {
		return fault.New(fault.Conflict, "BillingConflict", line.SourceKey, "%s was charged with other content before", line.SourceKey)
	}
	return nil
}

// newLine is the batch of a line that does not exist yet.
func (s *Service) newLine(line Line) (Batch, error) {
	now := s.deps.Now().UTC()
	line.CreatedAt = now
	b := Batch{PublisherID: line.PublisherID}
	if line.Net+line.Tax == 0 { // BIL-17: shown, not posted
		line.State, line.FirmAt = Firm, time.Time{}
		b.Lines = []Line{line}
		return b, nil
	}
	posted, err := Post("charge.posted", line.inputs(now))
	if err != nil {
		return b, err
	}
	b.Transactions = []Transaction{posted}
	if line.State == Pending {
		b.Lines = []Line{line}
		b.Messages = []message.Message{message.New("firm:"+line.ID, message.LedgerEvents,
			Signal{Kind: SignalFirm, PublisherID: line.PublisherID, LineID: line.ID}).At(line.FirmAt.Add(time.Millisecond))}
		return b, nil
	}
	return b, s.capture(&b, line, now)
}

// holding is how long money must have been there before its share is paid out (PAY-3).
const holding = 30 * 24 * time.Hour

// capture adds to the batch that a firm line is invoiced and paid by card, and that its share waits in escrow
// for the end of the holding period (PAY-2, PAY-3).
func (s *Service) capture(b *Batch, line Line, now time.Time) error {
	line.State, line.CapturedAt, line.EligibleAt = Invoiced, now, now.Add(holding)
	for _, event := range []string{"invoice.issued", "payment.collected", "earning.reported"} {
		t, err := Post(event, line.inputs(now))
		if err != nil {
			return err
		}
		b.Transactions = append(b.Transactions, t)
	}
	b.Lines = append(b.Lines, line)
	b.Releases = append(b.Releases, line.release())
	b.Messages = append(b.Messages, message.New("mature:"+line.ID, message.LedgerEvents,
		Signal{Kind: SignalMature, PublisherID: line.PublisherID, LineID: line.ID}).At(line.EligibleAt))
	return nil
}

// Confirm ends the free window of a line: it is captured, or voided when the subscription was cancelled inside
// the window (BIL-11, BIL-32). The time of the cancellation decides, not when this is called.
func (s *Service) Confirm(ctx context.Context, publisherID, lineID string) error {
	line, err := s.deps.Ledger.Line(ctx, publisherID, lineID)
	if fault.Is(err, fault.NotFound) {
		return unknown("charge line " + lineID)
	}
	if err != nil {
		return fmt.Errorf("confirm line %s: %w", lineID, err)
	}
	if line.State != Pending {
		return nil
	}
	now := s.deps.Now().UTC()
	if !now.After(line.FirmAt) {
		return early("the end of the free window of line " + lineID)
	}
	sub, err := s.deps.Subscriptions.Subscription(ctx, line.SubscriptionID)
	if err != nil {
		return fmt.Errorf("confirm line %s: %w", lineID, err)
	}
	b := Batch{PublisherID: publisherID}
	if sub.Waived || !sub.EndedAt.IsZero() && !sub.EndedAt.After(line.FirmAt) {
		err = s.void(&b, line, now)
	} else {
		err = s.capture(&b, line, now)
	}
	if err != nil {
		return fmt.Errorf("confirm line %s: %w", lineID, err)
	}
	return s.apply(ctx, b, "confirm line "+lineID)
}

// void adds to the batch that a pending line is taken back, exactly (BIL-6).
func (s *Service) void(b *Batch, line Line, now time.Time) error {
	in := line.inputs(now)
	in.Reverses = "charge:" + line.ID
	t, err := Post("charge.voided", in)
	if err != nil {
		return err
	}
	line.State = Voided
	b.Transactions, b.Lines = append(b.Transactions, t), append(b.Lines, line)
	return nil
}

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
