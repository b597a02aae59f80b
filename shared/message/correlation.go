package message

import "context"

type correlationKey struct{}

// WithCorrelation returns a context that carries the correlation id of the request being served, for log lines
// and for the messages the request causes.
func WithCorrelation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// Correlation is the correlation id of the context, empty when it has none.
func Correlation(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}
