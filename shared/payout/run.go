package payout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/shared/fault"
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

const listPage = 500

// OpenRun opens the run of a month and queues an item for each publisher that may have something to be paid.
// Opening it again joins the run and queues what is missing (PAY-20). Conflict "TooEarly" before its cut-off.
func (s *Service) OpenRun(ctx context.Context, month Month) (Run, error) {
	now := s.deps.Now().UTC()
	if now.Before(month.Cutoff()) {
		return Run{}, fault.New(fault.Conflict, "TooEarly", "month", "the run of %s opens at %s", month, month.Cutoff().Format(time.RFC3339))
	}
	run, err := s.deps.Store.AddRun(ctx, Run{
		ID: month.RunID(), Month: month, Cutoff: month.Cutoff(), SendDate: month.SendDate().Format(time.DateOnly), OpenedAt: now,
	})
	if err != nil {
		return Run{}, fmt.Errorf("open run %s: %w", month.RunID(), err)
	}
	for after := ""; ; {
		ids, next, err := s.deps.Ledger.Publishers(ctx, after, listPage)
		if err != nil {
			return Run{}, fmt.Errorf("open run %s: %w", run.ID, err)
		}
		for _, id := range ids {
			item := Item{
				RunID: run.ID, Month: month, PublisherID: id, State: Queued, Earned: map[string]int64{},
				Total: money.Amount{Currency: payCurrency}, OpenedAt: run.OpenedAt, ChangedAt: now,
			}
			if err := s.deps.Store.AddItem(ctx, item); err != nil {
				return Run{}, fmt.Errorf("open run %s for %s: %w", run.ID, id, err)
			}
		}
		if next == "" {
			return run, nil
		}
		after = next
	}
}

// Items reads the items of a publisher, the newest month first.
func (s *Service) Items(ctx context.Context, publisherID, after string, limit int) ([]Item, string, error) {
	return s.deps.Store.Items(ctx, publisherID, after, limit)
}
