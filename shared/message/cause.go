package message

import "context"

// Cause is the request for which something happens, as its caller knows it: x-ms-requestid and x-ms-correlationid
// (FUL-8). A message carries the ids on, so what a worker does for it has the same cause.
type Cause struct {
	RequestID     string
	CorrelationID string
}

type causeKey struct{}

// WithCause returns a context that carries the ids of the request being served, for log lines and for the messages
// and operations the request causes.
func WithCause(ctx context.Context, c Cause) context.Context {
	return context.WithValue(ctx, causeKey{}, c)
}

// CauseOf are the ids of the context, empty when it has none.
func CauseOf(ctx context.Context) Cause {
	c, _ := ctx.Value(causeKey{}).(Cause)
	return c
}

// WithCorrelation returns a context with another correlation id; the request id stays.
func WithCorrelation(ctx context.Context, id string) context.Context {
	c := CauseOf(ctx)
	c.CorrelationID = id
	return WithCause(ctx, c)
}

// Correlation is the correlation id of the context, empty when it has none.
func Correlation(ctx context.Context) string { return CauseOf(ctx).CorrelationID }
