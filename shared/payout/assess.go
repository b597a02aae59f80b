package payout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/money"
)

const (
	payCurrency = "USD"
	pageLines   = 45
	maxLines    = 1_000_000 // of one order
)

// StatementContainer is the blob container of the statements.
const StatementContainer = "statements"

// ComputeItem works on the item of a publisher in a run until it is final or waits for its send date: it matures
// and sums what is eligible, and if that is payable fixes the lines, posts the pages, writes the statement and
// sends the order. Working on it again goes on where it stopped; a final item is left alone.
func (s *Service) ComputeItem(ctx context.Context, runID, publisherID string) error {
	month, err := monthOfRun(runID)
	if err != nil {
		return err
	}
	item, err := s.deps.Store.Item(ctx, publisherID, month)
	if err != nil {
		return fmt.Errorf("payout item %s of %s: %w", publisherID, runID, err)
	}
	for _, step := range []func(context.Context, Item) (Item, error){s.assess, s.prepare, s.dispatch} {
		if item.State.final() {
			return nil
		}
		if item, err = step(ctx, item); err != nil {
			return fmt.Errorf("payout item %s of %s: %w", publisherID, runID, err)
		}
	}
	return nil
}

// assess fixes the lines of a queued item and decides whether it is paid (PAY-22, PAY-23, PAY-28).
func (s *Service) assess(ctx context.Context, item Item) (Item, error) {
	if item.State != Queued {
		return item, nil
	}
	lines, err := s.eligible(ctx, item)
	if err != nil {
		return item, err
	}
	item.LineCount, item.Earned, item.EarnedUSD = len(lines), map[string]int64{}, 0
	for _, l := range lines {
		item.EarnedUSD += l.Pay
		item.Earned[l.Amount.Currency] += l.Amount.Minor
	}
	switch {
	case len(lines) == 0:
		return s.save(ctx, item, NothingDue)
	case item.EarnedUSD <= 0:
		return s.save(ctx, item, Negative)
	case item.EarnedUSD < threshold:
		return s.save(ctx, item, BelowThreshold)
	}
	item.Total = money.Amount{Minor: item.EarnedUSD, Currency: payCurrency} // PAY-26, with nothing withheld
	if item.PaymentID, err = s.deps.Store.NextPaymentID(ctx); err != nil {
		return item, err
	}
	digest := sha256.New()
	for rest := lines; len(rest) > 0; item.Pages++ {
		n := min(len(rest), pageLines)
		if err := s.deps.Store.AddPage(ctx, item.PublisherID, item.PaymentID, item.Pages, rest[:n]); err != nil {
			return item, err
		}
		for _, l := range rest[:n] {
			digest.Write([]byte(l.LineID))
		}
		rest = rest[n:]
	}
	item.Digest = hex.EncodeToString(digest.Sum(nil))
	return s.save(ctx, item, Assessed)
}

func (s *Service) save(ctx context.Context, item Item, state ItemState) (Item, error) {
	item.State, item.ChangedAt = state, s.deps.Now().UTC()
	return s.deps.Store.SaveItem(ctx, item)
}

// eligible reads the lines of an item, by eligibility and line id, and matures those that are not (PAY-6, PAY-7).
func (s *Service) eligible(ctx context.Context, item Item) ([]PaidLine, error) {
	var lines []PaidLine
	for after := ""; ; {
		releases, next, err := s.deps.Ledger.Releases(ctx, item.PublisherID, item.Month.Cutoff(), after, listPage)
		if err != nil {
			return nil, err
		}
		for _, r := range releases {
			if !r.Matured {
				if err := s.deps.Billing.MatureRelease(ctx, r); err != nil {
					return nil, err
				}
			}
			pay, err := s.deps.Billing.InUSD(ctx, r)
			if err != nil {
				return nil, err
			}
			r.Matured = true
			lines = append(lines, PaidLine{Release: r, Pay: pay})
		}
		if len(lines) > maxLines {
			return nil, fault.New(fault.NotReady, "TooManyLines", "", "a payment order may have %d lines at most", maxLines)
		}
		if next == "" {
			return lines, nil
		}
		after = next
	}
}

// prepare posts the pages of an assessed item, each once, and writes the statement (PAY-27).
func (s *Service) prepare(ctx context.Context, item Item) (Item, error) {
	if item.State != Assessed {
		return item, nil
	}
	statement := newStatement(item)
	for n := range item.Pages {
		lines, err := s.deps.Store.Page(ctx, item.PublisherID, item.PaymentID, n)
		if err != nil {
			return item, err
		}
		if err := s.postPage(ctx, item, lines); err != nil {
			return item, err
		}
		statement.add(lines)
	}
	name := item.PublisherID + "/" + item.RunID + ".json"
	data, err := json.MarshalIndent(statement, "", "  ")
	if err != nil {
		return item, fmt.Errorf("statement: %w", err)
	}
	err = s.deps.Statements.PutNew(ctx, StatementContainer, name, data, "application/json")
	if err != nil && !fault.Is(err, fault.Conflict) {
		return item, err
	}
	item.Statement = name
	return s.save(ctx, item, Prepared)
}

