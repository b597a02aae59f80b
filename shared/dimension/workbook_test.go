package dimension_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"stoa/shared/dimension"
	"stoa/shared/fault"
	"stoa/shared/money"
)

func meterOf(t *testing.T, o *dimension.Offer, planID, dimensionID string) dimension.Meter {
	t.Helper()
	p, err := o.Plan(planID)
	require.NoError(t, err)
	m, ok := p.Meter(dimensionID)
	require.True(t, ok)
	return m
}

func TestConversion(t *testing.T) {
	t.Parallel()
	// MTR-16
	o := cns(t)
	o.Plans[0].Markets = []string{"US", "DE", "JP", "SE"}
	set := func(text string, rates dimension.Rates) {
		require.NoError(t, o.Set("basic", "email", dimension.Setting{Enabled: true, Price: price(text)}, rates))
	}
	set("0.01", day)
	m := meterOf(t, o, "basic", "email")
	require.Equal(t, map[string]dimension.Price{
		"DE": {Price: m.Prices["DE"].Price, RateDate: "2026-03-01"}, "JP": {Price: m.Prices["JP"].Price, RateDate: "2026-03-01"},
	}, m.Prices, "no price in USD is converted, and none without a rate")
	require.Equal(t, "0.009", m.Prices["DE"].Price.String())
	require.Equal(t, "1.501235", m.Prices["JP"].Price.String(), "six decimals")
	require.Equal(t, "0.01", o.Plans[0].PriceText(m))
	for market, want := range map[string]string{"US": "0.01 USD true", "DE": "0.009 EUR true", "SE": "0.01 SEK false", "XX": "0  false"} {
		price, currency, ok := m.PriceIn(market)
		got := price.String() + " " + currency + " false"
		if ok {
			got = price.String() + " " + currency + " true"
		}
		require.Equal(t, want, got)
	}

	later := dimension.Rates{Day: "2026-04-01", Units: map[string]decimal.Decimal{"EUR": usd("2"), "SEK": usd("10")}}
	o.Plans[0].FillPrices(later)
	m = meterOf(t, o, "basic", "email")
	require.Equal(t, "0.009", m.Prices["DE"].Price.String(), "prices do not move with the rates")
	require.Equal(t, dimension.Price{Price: m.Prices["SE"].Price, RateDate: "2026-04-01"}, m.Prices["SE"])
	set("0.01", later)
	require.Equal(t, "0.02", meterOf(t, o, "basic", "email").Prices["DE"].Price.String(), "but with a save")
}

func TestExport(t *testing.T) {
	t.Parallel()
	// MTR-16
	o := cns(t)
	rows, err := o.Export("basic")
	require.NoError(t, err)
	require.Equal(t, []dimension.Row{
		{MarketName: "Germany", Market: "DE", Currency: "EUR", Key: "email", Price: "0.9", USDBase: "1", RateDate: "2026-03-01"},
		{MarketName: "United States", Market: "US", Currency: "USD", Key: "email", Price: "1", USDBase: "1"},
		{MarketName: "Germany", Market: "DE", Currency: "EUR", Key: "text", Price: "0.018", USDBase: "0.02", RateDate: "2026-03-01"},
		{MarketName: "United States", Market: "US", Currency: "USD", Key: "text", Price: "0.02", USDBase: "0.02"},
	}, rows)
	live(o)
	o.Plans[0].Markets = append(o.Plans[0].Markets, "JP")
	rows, err = o.Export("basic")
	require.NoError(t, err)
	require.Equal(t, []bool{true, false, true}, []bool{rows[0].Locked, rows[1].Locked, rows[2].Locked})
	require.Equal(t, "JP", rows[1].Market)
	require.Empty(t, rows[1].Price)
	_, err = o.Export("gold")
	refused(t, err, fault.NotFound, "NotFound", "planId")
	o.Plans = append(o.Plans, dimension.Plan{ID: "gold", Markets: []string{"US"}})
	_, err = o.Export("gold")
	refused(t, err, fault.Conflict, dimension.CodeNothingToExport, "planId")
}

