package usage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/usage"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/message"
	"stoa/shared/metering"
)

// sums are accepted usage, one hour of it, and how it was counted.
type sums struct {
	counted []string
	away    bool
}

var at = time.Date(2026, 1, 10, 9, 30, 0, 0, time.UTC)

func (s *sums) Accepted(_ context.Context, r metering.Ref) (metering.Usage, error) {
	u := metering.Usage{EventID: "e1", ResourceID: "r1", Dimension: "email", Effective: at}
	if r != u.Ref() {
		return u, fault.New(fault.NotFound, "NotFound", "", "no")
	}
	return u, nil
}

func (s *sums) Count(_ context.Context, usages []metering.Usage) error {
	if s.away {
		return errors.New("away")
	}
	for _, u := range usages {
		s.counted = append(s.counted, u.EventID)
	}
	return nil
}

type parked []string

func (p *parked) Park(_ context.Context, queue string, _ message.Message, reason error) error {
	*p = append(*p, queue+" "+fault.As(reason).Code)
	return nil
}

func TestRun(t *testing.T) {
	t.Parallel()
	known := metering.Ref{ResourceID: "r1", Dimension: "email", Hour: "2026011009"}
	for _, c := range []struct {
		name    string
		body    any
		away    bool
		counted []string
		parked  parked
		back    bool
	}{
		{name: "usage that was accepted", body: metering.Announced{Events: []metering.Ref{known}}, counted: []string{"e1"}},
		{name: "nothing", body: metering.Announced{}},
		{name: "usage that is not there", body: metering.Announced{Events: []metering.Ref{known, {ResourceID: "r2"}}}, parked: parked{"usage-accepted UnknownUsage"}},
		{name: "not JSON", body: "{", parked: parked{"usage-accepted MalformedMessage"}},
		{name: "the sums are away", body: metering.Announced{Events: []metering.Ref{known}}, away: true, back: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, p := &sums{away: c.away}, parked(nil)
			counter, err := metering.NewCounter(s)
			require.NoError(t, err)
			h := &usage.Handler{Usage: counter, Parked: &p}
			err = h.Run(t.Context(), functionshosttest.Queue(t, "usage", "message", c.body, 1))
			require.Equal(t, c.back, err != nil, "%v", err)
			require.Equal(t, c.counted, s.counted)
			require.Equal(t, c.parked, p)
		})
	}
}
