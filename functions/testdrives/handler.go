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
	"encoding/json"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/functionshost"
	"stoa/shared/message"
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

// Parker keeps messages that can never be processed.
type Parker interface {
	Park(ctx context.Context, queue string, m message.Message, reason error) error
}

// Handler serves the queue and the routes.
type Handler struct {
	TestDrives TestDrives
	Parked     Parker
	Pages      web.Pages
	Now        func() time.Time
}

// Run does one step. Nil settles the message, an error brings it back (HST-24). A step that was done before is
// settled without a second effect.
func (h *Handler) Run(ctx context.Context, in functionshost.Invocation) error {
	var m testdrive.StepMessage
	err := in.Message("message", &m)
	if err == nil {
		ctx = message.WithCorrelation(ctx, in.CorrelationID())
		err = h.TestDrives.Run(ctx, m)
		if err == nil || fault.As(err).Kind.Transient() {
			return err
		}
	}
	return h.Parked.Park(ctx, message.TestDrives, letter(in), err)
}

// letter is the message as it came. Text that is not JSON is kept as a JSON string.
func letter(in functionshost.Invocation) message.Message {
	text, err := in.Text("message")
	if err != nil {
		text = ""
	}
	body := json.RawMessage(text)
	if !json.Valid(body) {
		body, _ = json.Marshal(text) // a string always marshals
	}
	return message.Message{ID: in.MessageID(), Queue: message.TestDrives, Body: body, CorrelationID: in.CorrelationID()}
}
