package anomaly

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/correction"
	"stoa/shared/message"
	"stoa/shared/offer"
)

// Usage reads the daily sums of accepted usage. What is never billed, dry runs and tests, is not in them.
type Usage interface {
	// Series reads a page of the series that have usage on days first <= day < until, with that usage, after a
	// continuation; the next one is empty after the last page. A series is whole: it stands on one page. A page has
	// some 200 series. Series that come to be or go while pages are read may be left out; no other is.
	Series(ctx context.Context, first, until time.Time, after string) ([]Series, string, error)
	// Daily reads the usage of a publisher that the query takes, at most limit+1 rows. It may have summed over what
	// the query's group does not tell apart.
	Daily(ctx context.Context, q TrendQuery, limit int) ([]Daily, error)
}

// Daily is the usage of a meter on one UTC day, on a plan or by a customer.
type Daily struct {
	OfferID      string
	Meter        string
	PlanID       string // when the group is by plan
	CustomerID   string // when the group is by customer
	CustomerName string // company; may be empty
	Date         time.Time
	Quantity     decimal.Decimal
	Count        int // usage events
}

// Run is a weekly training (7, anomaly-train).
type Run struct {
	ID        string    `json:"runId"` // the Monday it is of, YYYY-MM-DD
	From      time.Time `json:"from"`  // days from <= day < until are judged
	Until     time.Time `json:"until"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Page      int       `json:"page"`            // that is next
	After     string    `json:"after,omitempty"` // continuation of that page
	Series    int       `json:"series"`          // looked at so far
	Flagged   int       `json:"flagged"`         // days that were new so far

	Tag string `json:"-"` // of the stored row as read
}

// Filter selects anomalies of a publisher. Empty members take all.
type Filter struct {
	PublisherID string
	From        time.Time           // first usage date
	OfferID     string              //
	Meter       string              //
	State       State               // at the instant Now
	Over        decimal.NullDecimal // only those with a higher impact, in USD
	Now         time.Time
	After       string // continuation
	Limit       int
}

// Takes reports whether the filter selects the anomaly.
func (f *Filter) Takes(a *Anomaly) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(f.OfferID, a.OfferID) && is(f.Meter, a.Meter) && is(string(f.State), string(a.StateAt(f.Now))) &&
		(!f.Over.Valid || a.Impact.GreaterThan(f.Over.Decimal)) && a.UsageDate >= f.From.Format(time.DateOnly)
}

// Marked is a day that was marked as an anomaly.
type Marked struct {
	Key
	UsageDate string `json:"usageDate"`
}

// Store keeps anomalies, the action log and the runs.
type Store interface {
	// Flag adds an anomaly with its messages, unless the day was flagged before, and reports whether it was new.
	Flag(ctx context.Context, a Anomaly, msgs ...message.Message) (bool, error)
	// Anomaly reads one. NotFound.
	Anomaly(ctx context.Context, publisherID, id string) (Anomaly, error)
	// Anomalies reads a page, the newest usage first. A filtered page may have fewer than the limit and still be
	// continued.
	Anomalies(ctx context.Context, f Filter) ([]Anomaly, string, error)
	// Decide writes a decided anomaly with the line of the action log and what came of it, as a whole. Conflict when
	// the usage is corrected at the same time, StaleETag when the anomaly was changed.
	Decide(ctx context.Context, a Anomaly, line Action, filed *correction.Change) error
	// Actions reads the action log of a publisher, the newest first.
	Actions(ctx context.Context, publisherID, after string, limit int) ([]Action, string, error)
	// MarkedDays reads the days marked as anomalies, of the publisher's usage since a day.
	MarkedDays(ctx context.Context, publisherID string, since time.Time) ([]Marked, error)
	// Due names anomalies whose window has closed before an instant, the oldest first, decided ones as well.
	Due(ctx context.Context, before time.Time, limit int) ([]Due, error)
	// Expire replaces an anomaly that was read before. StaleETag.
	Expire(ctx context.Context, a Anomaly) error
	// Settled forgets that anomalies are due.
	Settled(ctx context.Context, done []Due) error
	// AddRun adds a run with its messages, unless it is there.
	AddRun(ctx context.Context, r Run, msgs ...message.Message) error
	// Run reads one. NotFound.
	Run(ctx context.Context, id string) (Run, error)
	// RunBefore reads the newest run older than that. NotFound.
	RunBefore(ctx context.Context, id string) (Run, error)
	// SaveRun replaces a run that was read before, with its messages. StaleETag.
	SaveRun(ctx context.Context, r Run, msgs ...message.Message) error
	// Send sends messages without a change of state.
	Send(ctx context.Context, msgs ...message.Message) error
}

// Due names an anomaly whose window closes at a time.
type Due struct {
	PublisherID string    `json:"publisherId"`
	AnomalyID   string    `json:"anomalyId"`
	At          time.Time `json:"at"`
}

// Offers reads what is sold. An *offer.Catalogue does.
type Offers interface {
	Sold(ctx context.Context, publisherID, offerID string, preview bool) (offer.Version, error)
}

// Contacts finds the people to mail about a publisher's offers.
type Contacts interface {
	Recipients(ctx context.Context, publisherID string) ([]string, error)
}

// Corrections makes a correction ready to be written. *correction.Service does.
type Corrections interface {
	File(ctx context.Context, c correction.Correction, usages []correction.Usage) (correction.Change, error)
}
