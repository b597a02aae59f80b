package vmprice_test

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/dimension/vmprice"
	"stoa/shared/fault"
)

func usd(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func given(text string) decimal.NullDecimal { return decimal.NewNullDecimal(usd(text)) }

func size(t *testing.T, id string) vmprice.Size {
	t.Helper()
	s, ok := vmprice.SizeOf(id)
	require.True(t, ok)
	return s
}

// table has a price for each core size at so much per core, in whole numbers.
func table(t *testing.T, perCore string) vmprice.Table {
	t.Helper()
	out, err := vmprice.Generate(usd(perCore))
	require.NoError(t, err)
	return out
}

func refused(t *testing.T, err error, kind fault.Kind, code, target string) {
	t.Helper()
	require.Error(t, err)
	f := fault.As(err)
	require.Equal(t, []any{kind, code, target}, []any{f.Kind, f.Code, f.Target}, "%v", err)
}

func TestOption(t *testing.T) {
	t.Parallel()
	one := vmprice.Table{"1core": usd("1")}
	for _, c := range []struct {
		name   string
		prices vmprice.Prices
		want   vmprice.Option
	}{
		{"MTR-91 free", vmprice.Prices{Free: true}, vmprice.Free},
		{"MTR-91 flat rate", vmprice.Prices{FlatRate: given("0")}, vmprice.FlatRate},
		{"MTR-91 per core", vmprice.Prices{PerCore: given("1")}, vmprice.PerCore},
		{"MTR-91 per core size", vmprice.Prices{PerSize: one}, vmprice.PerCoreSize},
		{"MTR-91 per market and core size", vmprice.Prices{PerMarket: map[string]vmprice.Table{"DE": one}}, vmprice.PerMarketAndCoreSize},
		{"MTR-91 none", vmprice.Prices{}, ""},
		{"MTR-91 two", vmprice.Prices{Free: true, PerCore: given("0")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.prices.Option()
			require.Equal(t, c.want, got)
			if c.want == "" {
				refused(t, err, fault.Invalid, vmprice.CodeOption, "priceOption")
				refused(t, c.prices.Check(nil), fault.Invalid, vmprice.CodeOption, "priceOption")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want != vmprice.PerMarketAndCoreSize, got.Converted())
		})
	}
}

func TestHourly(t *testing.T) {
	t.Parallel()
	euros := table(t, "3")
	for _, c := range []struct {
		name, size, region string
		prices             vmprice.Prices
		price, currency    string
	}{
		{"free", "8core", "DE", vmprice.Prices{Free: true}, "0", "USD"},
		{"flat rate", "8core", "DE", vmprice.Prices{FlatRate: given("0.3")}, "0.3", "USD"},
		{"per core", "8core", "DE", vmprice.Prices{PerCore: given("0.3")}, "2.4", "USD"},
		{"per core, shared", "sharedcore", "DE", vmprice.Prices{PerCore: given("1")}, "0.166667", "USD"},
		{"per core size", "8core", "DE", vmprice.Prices{PerSize: table(t, "2")}, "16", "USD"},
		{"per market", "8core", "DE", vmprice.Prices{PerMarket: map[string]vmprice.Table{"DE": euros}}, "24", "EUR"},
		{"another region", "8core", "US", vmprice.Prices{PerMarket: map[string]vmprice.Table{"DE": euros}}, "", ""},
		{"no such size", "8core", "US", vmprice.Prices{PerSize: vmprice.Table{"1core": usd("1")}}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			price, currency, err := c.prices.Hourly(c.region, size(t, c.size))
			if c.price == "" {
				refused(t, err, fault.NotFound, "NotFound", "coreSize")
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{c.price, c.currency}, []string{price.String(), currency})
		})
	}
	_, _, err := vmprice.Prices{}.Hourly("DE", size(t, "1core"))
	refused(t, err, fault.Invalid, vmprice.CodeOption, "priceOption")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	change := func(id, price string) vmprice.Table {
		out := table(t, "1")
		out[id] = usd(price)
		return out
	}
	short := table(t, "1")
	delete(short, "416core")
	markets := func(tables map[string]vmprice.Table) vmprice.Prices { return vmprice.Prices{PerMarket: tables} }
	for _, c := range []struct {
		name         string
		prices       vmprice.Prices
		code, target string
	}{
		{"all sizes", vmprice.Prices{PerSize: table(t, "0")}, "", ""},
		{"all regions", markets(map[string]vmprice.Table{"DE": table(t, "1"), "US": table(t, "1")}), "", ""},
		{"a size less", vmprice.Prices{PerSize: short}, vmprice.CodeRequired, "perCoreSize.416core"},
		{"an unknown size", vmprice.Prices{PerSize: change("3core", "1")}, vmprice.CodeInvalid, "perCoreSize.3core"},
		{"negative", vmprice.Prices{PerSize: change("1core", "-1")}, vmprice.CodeInvalid, "perCoreSize.1core"},
		{"flat rate negative", vmprice.Prices{FlatRate: given("-1")}, vmprice.CodeInvalid, "flatRate"},
		{"per core too fine", vmprice.Prices{PerCore: given("0.0000001")}, vmprice.CodeInvalid, "perCore"},
		{"beyond computing", vmprice.Prices{PerCore: given("1e9999")}, vmprice.CodeInvalid, "perCore"},
		{"a region less", markets(map[string]vmprice.Table{"DE": table(t, "1")}), vmprice.CodeRequired, "perMarketAndCoreSize.US"},
		{"an unknown region", markets(map[string]vmprice.Table{"DE": table(t, "1"), "US": table(t, "1"), "XX": table(t, "1")}), vmprice.CodeInvalid, "perMarketAndCoreSize.XX"},
		{"negative in a region", markets(map[string]vmprice.Table{"DE": change("1core", "-1"), "US": table(t, "1")}), vmprice.CodeInvalid, "perMarketAndCoreSize.DE.1core"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.prices.Check([]string{"DE", "US"})
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			refused(t, err, fault.Invalid, c.code, c.target)
		})
	}
	_, err := vmprice.Generate(usd("-1"))
	refused(t, err, fault.Invalid, vmprice.CodeInvalid, "pricePerCore")
	require.Len(t, table(t, "1"), 25)
}

