package conversions_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"stoa/functions/conversions"
	"stoa/shared/functionshost/functionshosttest"
)

type keeper struct {
	limit, sent int
	err         error
}

func (k *keeper) CatchUp(_ context.Context, limit int) (int, error) {
	k.limit = limit
	return k.sent, k.err
}

func TestRun(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	k := &keeper{sent: 3, err: errors.New("store is away")}
	h := &conversions.Handler{Subscriptions: k, Log: slog.New(slog.NewTextHandler(&logs, nil))}
	require.Error(t, h.Run(t.Context(), functionshosttest.Timer(t, "conversions", "timer", true)), "the host shows it")
	require.Positive(t, k.limit)
	require.Contains(t, logs.String(), "count=3")
	k.sent, k.err, h.Log = 0, nil, nil
	require.NoError(t, h.Run(t.Context(), functionshosttest.Timer(t, "conversions", "timer", false)))
}
