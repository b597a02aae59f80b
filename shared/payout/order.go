package payout

import (
	"context"
	"fmt"

	"stoa/shared/billing"
	"stoa/shared/fault"
	"stoa/shared/message"
)

// postedStep is after how many posted pages it is written down how far an item came.
const postedStep = 50

// prepare posts the pages of an assessed item, each once, and writes the statement (PAY-27). One that broke off
// goes on at the first page that may be open.
func (s *Service) prepare(ctx context.Context, item Item) (Item, error) {
	if item.State != Assessed {
		return item, nil
	}
	for n := item.Posted; n < item.Pages; n++ {
		lines, err := s.deps.Store.Page(ctx, item.PublisherID, item.PaymentID, n)
		if err != nil {
			return item, err
		}
		if err := s.postPage(ctx, item, lines); err != nil {
			return item, err
		}
		if item.Posted = n + 1; item.Posted%postedStep == 0 {
			if item, err = s.save(ctx, item, Assessed); err != nil {
				return item, err
			}
		}
	}
	var err error
	if item.Statement, err = s.writeStatement(ctx, item); err != nil {
		return item, err
	}
	return s.save(ctx, item, Prepared, sendWork(item))
}

// sendWork is the message that sends an order when its date has come.
func sendWork(it Item) message.Message {
	return message.New(it.RunID+":"+it.PublisherID+":send", message.PayoutItems,
		Work{Kind: WorkSend, RunID: it.RunID, PublisherID: it.PublisherID}).At(it.Month.SendAt())
}

func (s *Service) save(ctx context.Context, item Item, state ItemState, msgs ...message.Message) (Item, error) {
	item.State, item.ChangedAt = state, s.deps.Now().UTC()
	return s.deps.Store.SaveItem(ctx, item, msgs...)
}

// postPage moves the lines of a page from payable to the payment order, all or none. A page that was posted
// before, here or by another worker, is left alone.
func (s *Service) postPage(ctx context.Context, item Item, lines []PaidLine) error {
	batch := billing.Batch{
		PublisherID: item.PublisherID, Transactions: make([]billing.Transaction, 0, len(lines)), Paid: make([]billing.Release, 0, len(lines)),
	}
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

// SendItem hands the order of a publisher in a run to the rail. Unavailable before its send date; an item that is
// not prepared is worked on.
func (s *Service) SendItem(ctx context.Context, runID, publisherID string) error {
	item, err := s.item(ctx, runID, publisherID)
	if err != nil {
		return err
	}
	if item.State == Prepared && s.deps.Now().Before(item.Month.SendAt()) {
		return fault.New(fault.Unavailable, "NotYetDue", "", "the orders of %s go out at %s", runID, item.Month.SendAt())
	}
	return s.ComputeItem(ctx, runID, publisherID)
}

// dispatch hands a prepared order to the rail, from its send date on (PAY-31).
func (s *Service) dispatch(ctx context.Context, item Item) (Item, error) {
	now := s.deps.Now().UTC()
	if item.State != Prepared || now.Before(item.Month.SendAt()) {
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