func TestImport(t *testing.T) {
	t.Parallel()
	row := func(market, currency, key, price string) dimension.Row {
		return dimension.Row{Market: market, Currency: currency, Key: key, Price: price}
	}
	good := row("DE", "EUR", "email", "0.95")
	for _, c := range []struct {
		name         string
		rows         []dimension.Row
		code, target string
	}{
		{"MTR-16 one row", []dimension.Row{good}, "", ""},
		{"price 0", []dimension.Row{row("DE", "", "email", "0")}, "", ""},
		{"no rows", nil, dimension.CodeRequired, "value"},
		{"a market that is not sold in", []dimension.Row{good, row("FR", "EUR", "email", "1")}, dimension.CodeInvalid, "value[1].market"},
		{"no market", []dimension.Row{good, row("XX", "EUR", "email", "1")}, dimension.CodeInvalid, "value[1].market"},
		{"another currency", []dimension.Row{good, row("US", "EUR", "email", "1")}, dimension.CodeInvalid, "value[1].currency"},
		{"no dimension", []dimension.Row{good, row("US", "USD", "fax", "1")}, dimension.CodeInvalid, "value[1].priceKey"},
		{"twice", []dimension.Row{good, good}, dimension.CodeInvalid, "value[1].market"},
		{"no price", []dimension.Row{good, row("US", "USD", "email", "")}, dimension.CodeInvalid, "value[1].price"},
		{"negative", []dimension.Row{good, row("US", "USD", "email", "-1")}, dimension.CodeInvalid, "value[1].price"},
		{"no number", []dimension.Row{good, row("US", "USD", "email", "1,5")}, dimension.CodeInvalid, "value[1].price"},
		{"too fine", []dimension.Row{good, row("US", "USD", "email", "0.0000001")}, dimension.CodeInvalid, "value[1].price"},
		{"too many rows", make([]dimension.Row, dimension.MaxRows+1), dimension.CodeInvalid, "value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := cns(t)
			err := o.Import("basic", c.rows)
			m := meterOf(t, o, "basic", "email")
			if c.code == "" {
				require.NoError(t, err)
				require.True(t, m.Imported())
				require.Equal(t, "(export to see)", o.Plans[0].PriceText(m))
				return
			}
			refused(t, err, fault.Invalid, c.code, c.target)
			require.False(t, m.Imported(), "all or nothing")
		})
	}
	o := cns(t)
	err := o.Import("basic", []dimension.Row{row("FR", "", "email", "1"), row("DE", "", "fax", "1")})
	require.Len(t, fault.As(err).Details, 2, "every wrong row")
	o.Plans[0].PerUser = true
	refused(t, o.Import("basic", []dimension.Row{good}), fault.Invalid, dimension.CodeNotAllowed, "planId")
}

func TestImportAndSave(t *testing.T) {
	t.Parallel()
	// MTR-16
	o := cns(t)
	rows, err := o.Export("basic")
	require.NoError(t, err)
	require.NoError(t, o.Import("basic", rows))
	require.Equal(t, cns(t), o, "exported and imported without an edit")

	require.NoError(t, o.Import("basic", []dimension.Row{{Market: "DE", Key: "email", Price: "0.5"}, {Market: "US", Key: "email", Price: "1.1"}}))
	o.Plans[0].Markets = append(o.Plans[0].Markets, "JP")
	require.NoError(t, o.Set("basic", "email", dimension.Setting{Enabled: true, Price: price("2")}, day))
	m := meterOf(t, o, "basic", "email")
	require.Equal(t, []string{"0.5", "1.1", "300.246913"}, []string{m.Prices["DE"].Price.String(), m.Prices["US"].Price.String(), m.Prices["JP"].Price.String()},
		"a save converts what was not imported")
	price, currency, ok := m.PriceIn("US")
	require.Equal(t, []any{"1.1", "USD", true}, []any{price.String(), currency, ok})
}

