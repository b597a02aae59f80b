// Package call is the vocabulary of outbound HTTP calls to addresses that publishers give us.
//
// Domain packages describe the call and read the reply; the guarded client of package outbound makes it.
package call

import (
	"context"
	"time"
)

// Request is one call to make.
type Request struct {
	Method  string
	URL     string
	Header  map[string]string
	Body    []byte
	Timeout time.Duration // 0 means 30 s
	// MaxReply is the most bytes of the reply's body that are kept, 0 means 64 KiB; the rest is dropped.
	MaxReply int
}

// Reply is what came back, whatever its status. Redirects are not followed.
type Reply struct {
	Status  int
	Header  map[string]string
	Body    []byte
	Elapsed time.Duration
}

// Doer makes calls. A transport problem is a fault Unavailable (code "CallFailed" or "CallTimeout"); an address
// that may not be called is Invalid (code "AddressNotAllowed").
type Doer interface {
	Do(ctx context.Context, r Request) (Reply, error)
}
