package correction

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
)

// KindLine is the kind of a charge line that gives back what a correction lowered (BIL-27).
const KindLine = "correction"

// errNotCharged says that the usage was not charged so far.
var errNotCharged = errors.New("the usage is not charged yet")

const (
	closing   = 26 * time.Hour // after the end of a month its cycles are closed
	again     = time.Hour      // when they are not, nevertheless
	mostTries = 24 * 31
)

// credit posts the credit of an approved correction, part by part. What was not charged yet waits.
func (s *Service) credit(ctx context.Context, w Work) error {
	c, err := s.Correction(ctx, w.PublisherID, w.CorrectionID)
	if err != nil || c.State == Credited {
		return err
	}
	if c.State != Approved {
		return fault.New(fault.Conflict, CodeState, "state", "the correction %s is %s and not approved", c.ID, c.State)
	}
	for i := range c.Parts {
		c, err = s.creditPart(ctx, c, i)
		if errors.Is(err, errNotCharged) {
			return s.later(ctx, c, w.Try)
		}
		if err != nil {
			return fmt.Errorf("credit correction %s: %w", c.ID, err)
		}
	}
	c.State, c.CreditedAt = Credited, s.deps.Now().UTC()
	if err := s.deps.Store.Save(ctx, Change{Correction: c, Messages: []message.Message{c.work(KindClose, 1)}}); err != nil {
		return fmt.Errorf("credit correction %s: %w", c.ID, err)
	}
	return nil
}

// later puts the credit off to when the month of the usage is closed.
func (s *Service) later(ctx context.Context, c Correction, try int) error {
	if try >= mostTries {
		return fault.New(fault.NotReady, "NotCharged", "usageDate", "the usage of correction %s was never charged", c.ID)
	}
	now := s.deps.Now()
	at := now.Add(again)
	if date, err := time.Parse(time.DateOnly, c.UsageDate); err == nil {
		if end := time.Date(date.Year(), date.Month()+1, 1, 0, 0, 0, 0, time.UTC).Add(closing); end.After(now) {
			at = end
		}
	}
	if err := s.deps.Store.Send(ctx, c.work(KindCredit, try+1).At(at)); err != nil {
		return fmt.Errorf("put off the credit of correction %s: %w", c.ID, err)
	}
	return nil
}

// creditPart fixes what a part gives back, posts it, and notes that.
func (s *Service) creditPart(ctx context.Context, c Correction, i int) (Correction, error) {
	if c.Parts[i].Posted {
		return c, nil
	}
	line, err := s.charged(ctx, c, c.Parts[i])
	if err != nil {
		return c, err
	}
	if c.Parts[i].LineID == "" {
		if c, err = s.fix(ctx, c, i, line); err != nil {
			return c, err
		}
	}
	if err := s.post(ctx, c, i, line); err != nil {
		return c, err
	}
	parts := append([]Part(nil), c.Parts...)
	parts[i].Posted = true
	c.Parts = parts
	return s.save(ctx, Change{Correction: c})
}

func (s *Service) save(ctx context.Context, change Change) (Correction, error) {
	if err := s.deps.Store.Save(ctx, change); err != nil {
		return change.Correction, err
	}
	return s.deps.Store.Correction(ctx, change.Correction.PublisherID, change.Correction.ID)
}

// lateMonths is how many months after its own usage may be charged.
const lateMonths = 3

