package agenda_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/agenda"
	"stoa/shared/functionshost/functionshosttest"
)

// work is what is left of each kind; a negative amount fails.
type work struct{ due, left, dead int }

func take(n *int, most int) (int, error) {
	if *n < 0 {
		return 0, errors.New("broken")
	}
	k := min(*n, most)
	*n -= k
	return k, nil
}

func (w *work) Release(_ context.Context, _ time.Time, limit int) (int, error) {
	return take(&w.due, limit)
}

func (w *work) Sweep(context.Context) (int, error) { return take(&w.left, 20) }

func (w *work) Drain(context.Context) (int, error) { return take(&w.dead, 100) }

func run(t *testing.T, w *work) error {
	t.Helper()
	h := &agenda.Handler{Due: w, DrainDeadLetters: w.Drain, Now: func() time.Time { return time.Unix(0, 0) }}
	return h.Run(t.Context(), functionshosttest.Timer(t, "agenda", "timer", true))
}

func TestRunGoesOnUntilNothingIsDue(t *testing.T) {
	t.Parallel()
	w := &work{due: 1701, left: 45, dead: 250}
	require.NoError(t, run(t, w))
	require.Equal(t, work{}, *w)
	require.NoError(t, run(t, w), "a doubled run finds nothing")
}

func TestRunIsBounded(t *testing.T) {
	t.Parallel()
	w := &work{due: 1 << 30}
	require.NoError(t, run(t, w))
	require.Positive(t, w.due)
	require.Less(t, w.due, 1<<30)
}

func TestPartsDoNotHoldEachOtherUp(t *testing.T) {
	t.Parallel()
	w := &work{due: -1, left: 3, dead: 3}
	require.Error(t, run(t, w))
	require.Equal(t, work{due: -1}, *w)
}
