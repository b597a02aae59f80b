package anomaly

import (
	"context"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
)

// Kinds of work.
const (
	KindTrain  = "train"  // a page of a run
	KindExpire = "expire" // a further page of what has expired
)

// Work is the body of a message on the queue of usage reviews.
type Work struct {
	Kind string `json:"kind"`
	Run  string `json:"run,omitempty"`  // train
	Page int    `json:"page,omitempty"` // train, expire
}

const (
	trainingSpan = 90 * day
	firstSpan    = 7 * day // judged by a run that has none before it
	lateness     = day     // usage may be reported for as long (MTR-38), so a day is final then
	runHour      = 2       // of a Monday, UTC
	early        = 5 * time.Minute
)

// Monday is the id of the run that is due at an instant: the latest Monday at 02:00 UTC (MTR-72). The clock that
// started the timer may be ahead of this one; a run that comes some minutes early is that of the new week, which would
// otherwise have none.
func Monday(now time.Time) string {
	at := now.UTC().Add(early - runHour*time.Hour)
	back := (int(at.Weekday()) + 6) % 7
	return at.AddDate(0, 0, -back).Format(time.DateOnly)
}

func pageWork(run string, page int) message.Message {
	return message.New(fmt.Sprintf("anomaly-train:%s:%d", run, page), message.UsageReviews, Work{Kind: KindTrain, Run: run, Page: page})
}

