package metering_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/fault"
	"stoa/shared/metering"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	at := now
	throttle, err := metering.NewThrottle(metering.Pace{PerSecond: 2, Burst: 3}, func() time.Time { return at })
	require.NoError(t, err)
	other := reporter
	other.AppID = "a2"
	take := func(c account.Caller, n int) {
		t.Helper()
		for range n {
			require.NoError(t, throttle.Take(c))
		}
		f := fault.As(throttle.Take(c))
		require.Equal(t, fault.Throttled, f.Kind) // MTR-25
		require.Positive(t, f.RetryAfter)
		require.LessOrEqual(t, f.RetryAfter, 500*time.Millisecond)
	}
	take(reporter, 3)
	take(other, 3) // each caller has its own
	at = at.Add(500 * time.Millisecond)
	take(reporter, 1)
	at = at.Add(time.Hour)
	take(reporter, 3)
	at = at.Add(-2 * time.Hour) // the clock was set back
	take(reporter, 3)
}

func TestPace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]metering.Pace{"": metering.DefaultPace, "10/20": {PerSecond: 10, Burst: 20}} {
		got, err := metering.ParsePace(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"10", "/", "0/1", "1/0", "-1/1", "a/b", "1/2/3", "2000000000/1"} {
		_, err := metering.ParsePace(text)
		require.Error(t, err, text)
	}
}