func TestImportIntoPublishedPlan(t *testing.T) {
	t.Parallel()
	// MTR-12
	o := live(cns(t))
	o.Plans[0].Markets = append(o.Plans[0].Markets, "JP")
	changed := dimension.Row{Market: "DE", Key: "email", Price: "0.5"}
	refused(t, o.Import("basic", []dimension.Row{{Market: "JP", Key: "email", Price: "100"}, changed}), fault.Conflict, dimension.CodePriceLocked, "value[1].price")
	require.NotContains(t, meterOf(t, o, "basic", "email").Prices, "JP")
	refused(t, o.Import("basic", []dimension.Row{{Market: "US", Key: "email", Price: "2"}}), fault.Conflict, dimension.CodePriceLocked, "value[0].price")
	refused(t, o.Import("basic", []dimension.Row{changed, {Market: "FR", Key: "email", Price: "1"}}), fault.Invalid, dimension.CodeInvalid, "value[1].market")
	changed.Price = "0.90"
	require.NoError(t, o.Import("basic", []dimension.Row{changed, {Market: "JP", Key: "email", Price: "100"}}), "a market that was gained since")
	require.NoError(t, o.Published.CheckLocks(o.Dimensions, o.Plans))
}

func TestCSV(t *testing.T) {
	t.Parallel()
	o := cns(t)
	rows, err := o.Export("basic")
	require.NoError(t, err)
	file, err := dimension.CSV{}.Write(dimension.Table(rows))
	require.NoError(t, err)
	require.Contains(t, string(file), "market_name,market_iso2,currency,price_key,price,usd_base,rate_date,locked\r\nGermany,DE,EUR,email,0.9,1,2026-03-01,no\r\n")
	read := func(file string) ([]dimension.Row, error) {
		table, err := dimension.CSV{}.Read([]byte(file))
		if err != nil {
			return nil, err
		}
		return dimension.Rows(table)
	}
	back, err := read(string(file))
	require.NoError(t, err)
	require.NoError(t, o.Import("basic", back))
	require.Equal(t, cns(t), o)

	back, err = read("\ufeffPrice, Price_Key ,MARKET_ISO2\n0.5,email,de\n\n,,\n")
	require.NoError(t, err)
	require.Equal(t, []dimension.Row{{Market: "DE", Key: "email", Price: "0.5"}}, back)
	for file, target := range map[string]string{
		"": "value", "price,market_iso2\n": "price_key", "price,price_key,market_iso2,price\n": "price", "a\"b,c\n": "value", "\xff": "value",
	} {
		_, err := read(file)
		require.True(t, fault.Is(err, fault.Invalid), file)
		require.Equal(t, target, fault.As(err).Target, file)
	}
}

func TestMarkets(t *testing.T) {
	t.Parallel()
	p := dimension.Plan{Markets: []string{"US", "DE", "FR", "JP", "XX"}}
	require.Equal(t, []string{"EUR", "JPY"}, p.Currencies())
	require.Equal(t, 30*141, dimension.MaxRows)
	for _, id := range []string{"US", "DE", "BR", "TW"} {
		m, ok := dimension.MarketOf(id)
		require.True(t, ok)
		_, known := money.MinorUnits(m.Currency)
		require.True(t, known, m.Currency)
	}
}

// A spreadsheet gives back what it was written with, numbers as numbers (SAS-40).
func TestXLSX(t *testing.T) {
	t.Parallel()
	o := cns(t)
	rows, err := o.Export("basic")
	require.NoError(t, err)
	file, err := dimension.XLSX{}.Write(dimension.Table(rows))
	require.NoError(t, err)
	table, err := dimension.XLSX{}.Read(file)
	require.NoError(t, err)
	read, err := dimension.Rows(table)
	require.NoError(t, err)
	require.NoError(t, o.Import("basic", read))
	require.Equal(t, cns(t), o, "nothing was edited")

	f, err := excelize.OpenReader(bytes.NewReader(file))
	require.NoError(t, err)
	kind, err := f.GetCellType("Prices", "E2")
	require.NoError(t, err)
	require.Equal(t, excelize.CellTypeUnset, kind, "a price is a number")
	require.NoError(t, f.SetCellValue("Prices", "E2", 0.1+0.2)) // 0.30000000000000004
	require.NoError(t, f.SetCellValue("Prices", "ZZ2", "a remark far away"))
	edited, err := f.WriteToBuffer()
	require.NoError(t, err)
	table, err = dimension.XLSX{}.Read(edited.Bytes())
	require.NoError(t, err)
	read, err = dimension.Rows(table)
	require.NoError(t, err)
	require.Equal(t, "0.3", read[0].Price)
}