// Train begins the run of the week. Beginning it again changes nothing. It judges the days that have become final
// since the run before, also when that was weeks ago.
func (s *Service) Train(ctx context.Context) error {
	now := s.deps.Now().UTC()
	r := Run{ID: Monday(now), StartedAt: now, Until: now.Add(-lateness).Truncate(day)}
	r.From = r.Until.Add(-firstSpan)
	before, err := s.deps.Store.RunBefore(ctx, r.ID)
	switch {
	case err == nil:
		r.From = latest(before.Until, r.Until.Add(-trainingSpan))
	case !fault.Is(err, fault.NotFound):
		return fmt.Errorf("begin training run %s: %w", r.ID, err)
	}
	if err := s.deps.Store.AddRun(ctx, r, pageWork(r.ID, 0)); err != nil {
		return fmt.Errorf("begin training run %s: %w", r.ID, err)
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Handle does what a message asks for. A fault that is not transient will never succeed.
func (s *Service) Handle(ctx context.Context, w Work) error {
	switch w.Kind {
	case KindTrain:
		return s.trainPage(ctx, w)
	case KindExpire:
		return s.expirePage(ctx, w.Page)
	}
	return fault.New(fault.Invalid, "UnknownKind", "kind", "there is no work of the kind %q", w.Kind)
}

// trainPage models and judges one page of series, and sends for the next. How far the run has come stands in the run,
// so that a page that is done again, or by two at once, changes nothing: a day is flagged once.
func (s *Service) trainPage(ctx context.Context, w Work) error {
	r, err := s.deps.Store.Run(ctx, w.Run)
	if err != nil {
		return fmt.Errorf("training run %s: %w", w.Run, err)
	}
	switch {
	case !r.EndedAt.IsZero() || w.Page < r.Page:
		return nil
	case w.Page > r.Page:
		return fault.New(fault.Unavailable, "NotYetDue", "page", "the run %s is at page %d", r.ID, r.Page)
	}
	page, next, err := s.deps.Usage.Series(ctx, r.Until.Add(-trainingSpan), r.Until, r.After)
	if err != nil {
		return fmt.Errorf("training run %s: %w", r.ID, err)
	}
	marked := markedDays{store: s.deps.Store, since: r.Until.Add(-trainingSpan)}
	for _, series := range page {
		n, err := s.train(ctx, r, series, &marked)
		if err != nil {
			return fmt.Errorf("training run %s: %w", r.ID, err)
		}
		r.Flagged += n
	}
	r.Series, r.Page, r.After = r.Series+len(page), r.Page+1, next
	var msgs []message.Message
	if next == "" {
		r.EndedAt = s.deps.Now().UTC()
	} else {
		msgs = append(msgs, pageWork(r.ID, r.Page))
	}
	if err := s.deps.Store.SaveRun(ctx, r, msgs...); err != nil {
		return fmt.Errorf("training run %s: %w", r.ID, err)
	}
	return nil
}

// train judges one series and flags what does not fit. It returns how many days were new.
func (s *Service) train(ctx context.Context, r Run, series Series, marked *markedDays) (int, error) {
	days, err := marked.of(ctx, series.Key)
	if err != nil {
		return 0, err
	}
	found := series.Judge(r.From, r.Until, days)
	if len(found) == 0 {
		return 0, nil
	}
	v, err := s.deps.Offers.Sold(ctx, series.PublisherID, series.OfferID, false)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return 0, fmt.Errorf("offer %s: %w", series.OfferID, err)
	}
	costs := prices{}
	for _, p := range v.Plans {
		for _, m := range p.Meters {
			if m.DimensionID == series.Meter {
				costs[p.ID] = m.PricePerUnitUSD
			}
		}
	}
	to, err := s.deps.Contacts.Recipients(ctx, series.PublisherID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return 0, fmt.Errorf("contacts of %s: %w", series.PublisherID, err)
	}
	fresh := 0
	for _, f := range found {
		a := costs.of(series.Key, f)
		a.OfferName, a.OfferType, a.CustomerName, a.Run = v.Listing.Name, v.OfferType, series.CustomerName, r.ID
		a.FlaggedAt = s.deps.Now().UTC()
		a.ExpiresAt = a.FlaggedAt.Add(actionWindow)
		added, err := s.deps.Store.Flag(ctx, a, s.notices(a, to)...)
		if err != nil {
			return fresh, err
		}
		if added {
			fresh++
		}
	}
	return fresh, nil
}

// notices are the mails about a new anomaly, each once: to the publisher, and to staff when the risk is high (MTR-79).
func (s *Service) notices(a Anomaly, to []string) []message.Message {
	text := fmt.Sprintf("Publisher: %s\nOffer: %s\nMeter: %s\nUsage date: %s\nReported usage: %s\nExpected usage: %s\nEstimated financial impact: %s USD\nA decision is possible until %s.\n",
		a.PublisherID, a.OfferID, a.Meter, a.UsageDate, a.Reported, a.Expected, a.Impact.StringFixed(cents), a.ExpiresAt.Format("2006-01-02 15:04 UTC"))
	var msgs []message.Message
	mail := func(kind string, to []string, subject string) {
		if len(to) == 0 {
			return
		}
		id := kind + ":" + a.PublisherID + ":" + a.ID
		msgs = append(msgs, message.New(id, message.Notifications, map[string]any{
			"id": id, "kind": kind, "to": to, "subject": a.OfferID + ": " + subject, "body": subject + ".\n\n" + text,
		}))
	}
	mail("usage.anomaly", to, "Unusual usage was detected")
	if a.risky() {
		mail("usage.anomalyRisk", s.deps.Staff, "High financial risk: contact the publisher about unusual usage")
	}
	return msgs
}

// markedDays remembers the marked days of the publisher that is being looked at; series come publisher by publisher.
type markedDays struct {
	store     Store
	since     time.Time
	publisher string
	days      map[Marked]bool
}

// of tells the days of a series that were marked as anomalies.
func (m *markedDays) of(ctx context.Context, k Key) (func(time.Time) bool, error) {
	if m.days == nil || m.publisher != k.PublisherID {
		all, err := m.store.MarkedDays(ctx, k.PublisherID, m.since)
		if err != nil {
			return nil, fmt.Errorf("marked days of %s: %w", k.PublisherID, err)
		}
		m.publisher, m.days = k.PublisherID, make(map[Marked]bool, len(all))
		for _, one := range all {
			m.days[one] = true
		}
	}
	return func(date time.Time) bool {
		return len(m.days) > 0 && m.days[Marked{k, date.Format(time.DateOnly)}]
	}, nil
}

const expirePage = 200

// Expire notes which anomalies nobody decided in time. What is more than a page goes on by messages.
func (s *Service) Expire(ctx context.Context) error { return s.expirePage(ctx, 0) }

func (s *Service) expirePage(ctx context.Context, page int) error {
	now := s.deps.Now().UTC()
	due, err := s.deps.Store.Due(ctx, now, expirePage)
	if err != nil {
		return fmt.Errorf("expire anomalies: %w", err)
	}
	for _, d := range due {
		a, err := s.deps.Store.Anomaly(ctx, d.PublisherID, d.AnomalyID)
		switch {
		case fault.Is(err, fault.NotFound): // it was never written
			continue
		case err != nil:
			return fmt.Errorf("expire anomaly %s: %w", d.AnomalyID, err)
		case a.StateAt(now) != Expired || a.State == Expired:
			continue
		}
		a.State = Expired
		if err := s.deps.Store.Expire(ctx, a); err != nil {
			return fmt.Errorf("expire anomaly %s: %w", d.AnomalyID, err)
		}
	}
	if err := s.deps.Store.Settled(ctx, due); err != nil {
		return fmt.Errorf("expire anomalies: %w", err)
	}
	if len(due) < expirePage {
		return nil
	}
	id := fmt.Sprintf("anomaly-expire:%s:%d", now.Format(time.DateOnly), page+1)
	return s.deps.Store.Send(ctx, message.New(id, message.UsageReviews, Work{Kind: KindExpire, Page: page + 1}))
}
