package anomaly

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// Key names a meter of a customer: what has a model of its own (MTR-72).
type Key struct {
	PublisherID string `json:"publisherId"`
	OfferID     string `json:"offerId"`
	Meter       string `json:"meterId"` // the dimension
	CustomerID  string `json:"customerId"`
}

// Series is the accepted usage of a meter by a customer, day by day. A day without usage is not in it.
type Series struct {
	Key
	CustomerName string // company; may be empty
	Days         []Day  // in order of their dates; a date has a Day for each resource and plan
}

// Day is the usage of a resource on a plan on one UTC day.
type Day struct {
	Date time.Time // midnight UTC
	Part
}

// Part is how much a resource used on a plan.
type Part struct {
	ResourceID string          `json:"resourceId"`
	PlanID     string          `json:"planId"`
	Quantity   decimal.Decimal `json:"quantity"`
}

// Finding is a day that lies outside the band.
type Finding struct {
	Date                          time.Time
	Reported, Expected, Low, High decimal.Decimal
	Parts                         []Part // that make up what was reported, the largest first
}

// day is 24 hours.
const day = 24 * time.Hour

func dayNumber(date time.Time) int { return int(date.Unix() / int64(day/time.Second)) }

// Judge holds the days from <= date < until against a model of the series and returns those outside its band, in
// order (MTR-73). Days that were marked as anomalies neither train the model (MTR-78) nor are judged again. A series
// with too few days has no findings.
func (s Series) Judge(from, until time.Time, marked func(time.Time) bool) []Finding {
	points := make([]Point, 0, len(s.Days))
	judged := false
	for _, d := range s.Days {
		if marked(d.Date) {
			continue
		}
		judged = judged || !d.Date.Before(from) && d.Date.Before(until)
		if n, value := dayNumber(d.Date), toFloat(d.Quantity); len(points) > 0 && points[len(points)-1].Day == n {
			points[len(points)-1].Value += value
		} else {
			points = append(points, Point{n, value})
		}
	}
	if !judged {
		return nil
	}
	model, ok := Fit(points)
	if !ok {
		return nil
	}
	var found []Finding
	for _, p := range points {
		date := time.Unix(int64(p.Day)*int64(day/time.Second), 0).UTC()
		if date.Before(from) || !date.Before(until) {
			continue
		}
		if band := model.Band(p.Day); band.Outside(p.Value) {
			found = append(found, s.finding(date, band))
		}
	}
	return found
}

func (s Series) finding(date time.Time, b Band) Finding {
	f := Finding{Date: date, Expected: toDecimal(b.Expected), Low: toDecimal(b.Low), High: toDecimal(b.High)}
	for _, d := range s.Days {
		if d.Date.Equal(date) {
			f.Reported = f.Reported.Add(d.Quantity)
			f.Parts = append(f.Parts, d.Part)
		}
	}
	slices.SortStableFunc(f.Parts, func(a, b Part) int {
		return cmp.Or(b.Quantity.Cmp(a.Quantity), cmp.Compare(a.ResourceID, b.ResourceID), cmp.Compare(a.PlanID, b.PlanID))
	})
	return f
}

// tens are the powers of ten that a float64 holds exactly.
var tens = func() (all [23]float64) {
	for i, power := 0, 1.0; i < len(all); i, power = i+1, power*10 {
		all[i] = power
	}
	return all
}()

// toFloat is the number nearest to the decimal. The usual short ones do not take the way over fractions.
func toFloat(d decimal.Decimal) float64 {
	const exact = 15 // digits that a float64 holds
	if e := int(d.Exponent()); d.NumDigits() <= exact && e > -len(tens) && e < len(tens) {
		if c := float64(d.CoefficientInt64()); e < 0 {
			return c / tens[-e]
		} else {
			return c * tens[e]
		}
	}
	return d.InexactFloat64()
}

// digits is how many digits of a fit are kept.
const digits = 10

// toDecimal is the number to ten digits.
func toDecimal(f float64) decimal.Decimal {
	d, err := decimal.NewFromString(strconv.FormatFloat(f, 'e', digits-1, 64))
	if err != nil {
		return decimal.Zero // a band holds finite numbers only
	}
	return d
}