const openSheet, closeSheet = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`, `</sheetData></worksheet>`

// spreadsheet is a file with other parts than ours.
func spreadsheet(t testing.TB, sheet, shared string) []byte {
	t.Helper()
	file, err := dimension.XLSX{}.Write(nil)
	require.NoError(t, err)
	from, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, part := range from.File {
		if part.Name != "xl/worksheets/sheet1.xml" {
			require.NoError(t, z.Copy(part))
		}
	}
	for name, text := range map[string]string{"xl/worksheets/sheet1.xml": sheet, "xl/sharedStrings.xml": shared} {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(w, text)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// Texts stand in the cells or are shared, in runs of different looks; cells and lines may be left out.
func TestXLSXCells(t *testing.T) {
	t.Parallel()
	table, err := dimension.XLSX{}.Read(spreadsheet(t,
		openSheet+`<row r="2"><c r="B2" t="s"><v>1</v></c><c t="inlineStr"><is><t>here</t></is></c></row><row r="9"/><row r="10"><c r="A10" t="n"><v>1.1000000000000001</v></c>`+
			`<c r="D10" t="str"><f>A1</f><v>1.1000000000000001</v></c><c r="XFD10"><v>5</v></c></row>`+closeSheet,
		`<sst><si><t>a</t></si><si><r><t>mar</t></r><r><t>ket</t></r></si></sst>`))
	require.NoError(t, err)
	require.Equal(t, [][]string{{"", "market", "here"}, {"1.1", "", "", "1.1000000000000001"}}, table)
}

// A file that is none, one that inflates without end and one with too many lines are refused.
func TestXLSXHostile(t *testing.T) {
	t.Parallel()
	cell := openSheet + `<row><c t="s"><v>%s</v></c></row>` + closeSheet
	for name, file := range map[string][]byte{
		"nothing":        nil,
		"text":           []byte("market_iso2,price"),
		"half":           spreadsheet(t, "", "")[:200],
		"a bomb":         spreadsheet(t, strings.Repeat(" ", 4<<20), ""),
		"no sheet":       spreadsheet(t, "", ""),
		"no shared text": spreadsheet(t, fmt.Sprintf(cell, "1"), `<sst><si><t>a</t></si></sst>`),
		"no number":      spreadsheet(t, fmt.Sprintf(cell, "-1"), `<sst><si><t>a</t></si></sst>`),
		"many lines":     spreadsheet(t, openSheet+strings.Repeat(`<row><c><v>5</v></c></row>`, dimension.MaxRows+2)+closeSheet, "<sst/>"),
	} {
		_, err := dimension.XLSX{}.Read(file)
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", name, err)
	}
}

// Whatever the parts of a file are, they are a table or refused.
func FuzzXLSX(f *testing.F) {
	f.Add(openSheet+`<row r="2"><c r="B2" t="s"><v>0</v></c><c t="inlineStr"><is><t>here</t></is></c></row>`+closeSheet, `<sst><si><r><t>a</t></r></si></sst>`)
	f.Fuzz(func(t *testing.T, sheet, shared string) {
		table, err := dimension.XLSX{}.Read(spreadsheet(t, sheet, shared))
		require.True(t, err == nil || fault.Is(err, fault.Invalid), "%v", err)
		require.LessOrEqual(t, len(table), dimension.MaxRows+1)
	})
}

// Whatever a file holds, it becomes rows, or a refusal that is the caller's; imported, the offer can be exported again.
func FuzzCSV(f *testing.F) {
	f.Add("market_iso2,price_key,price\nDE,email,0.5\n")
	f.Add("\ufeffprice;price_key\n\"1\"\"")
	f.Add("price,price_key,market_iso2,currency\n1e400,text,us,USD\n-0,email,DE,\n")
	f.Fuzz(func(t *testing.T, file string) {
		table, err := dimension.CSV{}.Read([]byte(file))
		var rows []dimension.Row
		if err == nil {
			rows, err = dimension.Rows(table)
		}
		o := cns(t)
		if err == nil {
			err = o.Import("basic", rows)
		}
		if err != nil {
			require.True(t, fault.Is(err, fault.Invalid), "%v", err)
			require.Equal(t, cns(t), o)
			return
		}
		_, err = o.Export("basic")
		require.NoError(t, err)
	})
}
