package testdrive

import (
	"context"

	"stoa/shared/lead"
	"stoa/shared/message"
)

// Store keeps pools and sessions; a pool and its sessions are one aggregate.
type Store interface {
	// Pool reads a pool. One that nobody has used is empty and no error.
	Pool(ctx context.Context, id PoolID) (Pool, error)
	// Session reads a session; NotFound.
	Session(ctx context.Context, id string) (Session, error)
	// Save writes a session and its pool with the messages, as one act; without a lock they are inserted.
	// StaleETag when one of them was saved in between.
	Save(ctx context.Context, s Session, p Pool, msgs ...message.Message) error
	// Sessions lists the sessions of a pool, the newest first.
	Sessions(ctx context.Context, id PoolID, after string, limit int) ([]Session, string, error)
}

// Leads captures the lead of a session. *lead.Service does.
type Leads interface {
	Capture(ctx context.Context, e lead.Event) (lead.Lead, error)
}
