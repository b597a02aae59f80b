package reconciliation_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/reconciliation"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/metering"
	"stoa/shared/offer"
)

// months are open months of which the second fails.
type months struct {
	metering.ReconStore
	closed []string
}

func (m *months) OpenMonths(_ context.Context, after string, _ int) ([]metering.Open, string, error) {
	open := metering.Open{Month: metering.Month{Series: metering.Series{ResourceID: "r" + after}, Month: "2026-01"}}
	if after == "1" {
		open.Month.Month = "never"
	}
	next := map[string]string{"": "1", "1": "2", "2": ""}[after]
	return []metering.Open{open}, next, nil
}

func (m *months) Between(context.Context, string, string, time.Time, time.Time) ([]metering.Usage, error) {
	return nil, nil
}

func (m *months) Reconciled(_ context.Context, o metering.Open, closed bool) error {
	if !closed {
		return errors.New("nothing is open in it")
	}
	m.closed = append(m.closed, o.ResourceID)
	return nil
}

func (m *months) Taken(context.Context, metering.Series, string) (metering.Taken, error) {
	return nil, nil
}

type noOffers struct{ offer.Reader }

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	m := &months{}
	r, err := metering.NewReconciliation(metering.ReconDeps{Store: m, Ledger: m, Offers: noOffers{}, Now: func() time.Time { return time.Unix(0, 0) }})
	require.NoError(t, err)
	var log bytes.Buffer
	h := &reconciliation.Handler{Usage: r, Log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 2 { // a doubled run does the same again
		m.closed = nil
		require.Error(t, h.Run(t.Context(), functionshosttest.Timer(t, "reconciliation", "timer", true)))
		require.Equal(t, []string{"r", "r2"}, m.closed)
	}
	require.Contains(t, log.String(), "months=2")
}

// A run whose time is over ends after the page it is at; the next one goes on there.
func TestRunGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	m := &months{}
	r, err := metering.NewReconciliation(metering.ReconDeps{Store: m, Ledger: m, Offers: noOffers{}, Now: func() time.Time { return time.Unix(0, 0) }})
	require.NoError(t, err)
	h := &reconciliation.Handler{Usage: r}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var seen [][]string
	for range 4 {
		m.closed = nil
		_ = h.Run(over, functionshosttest.Timer(t, "reconciliation", "timer", false))
		seen = append(seen, m.closed)
	}
	require.Equal(t, [][]string{{"r"}, nil, {"r2"}, {"r"}}, seen)
}
