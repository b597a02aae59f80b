// Package fault is the one error type of Stoa: what went wrong, in words a caller may read and a program may
// act on.
//
// Domain code makes faults; adapters translate the errors of their SDK into faults in one function each; the
// error writer of an API turns a fault into that API's envelope and decides nothing. An error that carries no
// fault is Internal: its text is logged and never sent.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what may be done about an error. It decides the HTTP status and whether a queue message comes back.
type Kind int

// The kinds. The zero value is Internal, so that a forgotten kind is never blamed on the caller.
const (
	Internal        Kind = iota // 500: our fault, retry may help
	Invalid                     // 400: the request can never succeed as it stands
	NotReady                    // 422: well-formed, but the content does not allow it yet
	TooLarge                    // 413: over a size limit
	UnsupportedType             // 415: a body of another media type
	Unauthenticated             // 401 (403 in APIs whose contract says so)
	Forbidden                   // 403: known caller, not allowed
	NotFound                    // 404: unknown, or not the caller's to know
	BadMethod                   // 405: the path exists, the method does not
	Conflict                    // 409: the state does not allow it
	Gone                        // 410: was there once, and will not be again
	StaleETag                   // 412: someone saved in between
	Throttled                   // 429: too many requests
	Unavailable                 // 503: a dependency is away, retry
)

var kinds = map[Kind]struct {
	status int
	name   string
}{
	Internal:        {500, "Internal"},
	Invalid:         {400, "Invalid"},
	NotReady:        {422, "NotReady"},
	TooLarge:        {413, "TooLarge"},
	UnsupportedType: {415, "UnsupportedType"},
	Unauthenticated: {401, "Unauthenticated"},
	Forbidden:       {403, "Forbidden"},
	NotFound:        {404, "NotFound"},
	BadMethod:       {405, "BadMethod"},
	Conflict:        {409, "Conflict"},
	Gone:            {410, "Gone"},
	StaleETag:       {412, "StaleETag"},
	Throttled:       {429, "Throttled"},
	Unavailable:     {503, "Unavailable"},
}

// Status is the HTTP status of the kind.
func (k Kind) Status() int { return kinds[k].status }

// String is the name of the kind, for logs and tests.
func (k Kind) String() string { return kinds[k].name }

// Transient reports whether the same call may succeed later without anyone changing anything, so that a queue
// message should come back.
func (k Kind) Transient() bool {
	return k == Internal || k == Throttled || k == Unavailable || k == StaleETag
}

// Detail is one finding among several, such as one wrong field of a body.
type Detail struct {
	Code    string // the contract's stable word
	Target  string // field path or header name
	Message string // for the caller: what is wrong and what is allowed
}

// Error is an error with a kind and words for the caller.
type Error struct {
	Kind       Kind
	Code       string        // the contract's stable word
	Target     string        // field path, header or resource the fault is about
	Message    string        // for the caller; no internals
	Details    []Detail      // every finding, in document order
	RetryAfter time.Duration // hint for Throttled, Unavailable and capacity conflicts
	Err        error         // the cause; logged, never sent
}

// New makes a fault. The message is formatted with args.
func New(kind Kind, code, target, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Target: target, Message: fmt.Sprintf(format, args...)}
}

// Error is the text for logs: kind, code, target, message, details and cause.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s", e.Kind, e.Code)
	if e.Target != "" {
		text += " (" + e.Target + ")"
	}
	text += ": " + e.Message
	for _, d := range e.Details {
		text += fmt.Sprintf("; %s %s: %s", d.Code, d.Target, d.Message)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Because returns a copy of the fault that carries its cause.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// As finds the fault in an error chain. An error without one becomes Internal with a generic message.
func As(err error) *Error {
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return &Error{Kind: Internal, Code: "InternalServerError", Message: "An unexpected error occurred.", Err: err}
}

// Is reports whether the error chain holds a fault of the kind.
func Is(err error, kind Kind) bool {
	var f *Error
	return errors.As(err, &f) && f.Kind == kind
}

// Findings collects what a validator finds; validators collect and never stop at the first finding.
type Findings []Detail

// Add records one finding.
func (f *Findings) Add(code, target, format string, args ...any) {
	*f = append(*f, Detail{Code: code, Target: target, Message: fmt.Sprintf(format, args...)})
}

// Err folds the findings into one fault, nil when there are none. A single finding lends the fault its own
// code, target and message; several get the given code and message.
func (f Findings) Err(kind Kind, code, format string, args ...any) error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return &Error{Kind: kind, Code: f[0].Code, Target: f[0].Target, Message: f[0].Message, Details: f}
	}
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...), Details: f}
}
