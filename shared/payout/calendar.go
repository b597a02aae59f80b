package payout

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/fault"
	"stoa/shared/money"
)

//go:embed payout-schedule.json
var scheduleJSON []byte

//go:embed payout-thresholds.json
var thresholdsJSON []byte

// sendDay is the day of the month the orders go out, sendTime the time of that day in UTC.
var sendDay, sendTime = mustReadSchedule(scheduleJSON)

func mustReadSchedule(data []byte) (day int, clock time.Duration) {
	var file struct {
		Calendar struct {
			SendDay int    `json:"sendDay"`
			SendUTC string `json:"sendUtc"`
		} `json:"calendar"`
	}
	if err := json.Unmarshal(data, &file); err != nil || file.Calendar.SendDay == 0 {
		panic(fmt.Sprintf("payout-schedule.json: no sendDay: %v", err))
	}
	at, err := time.Parse("15:04", file.Calendar.SendUTC)
	if err != nil {
		panic(fmt.Sprintf("payout-schedule.json: sendUtc: %v", err))
	}
	return file.Calendar.SendDay, time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
}

// threshold is the least earning, in USD cents, that is paid (PAY-23).
var threshold = mustReadThreshold(thresholdsJSON)

func mustReadThreshold(data []byte) int64 {
	var file struct {
		Threshold struct {
			Amount   decimal.Decimal `json:"amount"`
			Currency string          `json:"currency"`
		} `json:"threshold"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		panic(fmt.Sprintf("payout-thresholds.json: %v", err))
	}
	amount, err := money.Round(file.Threshold.Amount.Rat(), file.Threshold.Currency)
	if err != nil || amount.Currency != "USD" {
		panic(fmt.Sprintf("payout-thresholds.json: threshold: %v", err))
	}
	return amount.Minor
}

// Month is a payout month, yyyy-MM.
type Month string

const monthLayout = "2006-01"

// ParseMonth reads a month. Invalid when it is none.
func ParseMonth(text string) (Month, error) {
	if _, err := time.Parse(monthLayout, text); err != nil {
		return "", fault.New(fault.Invalid, "InvalidMonth", "month", "must be a month such as 2026-03")
	}
	return Month(text), nil
}

func (m Month) first() time.Time {
	t, err := time.Parse(monthLayout, string(m))
	if err != nil {
		panic(fmt.Sprintf("payout month %q: %v", m, err)) // ParseMonth and LatestMonth make months
	}
	return t
}

// pst is the clock of the payout calendar: UTC-8 all year (PAY-4).
const pst = 8 * time.Hour

// Cutoff is the instant before which money must be eligible to be in the run of the month: day 5, 00:00 PST
// (PAY-7).
func (m Month) Cutoff() time.Time { return m.first().AddDate(0, 0, 4).Add(pst) }

// SendDate is the day the orders of the month go out: the 15th, or the last weekday before (PAY-31).
func (m Month) SendDate() time.Time {
	day := m.first().AddDate(0, 0, sendDay-1)
	switch day.Weekday() {
	case time.Saturday:
		return day.AddDate(0, 0, -1)
	case time.Sunday:
		return day.AddDate(0, 0, -2)
	}
	return day
}

// SendAt is the instant of the send date from which on the orders go out.
func (m Month) SendAt() time.Time { return m.SendDate().Add(sendTime) }

// RunID is the one run of the month (PAY-20).
func (m Month) RunID() string { return "payout-commercialMarketplace-" + string(m) }

// monthOfRun is the month of a run id.
func monthOfRun(runID string) (Month, error) {
	prefix := Month("").RunID()
	if len(runID) != len(prefix)+len(monthLayout) || runID[:len(prefix)] != prefix {
		return "", fault.New(fault.Invalid, "InvalidRun", "runId", "%q is not a payout run", runID)
	}
	return ParseMonth(runID[len(prefix):])
}

// LatestMonth is the newest month whose cut-off has come.
func LatestMonth(now time.Time) Month {
	m := Month(now.UTC().Format(monthLayout))
	if now.Before(m.Cutoff()) {
		return Month(m.first().AddDate(0, -1, 0).Format(monthLayout))
	}
	return m
}