// charged finds the line that the usage was charged in: that of its month, or a later one when the usage came late.
func (s *Service) charged(ctx context.Context, c Correction, p Part) (billing.Line, error) {
	if p.LineID != "" {
		return s.deps.Ledger.Line(ctx, c.PublisherID, p.LineID)
	}
	date, err := time.Parse(time.DateOnly, c.UsageDate)
	if err != nil {
		return billing.Line{}, fmt.Errorf("usage date of correction %s: %w", c.ID, err)
	}
	own := date.Format("2006-01")
	for n := range lateMonths {
		month := time.Date(date.Year(), date.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
		cycle, err := s.deps.Ledger.Cycle(ctx, c.PublisherID, p.ResourceID, c.Meter, month)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return billing.Line{}, err
		}
		if cycle.State != billing.CycleClosed {
			return billing.Line{}, errNotCharged
		}
		late := ""
		if n > 0 {
			late = own
		}
		for _, part := range cycle.Parts {
			if part.PlanID == p.PlanID && part.LateFrom == late {
				return s.deps.Ledger.Line(ctx, c.PublisherID, cycle.LineID(part))
			}
		}
	}
	return billing.Line{}, errNotCharged
}

// fix writes down what the part gives back, and takes it off what is left of its line, in one step (BIL-69).
func (s *Service) fix(ctx context.Context, c Correction, i int, line billing.Line) (Correction, error) {
	given, err := s.deps.Store.Given(ctx, c.PublisherID, line.ID)
	if err != nil {
		return c, err
	}
	p := c.Parts[i]
	if err := p.price(line, given); err != nil {
		return c, err
	}
	p.CreditID = billing.LineID(sourceKey(c, i))
	c.Parts = append([]Part(nil), c.Parts...)
	c.Parts[i] = p
	given.Net, given.Tax, given.Fee = given.Net+p.Net, given.Tax+p.Tax, given.Fee+p.Fee
	return s.save(ctx, Change{Correction: c, Given: []Given{given}})
}

// sourceKey is what the credit line of a part is made unique by (BIL-9).
func sourceKey(c Correction, i int) string {
	if i == 0 {
		return "correction:" + c.ID
	}
	return fmt.Sprintf("correction:%s:%d", c.ID, i)
}

// price computes the amounts: quantity times the price of the line, rounded once, with tax and fee in proportion
// (MTR-82, BIL-70, BIL-73), and never more than is left of the line (BIL-69).
func (p *Part) price(line billing.Line, given Given) error {
	p.LineID, p.Currency, p.UnitPrice = line.ID, line.Currency, line.UnitPrice
	if line.State != billing.Invoiced || line.Net <= 0 {
		return nil // nothing was paid for it, or all was given back
	}
	net, err := money.Round(new(big.Rat).Mul(p.Reduced.Rat(), line.UnitPrice.Rat()), line.Currency)
	if err != nil {
		return fmt.Errorf("price a credit of line %s: %w", line.ID, err)
	}
	left := Given{Net: line.Net - given.Net, Tax: line.Tax - given.Tax, Fee: line.Fee - given.Fee}
	if net.Minor >= left.Net {
		p.Net, p.Tax, p.Fee = left.Net, left.Tax, left.Fee
		return nil
	}
	tax, err := share(line.Tax, net, line.Net)
	if err != nil {
		return err
	}
	fee, err := share(line.Fee, net, line.Net)
	if err != nil {
		return err
	}
	p.Net, p.Tax, p.Fee = net.Minor, min(tax, left.Tax), min(fee, left.Fee)
	return nil
}

// share is the part of an amount that belongs to some of the net.
func share(amount int64, net money.Amount, of int64) (int64, error) {
	part := money.Amount{Minor: amount, Currency: net.Currency}.Rat()
	part.Mul(part, big.NewRat(net.Minor, of))
	rounded, err := money.Round(part, net.Currency)
	return rounded.Minor, err
}