var july = time.Date(2019, 7, 2, 0, 0, 0, 0, time.UTC)

func TestNewCoreSize(t *testing.T) {
	t.Parallel()
	without := func(perCore string, gone ...string) vmprice.Table {
		out := table(t, perCore)
		for _, id := range gone {
			delete(out, id)
		}
		return out
	}
	t.Run("MTR-92 nothing is needed", func(t *testing.T) {
		t.Parallel()
		for _, p := range []vmprice.Prices{{Free: true}, {FlatRate: given("1")}, {PerCore: given("1")}} {
			r, err := p.Announce(size(t, "10core"), july)
			require.NoError(t, err)
			require.Equal(t, vmprice.Applied, r.State)
			require.Empty(t, r.Prices)
			require.Equal(t, p, p.With(r))
			_, err = r.Send(nil, july)
			refused(t, err, fault.Conflict, "ReviewEnded", "coreSize")
		}
	})
	t.Run("MTR-92 suggestions", func(t *testing.T) {
		t.Parallel()
		p := vmprice.Prices{PerSize: without("2", "10core")}
		p.PerSize["8core"] = usd("4") // the next below: 0.5 per core
		r, err := p.Announce(size(t, "10core"), july)
		require.NoError(t, err)
		require.Equal(t, "5", r.Prices[""].String())
		require.Equal(t, vmprice.Suggested, r.State)
		require.Equal(t, time.Date(2019, 8, 1, 0, 0, 0, 0, time.UTC), r.Deadline)
		require.Equal(t, p, p.With(r), "not published before the review is over")

		p = vmprice.Prices{PerMarket: map[string]vmprice.Table{"DE": without("3", "sharedcore"), "US": without("6", "sharedcore")}}
		r, err = p.Announce(size(t, "sharedcore"), july)
		require.NoError(t, err)
		require.Equal(t, []string{"0.5", "1"}, []string{r.Prices["DE"].String(), r.Prices["US"].String()}, "none below: the next above")

		_, err = p.Announce(size(t, "1core"), july)
		refused(t, err, fault.Conflict, "AlreadyExists", "coreSize")
		_, err = vmprice.Prices{}.Announce(size(t, "1core"), july)
		refused(t, err, fault.Invalid, vmprice.CodeOption, "priceOption")
	})
	t.Run("MTR-92 the review ends", func(t *testing.T) {
		t.Parallel()
		p := vmprice.Prices{PerSize: without("2", "10core")}
		r, err := p.Announce(size(t, "10core"), july)
		require.NoError(t, err)
		r, over := r.End(r.Deadline.Add(-1))
		require.False(t, over)
		r, over = r.End(r.Deadline)
		require.True(t, over)
		require.Equal(t, vmprice.Applied, r.State)
		require.Equal(t, vmprice.Prices{PerSize: table(t, "2")}, p.With(r))
		require.NotContains(t, p.PerSize, "10core", "a copy")
		require.Equal(t, p.With(r), p.With(r).With(r))
	})
	t.Run("MTR-92 the publisher's price", func(t *testing.T) {
		t.Parallel()
		p := vmprice.Prices{PerMarket: map[string]vmprice.Table{"DE": without("3", "10core"), "US": without("6", "10core")}}
		r, err := p.Announce(size(t, "10core"), july)
		require.NoError(t, err)
		own := map[string]decimal.Decimal{"DE": usd("7"), "US": usd("8")}
		_, err = r.Send(own, r.Deadline)
		refused(t, err, fault.Conflict, "ReviewEnded", "coreSize")
		_, err = r.Send(map[string]decimal.Decimal{"DE": usd("7")}, july)
		refused(t, err, fault.Invalid, vmprice.CodeRequired, "prices.US")
		_, err = r.Send(map[string]decimal.Decimal{"DE": usd("7"), "US": usd("-8")}, july)
		refused(t, err, fault.Invalid, vmprice.CodeInvalid, "prices.US")
		_, err = r.Send(map[string]decimal.Decimal{"DE": usd("7"), "US": usd("8"), "FR": usd("1")}, july)
		refused(t, err, fault.Invalid, vmprice.CodeInvalid, "prices.FR")
		r, err = r.Send(own, r.Deadline.Add(-1))
		require.NoError(t, err)
		require.Equal(t, vmprice.Confirmed, r.State)
		r, over := r.End(r.Deadline)
		require.True(t, over)
		require.Equal(t, vmprice.Confirmed, r.State)
		next := p.With(r)
		require.Equal(t, "7", next.PerMarket["DE"]["10core"].String())
		require.Equal(t, "8", next.PerMarket["US"]["10core"].String())
		require.Equal(t, p.PerMarket["DE"]["8core"], next.PerMarket["DE"]["8core"], "no other price changes")
	})
}

func TestTables(t *testing.T) {
	t.Parallel()
	require.Len(t, vmprice.Sizes(), 25)
	currency, ok := vmprice.CurrencyOf("BR")
	require.True(t, ok)
	require.Equal(t, "USD", currency)
	_, ok = vmprice.CurrencyOf("XX")
	require.False(t, ok)
	for _, cores := range []string{"", "0", "-1", "many"} {
		_, err := vmprice.NewSize("x", cores)
		require.Error(t, err)
	}
	_, ok = vmprice.SizeOf("3core")
	require.False(t, ok)
}
