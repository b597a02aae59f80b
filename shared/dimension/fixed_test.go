package dimension_test

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension"
)

func TestFixed(t *testing.T) {
	t.Parallel()
	was := map[string]decimal.Decimal{"DE": usd("0.90"), "ZW": usd("2")}
	f := dimension.Fix("1", was)
	text, err := f.MarshalText()
	require.NoError(t, err)
	var read dimension.Fixed
	require.NoError(t, read.UnmarshalText(text))
	require.Equal(t, f, read)
	for _, c := range []struct {
		name  string
		what  string
		is    map[string]decimal.Decimal
		holds bool
	}{
		{"the same in another form", "1", map[string]decimal.Decimal{"DE": usd("0.9"), "ZW": usd("2.0")}, true},
		{"a market more", "1", map[string]decimal.Decimal{"DE": usd("0.9"), "ZW": usd("2"), "FR": usd("1")}, true},
		{"a market less", "1", map[string]decimal.Decimal{"DE": usd("0.9")}, false},
		{"another price", "1", map[string]decimal.Decimal{"DE": usd("0.9"), "ZW": usd("2.000001")}, false},
		{"prices changed places", "1", map[string]decimal.Decimal{"DE": usd("2"), "ZW": usd("0.9")}, false},
		{"no price", "1", nil, false},
		{"something else", "2", was, false},
	} {
		require.Equal(t, c.holds, read.Holds(c.what, c.is), c.name)
	}
	require.Equal(t, []bool{true, true, false, false, false}, []bool{read.Has("DE"), read.Has("ZW"), read.Has("FR"), read.Has("de"), read.Has("")})
	for _, broken := range []string{"", "x", "AAAA", "*"} {
		require.Error(t, read.UnmarshalText([]byte(broken)), broken)
		require.Error(t, new(dimension.Lock).UnmarshalText([]byte(broken)), broken)
	}
}

// Where customers pay in USD the price was live, with or without one of the market's own (MTR-12).
func TestLockInUSD(t *testing.T) {
	t.Parallel()
	o := live(cns(t))
	own := func(market, text string) error {
		m := &o.Plans[0].Meters[0]
		m.Prices = map[string]dimension.Price{"DE": m.Prices["DE"], market: {Price: usd(text)}}
		return o.Published.CheckLocks(o.Dimensions, o.Plans)
	}
	require.Error(t, own("US", "1.01"))
	require.NoError(t, own("US", "1"))
	require.NoError(t, own("JP", "150"), "a market more")
}
