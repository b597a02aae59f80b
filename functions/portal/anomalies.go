// Package portal holds what publishers do in the portal that belongs to no other area: the meters of their offers, usage
// over time, days of usage that do not fit, and corrections of usage (6.5 of the chapter on metering).
//
// Reading usage is for whoever may read usage reports. Deciding on an anomaly or having usage corrected is for whoever
// may edit offers: both may lower what customers pay.
package portal

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stoa/shared/account"
	"stoa/shared/anomaly"
	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/web"
)

const (
	mayReadUsage account.Permission = "usageReports.read"
	mayDecide    account.Permission = "offer.edit"
)

// Anomalies serves usage, anomalies and corrections.
type Anomalies struct {
	Anomalies   *anomaly.Service
	Corrections *correction.Service
	Pages       web.Pages
	Now         func() time.Time
}

// Portal mounts the routes.
func (h *Anomalies) Portal(g *web.Group) {
	const publisher = "/portal/v1/publishers/{publisherId}"
	g.Handle(http.MethodGet, publisher+"/anomalies", web.Publisher(mayReadUsage), h.list)
	g.Handle(http.MethodPost, publisher+"/anomalies/{anomalyId}/mark", web.Publisher(mayDecide), h.mark)
	g.Handle(http.MethodPost, publisher+"/anomalies/{anomalyId}/dismiss", web.Publisher(mayDecide), h.dismiss)
	g.Handle(http.MethodGet, publisher+"/anomalies/actions", web.Publisher(mayReadUsage), h.actions)
	g.Handle(http.MethodPost, publisher+"/usage-corrections", web.Publisher(mayDecide), h.correct)
	g.Handle(http.MethodGet, publisher+"/usage-corrections", web.Publisher(mayReadUsage), h.corrections)
	g.Handle(http.MethodGet, publisher+"/usage", web.Publisher(mayReadUsage), h.usage)
}

// wireAnomaly is an anomaly as its publisher sees it (3.7).
type wireAnomaly struct {
	ID           string        `json:"id"`
	OfferID      string        `json:"offerId"`
	OfferName    string        `json:"offerName"`
	MeterID      string        `json:"meterId"`
	CustomerID   string        `json:"customerId"`
	CustomerName string        `json:"customerCompanyName"`
	UsageDate    string        `json:"usageDate"`
	Reported     json.Number   `json:"reportedUsage"`
	Expected     json.Number   `json:"expectedUsage"`
	Low          json.Number   `json:"expectedLow"`
	High         json.Number   `json:"expectedHigh"`
	Deviation    *json.Number  `json:"deviation"`                   // percent; null when nothing was expected
	Extended     json.Number   `json:"estimatedExtendedChargePC"`   // in the currency
	Currency     string        `json:"currency"`                    //
	Impact       json.Number   `json:"estimatedFinancialImpactUsd"` // negative: under-reported
	FlaggedAt    time.Time     `json:"firstFlaggedAt"`
	ExpiresAt    time.Time     `json:"actionExpiryDate"`
	State        anomaly.State `json:"state"`
	NewReported  *json.Number  `json:"newReportedUsage"`
	Reason       string        `json:"reason,omitempty"`
	ActionAt     time.Time     `json:"actionTakenAt,omitzero"`
	ActionBy     string        `json:"actionTakenBy,omitempty"`
	CorrectionID string        `json:"correctionId,omitempty"`
}

func number(d decimal.Decimal) json.Number { return json.Number(d.String()) }

func numberOrNull(d decimal.NullDecimal) *json.Number {
	if !d.Valid {
		return nil
	}
	n := number(d.Decimal)
	return &n
}

func wireOf(a anomaly.Anomaly) wireAnomaly {
	return wireAnomaly{
		ID: a.ID, OfferID: a.OfferID, OfferName: a.OfferName, MeterID: a.Meter, CustomerID: a.CustomerID, CustomerName: a.CustomerName,
		UsageDate: a.UsageDate, Reported: number(a.Reported), Expected: number(a.Expected), Low: number(a.Low), High: number(a.High),
		Deviation: numberOrNull(a.Deviation), Extended: number(a.Extended), Currency: "USD", Impact: number(a.Impact),
		FlaggedAt: a.FlaggedAt, ExpiresAt: a.ExpiresAt, State: a.State, NewReported: numberOrNull(a.NewReported), Reason: a.Reason,
		ActionAt: a.ActionAt, ActionBy: a.ActionBy, CorrectionID: a.CorrectionID,
	}
}

