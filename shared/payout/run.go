package payout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/money"
)

// Deps are what the service needs; all are required.
type Deps struct {
	Store      Store
	Ledger     Ledger
	Billing    Billing
	Statements Statements
	Now        func() time.Time
}

// Service opens runs and works on their items.
type Service struct{ deps Deps }

// New makes the service.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Ledger == nil || d.Billing == nil || d.Statements == nil || d.Now == nil {
		return nil, errors.New("payout service: every dependency is required")
	}
	return &Service{deps: d}, nil
}

// Work is the body of a message on the queue payout-items: the work on an item, unless Kind says otherwise.
type Work struct {
	Kind        string `json:"kind,omitempty"`
	RunID       string `json:"runId"`
	PublisherID string `json:"publisherId,omitempty"` // of an item
	Page        int    `json:"page,omitempty"`        // list: from which page on
}

// Kinds of work.
const (
	WorkItem = ""     // compute an item, as far as it can be
	WorkSend = "send" // hand an item to the rail: its send date has come
	WorkList = "list" // give the next publishers of a run their items
)

// Handle does what a message asks for. A fault that is not transient will never succeed.
func (s *Service) Handle(ctx context.Context, w Work) error {
	switch w.Kind {
	case WorkItem:
		return s.ComputeItem(ctx, w.RunID, w.PublisherID)
	case WorkSend:
		return s.SendItem(ctx, w.RunID, w.PublisherID)
	case WorkList:
		return s.List(ctx, w.RunID, w.Page)
	}
	return fault.New(fault.Invalid, "UnknownKind", "kind", "there is no work of the kind %q", w.Kind)
}

// ItemWork is the message that queues the work on an item.
func ItemWork(it Item) message.Message {
	return message.New(it.RunID+":"+it.PublisherID, message.PayoutItems, Work{RunID: it.RunID, PublisherID: it.PublisherID})
}

func listWork(r Run) message.Message {
	return message.New(fmt.Sprintf("%s:list:%d", r.ID, r.Pages), message.PayoutItems, Work{Kind: WorkList, RunID: r.ID, Page: r.Pages})
}

// skew is how much earlier than ours the clock that starts a run may be.
const skew = time.Minute

// Due is the month whose run is to be opened now: the newest whose cut-off has come.
func Due(now time.Time) Month { return LatestMonth(now.Add(skew)) }

// OpenRun opens the run of a month, whose publishers are listed by messages from then on. Opening it again joins
// the run that stands, and lets a listing that was lost go on (PAY-20). Conflict "TooEarly" before its cut-off.
func (s *Service) OpenRun(ctx context.Context, month Month) (Run, error) {
	now := s.deps.Now().UTC()
	if now.Add(skew).Before(month.Cutoff()) {
		return Run{}, fault.New(fault.Conflict, "TooEarly", "month", "the run of %s opens at %s", month, month.Cutoff().Format(time.RFC3339))
	}
	fresh := Run{
		ID: month.RunID(), Month: month, State: Open, Cutoff: month.Cutoff(),
		SendDate: month.SendDate().Format(time.DateOnly), OpenedAt: now,
	}
	run, err := s.deps.Store.AddRun(ctx, fresh, listWork(fresh))
	if err != nil {
		return Run{}, fmt.Errorf("open run %s: %w", fresh.ID, err)
	}
	if run.State == Open && !run.OpenedAt.Equal(now) {
		if err := s.deps.Store.Send(ctx, listWork(run)); err != nil {
			return Run{}, fmt.Errorf("open run %s: %w", run.ID, err)
		}
	}
	return run, nil
}

const listPage = 200

// List gives the next publishers of a run that may have something to be paid their items, and queues itself for
// those after them, in the act that writes down how far it came. A page that was done before, here or by another
// worker, is left alone; one that broke off is done again, and finds the items that it had made.
func (s *Service) List(ctx context.Context, runID string, page int) error {
	if _, err := monthOfRun(runID); err != nil {
		return err
	}
	run, err := s.deps.Store.Run(ctx, runID)
	if err != nil {
		return fmt.Errorf("list run %s: %w", runID, err)
	}
	if run.State != Open || page != run.Pages {
		return nil
	}
	ids, next, err := s.deps.Ledger.Publishers(ctx, run.After, listPage)
	if err != nil {
		return fmt.Errorf("list run %s: %w", runID, err)
	}
	items := make([]Item, len(ids))
	for i, id := range ids {
		items[i] = Item{
			RunID: run.ID, Month: run.Month, PublisherID: id, State: Queued, Earned: map[string]int64{},
			Total: money.Amount{Currency: payCurrency}, OpenedAt: run.OpenedAt, ChangedAt: s.deps.Now().UTC(),
		}
	}
	if err := s.deps.Store.AddItems(ctx, items); err != nil {
		return fmt.Errorf("list run %s: %w", runID, err)
	}
	run.Publishers, run.Pages, run.After = run.Publishers+len(ids), run.Pages+1, next
	var more []message.Message
	if next == "" {
		run.State = Assessing
	} else {
		more = append(more, listWork(run))
	}
	if err := s.deps.Store.SaveRun(ctx, run, more...); err != nil {
		return fmt.Errorf("list run %s: %w", runID, err)
	}
	return nil
}

// Items reads the items of a publisher, the newest month first.
func (s *Service) Items(ctx context.Context, publisherID, after string, limit int) ([]Item, string, error) {
	return s.deps.Store.Items(ctx, publisherID, after, limit)
}
