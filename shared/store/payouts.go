package store

import (
	"context"
	"encoding/json"
	"fmt"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/payout"
	"stoa/shared/store/table"
)

// The items of a publisher are one partition: an item per month, the newest first, and the pages of its payment
// orders. Runs and the counter of payment ids are partitions of their own.
const (
	payoutsTable   = "payouts"
	itemPrefix     = "item|"
	payPagePrefix  = "page|"
	paymentTries   = 50
	firstPaymentID = 1
)

// Payouts keeps payout runs and items: payout.Store. Safe for concurrent use.
type Payouts struct{ db *DB }

// NewPayouts makes the repository.
func NewPayouts(db *DB) *Payouts { return &Payouts{db: db} }

var _ payout.Store = (*Payouts)(nil)

var (
	payoutRuns     = table.Join("runs", "all")
	payoutCounters = table.Join("counter", "payment")
)

func payoutsOf(publisherID string) string { return table.Join("publisher", publisherID) }

// itemKey sorts the newest month first.
func itemKey(m payout.Month) string {
	var year, month int
	if _, err := fmt.Sscanf(string(m), "%d-%d", &year, &month); err != nil {
		return itemPrefix + table.Join(string(m)) // not a month of a run; nothing stands there
	}
	return fmt.Sprintf("%s%06d", itemPrefix, 999912-(year*100+month))
}

func payPageKey(paymentID string, page int) string {
	return payPagePrefix + table.Join(paymentID) + fmt.Sprintf("|%06d", page)
}

// runRow is a run with how far its publishers are listed.
type runRow struct {
	payout.Run
	Pages int    `json:"pages"`
	After string `json:"after,omitempty"`
}

func runOf(r payout.Run) table.Row {
	return table.Row{Partition: payoutRuns, Key: table.Join(r.ID), ETag: r.Tag, Data: encode(runRow{r, r.Pages, r.After})}
}

// AddRun implements payout.Store.
func (s *Payouts) AddRun(ctx context.Context, r payout.Run, msgs ...message.Message) (payout.Run, error) {
	tags, err := s.db.Commit(ctx, payoutsTable, []table.Op{{Action: table.Insert, Row: runOf(r)}}, msgs...)
	if fault.Is(err, fault.Conflict) {
		return s.Run(ctx, r.ID)
	}
	if err != nil {
		return r, fmt.Errorf("add run %s: %w", r.ID, err)
	}
	r.Tag = tags[0]
	return r, nil
}

// Run implements payout.Store.
func (s *Payouts) Run(ctx context.Context, runID string) (payout.Run, error) {
	row, err := s.db.Table(payoutsTable).Get(ctx, payoutRuns, table.Join(runID))
	if err != nil {
		return payout.Run{}, fmt.Errorf("read run %s: %w", runID, err)
	}
	var stored runRow
	if err := decode(row, &stored); err != nil {
		return payout.Run{}, err
	}
	r := stored.Run
	r.Pages, r.After, r.Tag = stored.Pages, stored.After, row.ETag
	return r, nil
}

// SaveRun implements payout.Store.
func (s *Payouts) SaveRun(ctx context.Context, r payout.Run, msgs ...message.Message) error {
	if _, err := s.db.Commit(ctx, payoutsTable, []table.Op{{Action: table.Replace, Row: runOf(r)}}, msgs...); err != nil {
		return fmt.Errorf("save run %s: %w", r.ID, err)
	}
	return nil
}

// AddItems implements payout.Store. An item and its message are one act, so one that is there is queued, too.
func (s *Payouts) AddItems(ctx context.Context, items []payout.Item) error {
	return parallel(items, func(it payout.Item) error {
		_, err := s.db.Commit(ctx, payoutsTable, []table.Op{{Action: table.Insert, Row: table.Row{
			Partition: payoutsOf(it.PublisherID), Key: itemKey(it.Month), Data: encode(it),
		}}}, payout.ItemWork(it))
		if err != nil && !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("add the payout item of %s: %w", it.PublisherID, err)
		}
		return nil
	})
}

// Send implements payout.Store.
func (s *Payouts) Send(ctx context.Context, msgs ...message.Message) error {
	return s.db.Send(ctx, msgs...)
}

