// Package testdrives runs the steps of test drive sessions from the queue "test-drives" (TDR-59, TDR-68, TDR-84)
// and lets customers start, see and end a session.
//
// At least once, unordered. A step is known by its attempt: one that the session does not expect any more is
// settled without a call. A workflow that fails is no failed message: the step is tried again by a message that
// is due later. A message that cannot be read, or names no session, ends among the dead letters, where staff see
// it (/operator/v1/deadletters).
package testdrives

import (
	"context"
	"time"

	"stoa/shared/account"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/queue"
	"stoa/shared/testdrive"
	"stoa/shared/web"
)

// TestDrives runs sessions. *testdrive.Service does.
type TestDrives interface {
	Start(ctx context.Context, r testdrive.Request) (testdrive.Started, error)
	Session(ctx context.Context, caller account.Caller, id string) (testdrive.Session, error)
	End(ctx context.Context, caller account.Caller, id string) (testdrive.Session, error)
	Sessions(ctx context.Context, id testdrive.PoolID, after string, limit int) ([]testdrive.Session, string, error)
	Run(ctx context.Context, m testdrive.StepMessage) error
}

// Handler serves the queue and the routes.
type Handler struct {
	TestDrives TestDrives
	Parked     queue.Parker
	Pages      web.Pages
	Now        func() time.Time
}

// Run does one step. Nil settles the message, an error brings it back (HST-24). A step that was done before is
// settled without a second effect.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	return queue.Work(ctx, in, message.TestDrives, h.Parked, h.TestDrives.Run)
}
