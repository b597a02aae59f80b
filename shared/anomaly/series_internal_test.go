package anomaly

import (
	"math"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The short way to a float64 gives what the long one does.
func TestToFloat(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := decimal.New(rapid.Int64().Draw(t, "coefficient"), int32(rapid.IntRange(-40, 40).Draw(t, "exponent")))
		require.Equal(t, d.InexactFloat64(), toFloat(d), d.String())
	})
}

func TestToDecimal(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 100: "100", 1e12: "1000000000000", 1e-12: "0.000000000001", 1.0 / 3: "0.3333333333"} {
		require.Equal(t, want, toDecimal(f).String())
	}
	require.NotZero(t, toDecimal(math.MaxFloat64).Sign())
}