// Item implements payout.Store.
func (s *Payouts) Item(ctx context.Context, publisherID string, month payout.Month) (it payout.Item, err error) {
	row, err := s.db.Table(payoutsTable).Get(ctx, payoutsOf(publisherID), itemKey(month))
	if err != nil {
		return it, fmt.Errorf("read payout item %s of %s: %w", month, publisherID, err)
	}
	it.Tag = row.ETag
	return it, decode(row, &it)
}

// SaveItem implements payout.Store.
func (s *Payouts) SaveItem(ctx context.Context, it payout.Item, msgs ...message.Message) (payout.Item, error) {
	tags, err := s.db.Commit(ctx, payoutsTable, []table.Op{{Action: table.Replace, Row: table.Row{
		Partition: payoutsOf(it.PublisherID), Key: itemKey(it.Month), ETag: it.Tag, Data: encode(it),
	}}}, msgs...)
	if err != nil {
		return it, fmt.Errorf("save payout item %s of %s: %w", it.Month, it.PublisherID, err)
	}
	it.Tag = tags[0]
	return it, nil
}

// Items implements payout.Store.
func (s *Payouts) Items(ctx context.Context, publisherID, after string, limit int) ([]payout.Item, string, error) {
	page, err := s.db.Table(payoutsTable).Query(ctx, table.Query{
		Partition: payoutsOf(publisherID), From: itemPrefix, Until: table.PrefixEnd(itemPrefix), Limit: limit, After: after,
		WithETags: true,
	})
	if err != nil {
		return nil, "", fmt.Errorf("payouts of %s: %w", publisherID, err)
	}
	items := make([]payout.Item, len(page.Rows))
	for i, row := range page.Rows {
		if err := decode(row, &items[i]); err != nil {
			return nil, "", err
		}
		items[i].Tag = row.ETag
	}
	return items, page.Next, nil
}

// AddPage implements payout.Store. The payment id belongs to one try only, so a page that is there is the same.
func (s *Payouts) AddPage(ctx context.Context, publisherID, paymentID string, page int, lines []payout.PaidLine) error {
	_, err := s.db.Table(payoutsTable).Apply(ctx, table.Op{Action: table.Insert, Row: table.Row{
		Partition: payoutsOf(publisherID), Key: payPageKey(paymentID, page), Data: encode(struct {
			Lines []payout.PaidLine `json:"lines"`
		}{lines}),
	}})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return fmt.Errorf("add page %d of payment %s: %w", page, paymentID, err)
	}
	return nil
}

// Page implements payout.Store.
func (s *Payouts) Page(ctx context.Context, publisherID, paymentID string, page int) ([]payout.PaidLine, error) {
	row, err := s.db.Table(payoutsTable).Get(ctx, payoutsOf(publisherID), payPageKey(paymentID, page))
	if err != nil {
		return nil, fmt.Errorf("read page %d of payment %s: %w", page, paymentID, err)
	}
	var data struct {
		Lines []payout.PaidLine `json:"lines"`
	}
	return data.Lines, json.Unmarshal(row.Data, &data)
}

// NextPaymentID implements payout.Store. An id that was taken and not used leaves a gap. The row names who took the
// last one: a replacement whose content stands there already is taken for one of our own with a lost answer, and two
// who take the same id must not both be told that.
func (s *Payouts) NextPaymentID(ctx context.Context) (string, error) {
	var counter struct {
		Next int64  `json:"next"`
		By   string `json:"by"`
	}
	var err error
	for range paymentTries {
		var row table.Row
		row, err = s.db.Table(payoutsTable).Get(ctx, payoutCounters, "next")
		op := table.Op{Action: table.Replace}
		switch {
		case fault.Is(err, fault.NotFound):
			row, counter.Next, op.Action = table.Row{Partition: payoutCounters, Key: "next"}, firstPaymentID, table.Insert
		case err != nil:
			return "", fmt.Errorf("take a payment id: %w", err)
		default:
			if err := decode(row, &counter); err != nil {
				return "", err
			}
		}
		taken := counter.Next
		counter.Next++
		counter.By = s.db.deps.NewID()
		row.Data = encode(counter)
		op.Row = row
		if _, err = s.db.Table(payoutsTable).Apply(ctx, op); err == nil {
			return fmt.Sprintf("%012d", taken), nil
		}
		if !fault.Is(err, fault.StaleETag) && !fault.Is(err, fault.Conflict) {
			break
		}
	}
	return "", fmt.Errorf("take a payment id: %w", err)
}