// postPage moves the lines of a page from payable to the payment order, all or none. A page that was posted
// before, here or by another worker, is left alone.
func (s *Service) postPage(ctx context.Context, item Item, lines []PaidLine) error {
	batch := billing.Batch{PublisherID: item.PublisherID}
	for _, l := range lines {
		t, err := s.lineTransaction(item, l)
		if err != nil {
			return err
		}
		batch.Transactions = append(batch.Transactions, t)
	}
	first := batch.Transactions[0].Key
	if posted, err := s.posted(ctx, item, first); posted || err != nil {
		return err
	}
	err := s.postLines(ctx, batch, lines)
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.StaleETag) {
		if posted, err := s.posted(ctx, item, first); posted || err != nil {
			return err
		}
		return fault.New(fault.Unavailable, "LedgerBusy", "", "the lines of the page are being changed").Because(err)
	}
	return err
}

func (s *Service) postLines(ctx context.Context, batch billing.Batch, lines []PaidLine) error {
	for _, l := range lines {
		open, err := s.deps.Ledger.Release(ctx, l.PublisherID, l.EligibleAt, l.LineID)
		if err != nil {
			return fmt.Errorf("line %s: %w", l.LineID, err)
		}
		batch.Paid = append(batch.Paid, open)
	}
	return s.deps.Ledger.Apply(ctx, batch)
}

// posted reports whether the ledger has the transaction.
func (s *Service) posted(ctx context.Context, item Item, key string) (bool, error) {
	_, err := s.deps.Ledger.Transaction(ctx, item.PublisherID, key)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) lineTransaction(item Item, l PaidLine) (billing.Transaction, error) {
	event := "payout.prepared.sameCurrency"
	if l.Amount.Currency != payCurrency {
		event = "payout.prepared.converted"
	}
	return billing.Post(event, billing.Inputs{
		Names:    map[string]string{"runId": item.RunID, "p": item.PublisherID, "lineId": l.LineID},
		Amounts:  map[string]int64{"line": l.Amount.Minor, "linePay": l.Pay},
		Currency: l.Amount.Currency, PayCurrency: payCurrency, LineID: l.LineID,
		OccurredAt: item.Month.Cutoff(), PostedAt: s.deps.Now(),
	})
}

// dispatch hands a prepared order to the rail, from its send date on (PAY-31).
func (s *Service) dispatch(ctx context.Context, item Item) (Item, error) {
	now := s.deps.Now().UTC()
	if item.State != Prepared || now.Before(item.Month.SendDate()) {
		return item, nil
	}
	t, err := billing.Post("payout.sent", billing.Inputs{
		Names:    map[string]string{"paymentId": item.PaymentID, "attempt": "1", "p": item.PublisherID},
		Amounts:  map[string]int64{"total": item.Total.Minor},
		Currency: payCurrency, PayCurrency: payCurrency, OccurredAt: now, PostedAt: now,
	})
	if err != nil {
		return item, err
	}
	err = s.deps.Ledger.Apply(ctx, billing.Batch{PublisherID: item.PublisherID, Transactions: []billing.Transaction{t}})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return item, err
	}
	return s.save(ctx, item, Sent)
}

// statement is the document a publisher gets for a payment.
type statement struct {
	RunID       string           `json:"runId"`
	Month       Month            `json:"month"`
	PublisherID string           `json:"publisherId"`
	PaymentID   string           `json:"paymentID"`
	Cutoff      time.Time        `json:"cutoff"`
	PaymentDate string           `json:"paymentDate"`
	Earned      map[string]int64 `json:"earned"`
	EarnedUSD   int64            `json:"earnedUSD"`
	Withheld    int64            `json:"withheldTax"`
	FeeTax      int64            `json:"serviceFeeTax"`
	Total       money.Amount     `json:"totalPayment"`
	Lines       []statementLine  `json:"lines"`
}

type statementLine struct {
	LineID         string    `json:"lineId"`
	OfferID        string    `json:"offerId"`
	SubscriptionID string    `json:"subscriptionId"`
	Kind           string    `json:"kind"`
	ChargeDate     string    `json:"chargeDate"`
	Currency       string    `json:"transactionCurrency"`
	Net            int64     `json:"transactionAmount"`
	Fee            int64     `json:"storeFee"`
	Earning        int64     `json:"earningAmount"`
	PayAmount      int64     `json:"paymentAmount"`
	EarnedAt       time.Time `json:"earningDate"`
	EligibleAt     time.Time `json:"eligibleAt"`
}

func newStatement(item Item) *statement {
	return &statement{
		RunID: item.RunID, Month: item.Month, PublisherID: item.PublisherID, PaymentID: item.PaymentID,
		Cutoff: item.Month.Cutoff(), PaymentDate: item.Month.SendDate().Format(time.DateOnly),
		Earned: item.Earned, EarnedUSD: item.EarnedUSD, Total: item.Total, Lines: []statementLine{},
	}
}

func (s *statement) add(lines []PaidLine) {
	for _, l := range lines {
		s.Lines = append(s.Lines, statementLine{
			LineID: l.LineID, OfferID: l.OfferID, SubscriptionID: l.SubscriptionID, Kind: l.Kind, ChargeDate: l.ChargeDate,
			Currency: l.Amount.Currency, Net: l.Net, Fee: l.Fee, Earning: l.Amount.Minor, PayAmount: l.Pay,
			EarnedAt: l.ReportedAt, EligibleAt: l.EligibleAt,
		})
	}
}
