package portal_test

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
)

const prices = "/plans/basic/meters/prices"

func TestWorkbook(t *testing.T) {
	t.Parallel()
	// MTR-16
	b := newMeterBench(t)
	b.twoDimensions()
	rows := b.must(200, "GET", prices, "")["value"].([]any)
	require.Equal(t, []any{
		map[string]any{"marketName": "United States", "market": "US", "currency": "USD", "priceKey": "email", "price": 1.0, "usdBase": 1.0, "locked": false},
		map[string]any{"marketName": "United States", "market": "US", "currency": "USD", "priceKey": "text", "price": 0.02, "usdBase": 0.02, "locked": false},
	}, rows)

	w := b.call("reader", "GET", prices, "", "Accept", "text/csv;q=0.9, */*")
	require.Equal(t, 200, w.Code)
	require.Equal(t, []string{"text/csv", `attachment; filename="exportedPrice.csv"`}, []string{w.Header().Get("Content-Type"), w.Header().Get("Content-Disposition")})
	file := w.Body.String()
	require.Equal(t, file, b.call("reader", "GET", prices+"?format=CSV", "").Body.String())
	require.Equal(t, 3, strings.Count(file, "\r\n"))
	require.Equal(t, rows, b.must(200, "PUT", prices, file, "Content-Type", "text/csv")["value"], "nothing was edited")
	const sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	w = b.call("reader", "GET", prices, "", "Accept", sheet)
	require.Equal(t, []string{sheet, `attachment; filename="exportedPrice.xlsx"`}, []string{w.Header().Get("Content-Type"), w.Header().Get("Content-Disposition")}) // SAS-40
	require.Equal(t, rows, b.must(200, "PUT", prices, w.Body.String(), "Content-Type", sheet)["value"], "nothing was edited")
	b.refuses(400, "InvalidValue", "value", "PUT", prices, file, "Content-Type", sheet)
	b.preview()
	b.goLive()
	require.Equal(t, true, b.must(200, "GET", prices, "")["value"].([]any)[0].(map[string]any)["locked"])
	b.refuses(409, "PublishedPriceLocked", "value[0].price", "PUT", prices, `{"value":[{"market":"US","priceKey":"text","price":"3"}]}`)
}

func TestMarketPrices(t *testing.T) {
	t.Parallel()
	// MTR-16
	b := newMeterBench(t)
	require.NoError(t, b.ledger.SetRates(t.Context(), "2026-02-27", map[string]decimal.Decimal{"EUR": decimal.RequireFromString("0.9")}))
	b.edit(func(c *offer.Content) { c.Plans[0].Markets = []string{"US", "DE"} })
	b.twoDimensions()
	priceOf := func(row int) []any {
		r := b.must(200, "GET", prices, "")["value"].([]any)[row].(map[string]any)
		return []any{r["market"], r["priceKey"], r["price"], r["usdBase"], r["rateDate"]}
	}
	require.Equal(t, []any{"DE", "email", 0.9, 1.0, "2026-03-01"}, priceOf(0))
	require.NoError(t, b.ledger.SetRates(t.Context(), "2026-03-01", map[string]decimal.Decimal{"EUR": decimal.RequireFromString("0.5")}))
	require.Equal(t, []any{"DE", "email", 0.9, 1.0, "2026-03-01"}, priceOf(0), "it was converted when it was saved")

	b.must(200, "PUT", prices, "market_iso2,price_key,price\nDE,email,0.95\n", "Content-Type", "text/csv")
	require.Equal(t, []any{"DE", "email", 0.95, nil, nil}, priceOf(0))
	require.Equal(t, "(export to see)", b.plansOf("email")["basic"]["price"])
	b.must(200, "PUT", prices, `{"value":[{"market":"de","currency":"EUR","priceKey":"email","price":1.25}]}`)
	require.Equal(t, []any{"DE", "email", 1.25, nil, nil}, priceOf(0))
	b.preview()
	b.goLive()
	b.refuses(409, "PublishedPriceLocked", "value[0].price", "PUT", prices, `{"value":[{"market":"DE","priceKey":"email","price":2}]}`)
	require.Equal(t, []any{"DE", "email", 1.25, nil, nil}, priceOf(0))

	_, err := b.offers.SavePlan(t.Context(), cns, "basic", map[string]any{"markets": []any{"US", "DE", "FR"}})
	require.NoError(t, err, "a published plan gains a market")
	require.Equal(t, []any{"FR", "email", 0.5, 1.0, "2026-03-01"}, priceOf(0), "at the rate of the day")
	require.Equal(t, []any{"DE", "email", 1.25, nil, nil}, priceOf(1))
	b.must(200, "PUT", prices, `{"value":[{"market":"FR","priceKey":"email","price":0.75}]}`) // it was not live yet
	require.Equal(t, []any{"FR", "email", 0.75, nil, nil}, priceOf(0))
	b.preview()
	b.goLive()
	b.refuses(409, "PublishedPriceLocked", "value[0].price", "PUT", prices, `{"value":[{"market":"FR","priceKey":"email","price":2}]}`)
}
