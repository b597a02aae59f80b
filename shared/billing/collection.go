package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stoa/shared/fault"
	"stoa/shared/money"
	"stoa/shared/subscription"
)

// CollectionState says what is under way about the bills of a subscription.
type CollectionState string

// The states.
const (
	Clear  CollectionState = "clear"  // nothing is asked for
	Asking CollectionState = "asking" // an attempt is under way, whose outcome is not written yet
	Due    CollectionState = "due"    // an attempt failed; the next one waits for its time (BIL-61)
)

// Collection is what the customer of a subscription is asked for. An attempt is written before the instrument is
// called and its outcome after it, so that money that was taken is never forgotten (BIL-14).
type Collection struct {
	SubscriptionID string          `json:"subscriptionId"`
	PublisherID    string          `json:"publisherId"`
	BillingAccount string          `json:"billingAccountId"`
	Currency       string          `json:"currency"`
	State          CollectionState `json:"state"`
	Attempt        int             `json:"attempt"`         // number of the newest attempt
	Again          bool            `json:"again,omitempty"` // it asks for what was due before
	Credit         int64           `json:"credit"`          // customer credit that is set aside for the attempt
	Bills          []Bill          `json:"bills"`
	Since          time.Time       `json:"since,omitzero"` // the first attempt that failed since all was paid
	Retries        int             `json:"retries"`        // attempts of the schedule since then

	Tag string `json:"-"` // of the stored row as read
}

// Bill is a sum that is paid as a whole: the lines of one invoice.
type Bill struct {
	ID       string   `json:"invoiceId"`
	Total    int64    `json:"total"`              // in minor units, above 0
	Term     int      `json:"term,omitempty"`     // a term that begins when it is paid; until then nothing is posted (BIL-36)
	New      []Line   `json:"new,omitempty"`      // lines that are not posted yet
	Lines    []string `json:"lineIds,omitempty"`  // lines that are posted
	Issued   bool     `json:"issued,omitempty"`   // the invoice is out
	Suspends bool     `json:"suspends,omitempty"` // failing to pay it suspends the subscription (BIL-61)
	Asked    bool     `json:"asked,omitempty"`    // part of the attempt under way
	Failed   bool     `json:"failed,omitempty"`   // an attempt has failed
	Held     bool     `json:"held,omitempty"`     // paid, and customer credit until its term begins (BIL-100)
}

// CustomerCredit is what a publisher's sales owe to a customer, who is served from it before a card is charged (BIL-58). It
// is never negative (BIL-99).
type CustomerCredit struct {
	PublisherID    string `json:"publisherId"`
	BillingAccount string `json:"billingAccountId"`
	Currency       string `json:"currency"`
	Free           int64  `json:"free"` // not set aside for anything, in minor units

	Tag string `json:"-"` // of the stored row as read
}

// retryAfter is when what was not paid is asked for again, counted from the first failure (BIL-61).
var retryAfter = []time.Duration{1 * day, 3 * day, 7 * day, 14 * day, 21 * day, 28 * day}

const day = 24 * time.Hour

const (
	mostBills = 8  // of one attempt
	mostLines = 20 // of one attempt and of one bill: what fits into one transaction of the store
)

// retryAt is the time of the next attempt of the schedule, false when there is none left.
func (c *Collection) retryAt() (time.Time, bool) {
	if c.Since.IsZero() || c.Retries >= len(retryAfter) {
		return time.Time{}, false
	}
	return c.Since.Add(retryAfter[c.Retries]), true
}

func (c *Collection) find(id string) (*Bill, bool) {
	i := slices.IndexFunc(c.Bills, func(b Bill) bool { return b.ID == id })
	if i < 0 {
		return nil, false
	}
	return &c.Bills[i], true
}

func (c *Collection) remove(id string) {
	c.Bills = slices.DeleteFunc(c.Bills, func(b Bill) bool { return b.ID == id })
}

// asked is the sum of the attempt under way.
func (c *Collection) asked() (money.Amount, error) {
	return c.sum(func(b Bill) bool { return b.Asked })
}

func (c *Collection) sum(of func(Bill) bool) (money.Amount, error) {
	total := money.Amount{Currency: c.Currency}
	var err error
	for _, b := range c.Bills {
		if of(b) {
			if total, err = total.Add(money.Amount{Minor: b.Total, Currency: c.Currency}); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

// choose marks the bills of the next attempt, the oldest first, as many as one attempt holds: those that are new,
// or all that are open.
func (c *Collection) choose(again bool) (any bool) {
	lines, n := 0, 0
	for i := range c.Bills {
		b := &c.Bills[i]
		if b.Held || b.Failed && !again {
			continue
		}
		size := len(b.New) + len(b.Lines)
		if n == mostBills || n > 0 && lines+size > mostLines {
			break
		}
		n, lines, b.Asked = n+1, lines+size, true
	}
	return n > 0
}

// open reports whether a bill of the kind is still to be paid.
func (c *Collection) open(of func(Bill) bool) bool {
	return slices.ContainsFunc(c.Bills, func(b Bill) bool { return !b.Held && of(b) })
}

// billOf is the bill of lines.
func billOf(lines []Line) (Bill, error) {
	total, err := sumOf(lines)
	return Bill{ID: invoiceID(lines), Total: total.Minor}, err
}

// sumOf is what the customer pays for lines.
func sumOf(lines []Line) (money.Amount, error) {
	total := money.Amount{Currency: lines[0].Currency}
	var err error
	for _, l := range lines {
		if total, err = total.Add(money.Amount{Minor: l.gross(), Currency: l.Currency}); err != nil {
			return total, err
		}
	}
	return total, nil
}

func invoiceID(lines []Line) string { return derivedID("invoice:" + lines[0].ID) }

// collection reads what a subscription's customer is asked for; nothing yet is one without a tag.
func (s *Service) collection(ctx context.Context, sub subscription.Subscription) (Collection, error) {
	c, err := s.deps.Ledger.Collection(ctx, sub.PublisherID, sub.ID)
	if fault.Is(err, fault.NotFound) {
		return Collection{
			SubscriptionID: sub.ID, PublisherID: sub.PublisherID, BillingAccount: billingAccount(sub), Currency: sub.Currency, State: Clear,
		}, nil
	}
	if err != nil {
		return c, fmt.Errorf("collection of %s: %w", sub.ID, err)
	}
	return c, nil
}

// credit reads what is owed to a customer; nothing yet is one without a tag.
func (s *Service) credit(ctx context.Context, publisherID, account, currency string) (CustomerCredit, error) {
	c, err := s.deps.Ledger.Credit(ctx, publisherID, account, currency)
	if fault.Is(err, fault.NotFound) {
		return CustomerCredit{PublisherID: publisherID, BillingAccount: account, Currency: currency}, nil
	}
	if err != nil {
		return c, fmt.Errorf("credit of %s: %w", account, err)
	}
	return c, nil
}

// Collection shows what the customer of a subscription is asked for. NotFound when there is no such subscription.
func (s *Service) Collection(ctx context.Context, subscriptionID string) (Collection, error) {
	sub, err := s.deps.Subscriptions.Subscription(ctx, subscriptionID)
	if fault.Is(err, fault.NotFound) {
		return Collection{}, fault.New(fault.NotFound, "NotFound", "subscriptionId", "There is no such subscription.").Because(err)
	}
	if err != nil {
		return Collection{}, fmt.Errorf("collection of %s: %w", subscriptionID, err)
	}
	return s.collection(ctx, sub)
}
