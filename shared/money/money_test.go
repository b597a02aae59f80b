package money_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/fault"
	"stoa/shared/money"
)

func rat(t testing.TB, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	require.True(t, ok)
	return r
}

func TestRound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value, currency string
		want                  int64
	}{
		{"BIL-1 no decimals", "1234", "JPY", 1234},
		{"BIL-1 three decimals", "1.2345", "KWD", 1234},
		{"BIL-2 4.00 x 12/28, the day price is not rounded first", "48/28", "USD", 171},
		{"BIL-2 half to even, down", "0.125", "USD", 12},
		{"BIL-2 half to even, up", "0.135", "USD", 14},
		{"BIL-2 just over a half", "0.1250000001", "USD", 13},
		{"BIL-2 negative half", "-0.125", "USD", -12},
		{"zero", "0", "EUR", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := money.Round(rat(t, c.value), c.currency)
			require.NoError(t, err)
			require.Equal(t, money.Amount{Minor: c.want, Currency: c.currency}, got)
		})
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	// BIL-3
	for net, fee := range map[int64]int64{50: 2, 150: 4, 250: 8, 16: 0, 10000: 300, -250: -8} {
		got, err := money.Amount{Minor: net, Currency: "USD"}.Percent(decimal.NewFromInt(3))
		require.NoError(t, err)
		require.Equal(t, fee, got.Minor, "3 %% of %d", net)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	// BIL-8
	_, err := money.Of(1, "XXX")
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = money.Round(rat(t, "1e30"), "USD")
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = money.Round(rat(t, "1"), "usd")
	require.True(t, fault.Is(err, fault.Invalid))
	most := money.Amount{Minor: math.MaxInt64, Currency: "USD"}
	_, err = most.Add(money.Amount{Minor: 1, Currency: "USD"})
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = most.Sub(money.Amount{Minor: 1, Currency: "EUR"}) // BIL-7
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = most.Split([]int64{1, -1})
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = most.Split(nil)
	require.True(t, fault.Is(err, fault.Invalid))
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		total   int64
		weights []int64
		want    []int64
	}{
		{"BIL-5 thirds", 100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{"BIL-5 largest remainders", 5, []int64{50, 50, 1}, []int64{3, 2, 0}},
		{"BIL-5 mirror", -100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		{"BIL-5 no weight", 7, []int64{0, 0}, []int64{7, 0}},
		{"the least of all", math.MinInt64, []int64{1}, []int64{math.MinInt64}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			parts, err := money.Amount{Minor: c.total, Currency: "USD"}.Split(c.weights)
			require.NoError(t, err)
			var got []int64
			for _, p := range parts {
				got = append(got, p.Minor)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestSplitIsWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64().Draw(t, "total")
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 12).Draw(t, "weights")
		parts, err := money.Amount{Minor: total, Currency: "JPY"}.Split(weights)
		require.NoError(t, err)
		sum := money.Amount{Currency: "JPY"}
		for _, p := range parts {
			sum, err = sum.Add(p)
			require.NoError(t, err)
		}
		require.Equal(t, total, sum.Minor)
	})
}

// Sums and differences are those of whole numbers, or do not fit (BIL-8).
func TestSumsAreExact(t *testing.T) {
	t.Parallel()
	edges := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.SampledFrom(edges), rapid.Int64())
		a := money.Amount{Minor: number.Draw(t, "a"), Currency: "USD"}
		b := money.Amount{Minor: number.Draw(t, "b"), Currency: "USD"}
		for _, c := range []struct {
			exact *big.Int
			of    func(money.Amount) (money.Amount, error)
		}{
			{new(big.Int).Add(big.NewInt(a.Minor), big.NewInt(b.Minor)), a.Add},
			{new(big.Int).Sub(big.NewInt(a.Minor), big.NewInt(b.Minor)), a.Sub},
		} {
			got, err := c.of(b)
			require.Equal(t, c.exact.IsInt64(), err == nil)
			if err == nil {
				require.Equal(t, c.exact.Int64(), got.Minor)
				continue
			}
			require.True(t, fault.Is(err, fault.Invalid))
		}
	})
}

func TestRoundIsTheNearest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := big.NewRat(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "num"), rapid.Int64Range(1, 1<<20).Draw(t, "den"))
		got, err := money.Round(value, "USD")
		require.NoError(t, err)
		off := new(big.Rat).Sub(got.Rat(), value)
		require.LessOrEqual(t, off.Abs(off).Cmp(big.NewRat(1, 200)), 0)
		if off.Cmp(big.NewRat(1, 200)) == 0 {
			require.Zero(t, got.Minor%2, "a half goes to the even neighbour")
		}
	})
}

func TestString(t *testing.T) {
	t.Parallel()
	require.Equal(t, "-12.30 USD", money.Amount{Minor: -1230, Currency: "USD"}.String())
	require.Equal(t, "12 JPY", money.Amount{Minor: 12, Currency: "JPY"}.String())
}