// list answers anomalies, the newest usage first (MTR-75).
func (h *Anomalies) list(w http.ResponseWriter, r *http.Request) error {
	q := query{values: r.URL.Query()}
	l := anomaly.List{PublisherID: r.PathValue("publisherId"), OfferID: q.id("offer"), Meter: q.id("meter"), Limit: q.top()}
	if text := q.values.Get("period"); text != "" {
		days := []string{"30", "60", "90"}
		if l.Period, _ = strconv.Atoi(q.oneOf("period", days...)); l.Period == 0 {
			l.Period = 30 // it was no number; the finding says so
		}
	}
	l.All = q.oneOf("impact", "over100", "all") == "all"
	states := make([]string, len(anomaly.States))
	for i, s := range anomaly.States {
		states[i] = string(s)
	}
	l.State = anomaly.State(q.oneOf("state", states...))
	if err := q.err(); err != nil {
		return err
	}
	scope := strings.Join([]string{"anomalies", l.PublisherID, l.OfferID, l.Meter, string(l.State), strconv.Itoa(l.Period), strconv.FormatBool(l.All)}, "|")
	var err error
	if l.After, err = h.Pages.Decode(scope, q.values.Get("continuation")); err != nil {
		return err
	}
	found, next, err := h.Anomalies.List(r.Context(), l)
	if err != nil {
		return err
	}
	out := web.Page[wireAnomaly]{Value: make([]wireAnomaly, len(found)), Continuation: h.Pages.Encode(scope, next)}
	for i, a := range found {
		out.Value[i] = wireOf(a)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// mark says that an anomaly is one, and has a lower usage investigated: 200 with the anomaly.
func (h *Anomalies) mark(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		NewReportedUsage *correction.Quantity `json:"newReportedUsage"`
	}
	if err := web.DecodeOptional(r, &in); err != nil {
		return err
	}
	var lowered *decimal.Decimal
	if in.NewReportedUsage != nil {
		lowered = &in.NewReportedUsage.Decimal
	}
	a, err := h.Anomalies.Mark(r.Context(), deed(r), lowered)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, wireOf(a))
}

// dismiss says that an anomaly is none: 200 with the anomaly.
func (h *Anomalies) dismiss(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	a, err := h.Anomalies.Dismiss(r.Context(), deed(r), in.Reason)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, wireOf(a))
}

func deed(r *http.Request) anomaly.Deed {
	return anomaly.Deed{PublisherID: r.PathValue("publisherId"), AnomalyID: r.PathValue("anomalyId"), By: who(r)}
}

// who is the person or application of the request, as the logs show it.
func who(r *http.Request) string {
	c := web.Caller(r.Context())
	return cmp.Or(c.UPN, c.AppID, c.ObjectID)
}

// wireAction is a line of the action log (3.8).
type wireAction struct {
	AnomalyID   string           `json:"anomalyId"`
	OfferID     string           `json:"offerId"`
	MeterID     string           `json:"meterId"`
	CustomerID  string           `json:"customerId"`
	UsageDate   string           `json:"usageDate"`
	Decision    anomaly.Decision `json:"decision"`
	NewReported *json.Number     `json:"newReportedUsage"`
	Reason      string           `json:"reason,omitempty"`
	At          time.Time        `json:"actionTakenAt"`
	By          string           `json:"actionTakenBy"`
}

// actions answers the action log, the newest first.
func (h *Anomalies) actions(w http.ResponseWriter, r *http.Request) error {
	q := query{values: r.URL.Query()}
	limit := q.top()
	if err := q.err(); err != nil {
		return err
	}
	publisherID := r.PathValue("publisherId")
	scope := "anomaly-actions|" + publisherID
	after, err := h.Pages.Decode(scope, q.values.Get("continuation"))
	if err != nil {
		return err
	}
	lines, next, err := h.Anomalies.Actions(r.Context(), publisherID, after, limit)
	if err != nil {
		return err
	}
	out := web.Page[wireAction]{Value: make([]wireAction, len(lines)), Continuation: h.Pages.Encode(scope, next)}
	for i, l := range lines {
		out.Value[i] = wireAction{
			AnomalyID: l.AnomalyID, OfferID: l.OfferID, MeterID: l.Meter, CustomerID: l.CustomerID, UsageDate: l.UsageDate,
			Decision: l.Decision, NewReported: numberOrNull(l.NewReported), Reason: l.Reason, At: l.At, By: l.By,
		}
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// query reads parameters and finds all that is wrong with them.
type query struct {
	values url.Values
	found  fault.Findings
}

func (q *query) err() error {
	return q.found.Err(fault.Invalid, anomaly.CodeBadRequest, "the query has several errors")
}

const (
	defaultPage = 50
	largestPage = 200
	maxID       = 100 // characters; the ids of offers and meters are shorter
)

// id reads an id to filter by.
func (q *query) id(name string) string {
	text := q.values.Get(name)
	if utf8.RuneCountInString(text) > maxID {
		q.found.Add(anomaly.CodeInvalid, name, "may have %d characters at most", maxID)
	}
	return text
}

// oneOf reads a word in any case of letters, empty when it is not there.
func (q *query) oneOf(name string, words ...string) string {
	text := q.values.Get(name)
	if text == "" {
		return ""
	}
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, text) })
	if i < 0 {
		q.found.Add(anomaly.CodeInvalid, name, "must be one of %s", strings.Join(words, ", "))
		return ""
	}
	return words[i]
}

// top reads how many rows a page may have.
func (q *query) top() int {
	text := q.values.Get("top")
	if text == "" {
		return defaultPage
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > largestPage {
		q.found.Add(anomaly.CodeInvalid, "top", "must be a whole number from 1 to %d", largestPage)
		return defaultPage
	}
	return n
}

// date reads a UTC day.
func (q *query) date(name string, otherwise time.Time) time.Time {
	text := q.values.Get(name)
	if text == "" {
		return otherwise
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || at.Year() < 1970 || at.Year() > 2200 {
		q.found.Add(anomaly.CodeInvalid, name, "must be a day like 2026-01-31, of the years 1970 to 2200")
		return otherwise
	}
	return at
}
