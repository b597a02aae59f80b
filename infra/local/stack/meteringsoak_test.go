package stack_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/bench"
)

// Metering under load, with a kill of the handler: what was accepted is kept once, and the days that are read back and
// the charges of the closed month are its sum (MTR-53, MTR-63, MTR-86). `stoa-local bench -only soak` does it for
// minutes.
func TestMeteringSoak(t *testing.T) {
	t.Parallel()
	report := &bench.Report{Out: t.Output()}
	o := bench.SoakOptions{For: 8 * time.Second, Callers: 2, Kills: 1, Hour: 2 * time.Second}
	require.NoError(t, bench.Soak(t.Context(), report, o))
	for _, r := range report.Results {
		require.True(t, r.OK, "%s: %g", r.Name, r.Value)
	}
}
