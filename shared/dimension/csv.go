package dimension

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"stoa/shared/fault"
)

// Workbook is a file format of tables. Read answers a fault of kind Invalid for what is no file of the format.
type Workbook interface {
	Write(table [][]string) ([]byte, error)
	Read(file []byte) ([][]string, error)
}

// Columns of a price workbook. Those that say which price a row is, and the price itself, must be there.
const (
	columnMarketName = "market_name"
	columnMarket     = "market_iso2"
	columnCurrency   = "currency"
	columnKey        = "price_key"
	columnPrice      = "price"
	columnUSDBase    = "usd_base"
	columnRateDate   = "rate_date"
	columnLocked     = "locked"
)

var (
	columns = []string{columnMarketName, columnMarket, columnCurrency, columnKey, columnPrice, columnUSDBase, columnRateDate, columnLocked}
	needed  = []string{columnMarket, columnKey, columnPrice}
)

// Table is the workbook with its header.
func Table(rows []Row) [][]string {
	out := [][]string{columns}
	for _, r := range rows {
		locked := "no"
		if r.Locked {
			locked = "yes"
		}
		out = append(out, []string{r.MarketName, r.Market, r.Currency, r.Key, r.Price, r.USDBase, r.RateDate, locked})
	}
	return out
}

// Rows reads a table with a header, whose columns may stand in any order and in any case of letters; empty lines are
// left out. Only what Import looks at is read. Invalid when a needed column is missing or stands twice.
func Rows(table [][]string) ([]Row, error) {
	if len(table) == 0 {
		return nil, fault.New(fault.Invalid, CodeRequired, "value", "The workbook is empty.")
	}
	at := map[string]int{}
	for i, name := range table[0] {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice && slices.Contains(columns, name) {
			return nil, fault.New(fault.Invalid, CodeInvalid, name, "The column %s stands twice.", name)
		}
		at[name] = i
	}
	for _, name := range needed {
		if _, ok := at[name]; !ok {
			return nil, fault.New(fault.Invalid, CodeRequired, name, "The workbook has no column %s.", name)
		}
	}
	var out []Row
	for _, line := range table[1:] {
		cell := func(name string) string {
			if i, ok := at[name]; ok && i < len(line) {
				return strings.TrimSpace(line[i])
			}
			return ""
		}
		r := Row{Market: strings.ToUpper(cell(columnMarket)), Currency: strings.ToUpper(cell(columnCurrency)), Key: cell(columnKey), Price: cell(columnPrice)}
		if r != (Row{}) {
			out = append(out, r)
		}
	}
	return out, nil
}

// CSV is the format of RFC 4180 in UTF-8.
type CSV struct{}

// Write implements Workbook.
func (CSV) Write(table [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.WriteAll(table); err != nil {
		return nil, fmt.Errorf("write csv: %w", err)
	}
	return b.Bytes(), nil
}

// Read implements Workbook. A byte order mark in front and line ends of either kind are accepted.
func (CSV) Read(file []byte) ([][]string, error) {
	if !utf8.Valid(file) {
		return nil, fault.New(fault.Invalid, CodeInvalid, "value", "The file is not UTF-8.")
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\ufeff"))))
	r.FieldsPerRecord = -1 // a spreadsheet leaves empty cells at the end out
	table, err := r.ReadAll()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return nil, fault.New(fault.Invalid, CodeInvalid, "value", "Line %d is not CSV: %s.", wrong.Line, wrong.Err).Because(err)
	}
	return table, err
}
