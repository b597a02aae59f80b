// Package agenda is the timer that lets time pass: it releases due work to its queues, sends what a process that
// died has left in an outbox, and moves what the bus has dead-lettered into the table that staff see.
//
// Late, missed and doubled runs are ordinary: each run asks what is due now and goes on until nothing is, or its
// time is over. The parts do not hold each other up. Nothing here decides what is due; the store does.
package agenda

import (
	"context"
	"errors"
	"time"

	"stoa/shared/functionshost"
)

// Due releases the messages that are due, at most about limit, and sweeps left-over outbox messages. *store.DB
// does.
type Due interface {
	Release(ctx context.Context, now time.Time, limit int) (int, error)
	Sweep(ctx context.Context) (int, error)
}

// Handler is the trigger of the timer.
type Handler struct {
	Due Due
	// DrainDeadLetters moves dead letters of the bus to where staff see them, and returns how many.
	DrainDeadLetters func(ctx context.Context) (int, error)
	Now              func() time.Time
}

const (
	batch    = 500               // messages of one release
	rounds   = 200               // releases, sweeps and drains of one run
	patience = 100 * time.Second // a run ends then; the next one goes on
)

// Run does what is due. An error fails the run; the next one begins where it stopped.
func (h *Handler) Run(ctx context.Context, _ functionshost.Invocation) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return errors.Join(
		repeat(ctx, func() (int, error) { return h.Due.Release(ctx, h.Now(), batch) }),
		repeat(ctx, func() (int, error) { return h.Due.Sweep(ctx) }),
		repeat(ctx, func() (int, error) { return h.DrainDeadLetters(ctx) }),
	)
}

// repeat goes on until there is nothing left, something fails, or the run's time is over.
func repeat(ctx context.Context, step func() (int, error)) error {
	for range rounds {
		n, err := step()
		if err != nil {
			return err
		}
		if n == 0 || ctx.Err() != nil {
			return nil
		}
	}
	return nil
}