// post gives a fixed part back: to the customer, from the publisher's share where it sits and from the store fee
// (BIL-70). What was posted before is not posted again.
func (s *Service) post(ctx context.Context, c Correction, i int, line billing.Line) error {
	p := c.Parts[i]
	if p.Net+p.Tax == 0 {
		return nil
	}
	if _, err := s.deps.Ledger.Line(ctx, c.PublisherID, p.CreditID); !fault.Is(err, fault.NotFound) {
		return err
	}
	now := s.deps.Now().UTC()
	b := billing.Batch{PublisherID: c.PublisherID, Lines: []billing.Line{c.line(i, line, now)}}
	stage, err := s.takeShare(ctx, &b, p, line, now)
	if err != nil {
		return err
	}
	in := billing.Inputs{
		Names: map[string]string{
			"b": line.BillingAccount, "p": c.PublisherID, "cc": line.Market, "lineId": line.ID, "refundId": p.CreditID, "stage": stage,
		},
		Amounts:  map[string]int64{"net": p.Net, "tax": p.Tax, "fee": p.Fee, "share": p.Net - p.Fee, "gross": p.Net + p.Tax},
		Currency: line.Currency, LineID: line.ID, Reverses: "charge:" + line.ID, OccurredAt: now, PostedAt: now,
	}
	for _, event := range []string{"refund.posted.paidInvoice", "refund.paid"} {
		t, err := billing.Post(event, in)
		if err != nil {
			return err
		}
		b.Transactions = append(b.Transactions, t)
	}
	err = s.deps.Ledger.Apply(ctx, b)
	if fault.Is(err, fault.Conflict) { // posted at the same time, or something else was in the way
		_, err = s.deps.Ledger.Line(ctx, c.PublisherID, p.CreditID)
		if fault.Is(err, fault.NotFound) {
			return fault.New(fault.Unavailable, "LedgerBusy", "", "the ledger was busy")
		}
	}
	return err
}

// takeShare adds to the batch where the publisher's share comes from: out of escrow while the share of the line waits
// there, else off the next payout (PAY-10, PAY-29).
func (s *Service) takeShare(ctx context.Context, b *billing.Batch, p Part, line billing.Line, now time.Time) (stage string, err error) {
	release, err := s.deps.Ledger.Release(ctx, line.PublisherID, line.EligibleAt, line.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	taken := p.Net - p.Fee
	if err == nil && !release.Matured {
		if release.Amount.Minor == taken {
			b.Paid = append(b.Paid, release)
			return "escrow", nil
		}
		release.Amount.Minor, release.Net, release.Fee = release.Amount.Minor-taken, release.Net-p.Net, release.Fee-p.Fee
		b.Releases = append(b.Releases, release)
		return "escrow", nil
	}
	b.Releases = append(b.Releases, billing.Release{
		LineID: p.CreditID, PublisherID: line.PublisherID, OfferID: line.OfferID, SubscriptionID: line.SubscriptionID, Kind: KindLine,
		Amount: money.Amount{Minor: -taken, Currency: line.Currency}, Net: -p.Net, Fee: -p.Fee,
		ChargeDate: line.ChargeDate, ReportedAt: now, EligibleAt: now, Matured: true,
	})
	return "payable", nil
}

// line is the negative line of a part. It bears the date of the original (BIL-50).
func (c Correction) line(i int, original billing.Line, now time.Time) billing.Line {
	p, l := c.Parts[i], original
	l.ID, l.SourceKey, l.Kind, l.Tag = p.CreditID, sourceKey(c, i), KindLine, ""
	l.Quantity, l.Net, l.Tax, l.Fee, l.Share = p.Reduced.Neg(), -p.Net, -p.Tax, -p.Fee, p.Fee-p.Net
	l.PeriodStart, l.PeriodEnd = c.UsageDate, c.UsageDate
	l.State, l.CapturedAt, l.EligibleAt, l.CreatedAt = billing.Invoiced, now, now, now
	l.Hash = hashOf(c.ID, p)
	return l
}

// hashOf is the content of a credit, the same whenever it is posted.
func hashOf(id string, p Part) string {
	raw, err := json.Marshal(struct {
		ID, Line, Credit, Currency string
		Reduced, Price             decimal.Decimal
		Net, Tax, Fee              int64
	}{id, p.LineID, p.CreditID, p.Currency, p.Reduced, p.UnitPrice, p.Net, p.Tax, p.Fee})
	if err != nil {
		panic(fmt.Sprintf("hash a credit: %v", err)) // only plain values come here
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
