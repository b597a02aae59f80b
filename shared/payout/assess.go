package payout

import (
	"context"
	"fmt"

	"stoa/shared/fault"
)

const (
	payCurrency  = "USD"
	pageLines    = 45  // a line needs two of the 100 operations of a transaction
	releasePage  = 500 // releases that are in memory at once
	earlierItems = 3   // how far an item looks back for one that is not finished
)

// ComputeItem works on the item of a publisher in a run until it is final or waits for its send date: it matures
// and sums what is eligible, and if that is payable fixes the lines, posts the pages, writes the statement and
// sends the order. Working on it again goes on where it stopped; a final item is left alone.
func (s *Service) ComputeItem(ctx context.Context, runID, publisherID string) error {
	item, err := s.item(ctx, runID, publisherID)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, Item) (Item, error){s.follow, s.assess, s.prepare, s.dispatch} {
		if item.State.final() {
			return nil
		}
		if item, err = step(ctx, item); err != nil {
			return fmt.Errorf("payout item %s of %s: %w", publisherID, runID, err)
		}
	}
	return nil
}

func (s *Service) item(ctx context.Context, runID, publisherID string) (Item, error) {
	month, err := monthOfRun(runID)
	if err != nil {
		return Item{}, err
	}
	if publisherID == "" {
		return Item{}, fault.New(fault.Invalid, "MissingValue", "publisherId", "the publisher is missing")
	}
	item, err := s.deps.Store.Item(ctx, publisherID, month)
	if err != nil {
		return Item{}, fmt.Errorf("payout item %s of %s: %w", publisherID, runID, err)
	}
	return item, nil
}

// follow keeps the runs of a publisher apart (PAY-43): the lines of an earlier item that was not assessed go to
// this one, an earlier item whose lines are fixed is finished first, and an item that a later one has overtaken
// leaves its lines to that.
func (s *Service) follow(ctx context.Context, item Item) (Item, error) {
	if item.State != Queued {
		return item, nil
	}
	items, _, err := s.deps.Store.Items(ctx, item.PublisherID, "", earlierItems)
	if err != nil {
		return item, err
	}
	for _, other := range items {
		switch {
		case other.Month > item.Month:
			return s.save(ctx, item, Carried)
		case other.Month == item.Month:
		case other.State == Queued:
			if _, err := s.save(ctx, other, Carried); err != nil {
				return item, err
			}
		case other.State == Assessed:
			if _, err := s.prepare(ctx, other); err != nil { // its own message sends it
				return item, err
			}
		}
	}
	return item, nil
}

// assess decides whether a queued item is paid (PAY-22, PAY-23), and if so fixes its lines (PAY-28). The lines are
// read twice, a page at a time: once for their sum, and once to be written down under a payment id.
func (s *Service) assess(ctx context.Context, item Item) (Item, error) {
	if item.State != Queued {
		return item, nil
	}
	sum, err := s.eachPage(ctx, item, func(int, []PaidLine) error { return nil })
	if err != nil {
		return item, err
	}
	item.LineCount, item.Earned, item.EarnedUSD = sum.lines, sum.earned, sum.usd.Minor
	switch {
	case sum.lines == 0:
		return s.save(ctx, item, NothingDue)
	case item.EarnedUSD <= 0:
		return s.save(ctx, item, Negative)
	case item.EarnedUSD < threshold:
		return s.save(ctx, item, BelowThreshold)
	}
	item.Total = sum.usd // PAY-26, with nothing withheld
	if item.PaymentID, err = s.deps.Store.NextPaymentID(ctx); err != nil {
		return item, err
	}
	fixed, err := s.eachPage(ctx, item, func(n int, lines []PaidLine) error {
		item.Pages = n + 1
		return s.deps.Store.AddPage(ctx, item.PublisherID, item.PaymentID, n, lines)
	})
	if err != nil {
		return item, err
	}
	if fixed.digest != sum.digest || fixed.usd != sum.usd {
		return item, fault.New(fault.Unavailable, "LedgerBusy", "", "the lines of the item are being changed")
	}
	item.Digest = fixed.digest
	return s.save(ctx, item, Assessed)
}

// eachPage goes over the eligible lines of an item in pages of an order, by eligibility and line id, matures those
// that are not (PAY-6, PAY-7), and adds them up. It holds one page of the ledger at a time.
func (s *Service) eachPage(ctx context.Context, item Item, do func(n int, lines []PaidLine) error) (tally, error) {
	sum := newSummer()
	var page []PaidLine
	pages := 0
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := do(pages, page)
		pages, page = pages+1, nil
		return err
	}
	err := s.eachLine(ctx, item, func(l PaidLine) error {
		if err := sum.add(l); err != nil {
			return err
		}
		if page == nil {
			page = make([]PaidLine, 0, pageLines)
		}
		if page = append(page, l); len(page) == pageLines {
			return flush()
		}
		return nil
	})
	if err != nil {
		return tally{}, err
	}
	return sum.tally(), flush()
}

func (s *Service) eachLine(ctx context.Context, item Item, do func(PaidLine) error) error {
	for after := ""; ; {
		releases, next, err := s.deps.Ledger.Releases(ctx, item.PublisherID, item.Month.Cutoff(), after, releasePage)
		if err != nil {
			return err
		}
		for _, r := range releases {
			if !r.Matured {
				if err := s.deps.Billing.MatureRelease(ctx, r); err != nil {
					return err
				}
			}
			pay, err := s.deps.Billing.InUSD(ctx, r)
			if err != nil {
				return err
			}
			r.Matured = true
			if err := do(PaidLine{Release: r, Pay: pay}); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}
