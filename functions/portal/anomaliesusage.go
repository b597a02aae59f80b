package portal

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"stoa/shared/anomaly"
	"stoa/shared/correction"
	"stoa/shared/web"
)

// wireCorrection is a correction as its publisher sees it (3.8).
type wireCorrection struct {
	ID          string           `json:"id"`
	OfferID     string           `json:"offerId"`
	MeterID     string           `json:"meterId"`
	CustomerID  string           `json:"customerId"`
	UsageDate   string           `json:"usageDate"`
	AnomalyID   string           `json:"anomalyId,omitempty"`
	EventID     string           `json:"usageEventId,omitempty"`
	Reported    json.Number      `json:"reportedUsage"`
	NewReported json.Number      `json:"newReportedUsage"`
	Reason      string           `json:"reason,omitempty"`
	CaseType    string           `json:"caseType,omitempty"`
	State       correction.State `json:"state"`
	SubmittedAt time.Time        `json:"submittedAt"`
	SubmittedBy string           `json:"submittedBy"`
	DecidedAt   time.Time        `json:"decidedAt,omitzero"`
	Note        string           `json:"note,omitempty"`
	CreditedAt  time.Time        `json:"creditedAt,omitzero"`
}

func correctionOf(c correction.Correction) wireCorrection {
	return wireCorrection{
		ID: c.ID, OfferID: c.OfferID, MeterID: c.Meter, CustomerID: c.CustomerID, UsageDate: c.UsageDate, AnomalyID: c.AnomalyID,
		EventID: c.EventID, Reported: number(c.Reported), NewReported: number(c.NewReported), Reason: c.Reason, CaseType: c.CaseType,
		State: c.State, SubmittedAt: c.SubmittedAt, SubmittedBy: c.SubmittedBy, DecidedAt: c.DecidedAt, Note: c.Note, CreditedAt: c.CreditedAt,
	}
}

// correct takes a report of too much usage in one event: 202 with the correction (MTR-82).
func (h *Anomalies) correct(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		UsageEventID     string               `json:"usageEventId"`
		NewReportedUsage *correction.Quantity `json:"newReportedUsage"`
		Reason           string               `json:"reason"`
	}
	if err := web.Decode(r, &in); err != nil {
		return err
	}
	report := correction.Report{PublisherID: r.PathValue("publisherId"), EventID: in.UsageEventID, Reason: in.Reason, By: who(r)}
	if in.NewReportedUsage != nil {
		report.NewReported = &in.NewReportedUsage.Decimal
	}
	c, err := h.Corrections.Submit(r.Context(), report)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusAccepted, correctionOf(c))
}

// corrections answers the publisher's corrections, the newest first.
func (h *Anomalies) corrections(w http.ResponseWriter, r *http.Request) error {
	q := query{values: r.URL.Query()}
	limit := q.top()
	if err := q.err(); err != nil {
		return err
	}
	publisherID := r.PathValue("publisherId")
	scope := "usage-corrections|" + publisherID
	after, err := h.Pages.Decode(scope, q.values.Get("continuation"))
	if err != nil {
		return err
	}
	list, next, err := h.Corrections.Corrections(r.Context(), publisherID, after, limit)
	if err != nil {
		return err
	}
	out := web.Page[wireCorrection]{Value: make([]wireCorrection, len(list)), Continuation: h.Pages.Encode(scope, next)}
	for i, c := range list {
		out.Value[i] = correctionOf(c)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// wireTrend is the usage of a meter, on a plan or by a customer, over time.
type wireTrend struct {
	OfferID      string         `json:"offerId"`
	MeterID      string         `json:"meterId"`
	PlanID       string         `json:"planId,omitempty"`
	CustomerID   string         `json:"customerId,omitempty"`
	CustomerName string         `json:"customerCompanyName,omitempty"`
	Total        json.Number    `json:"totalUsage"`
	Count        int            `json:"eventCount"`
	Days         []wireTrendDay `json:"days"`
}

type wireTrendDay struct {
	Date  string      `json:"usageDate"`
	Usage json.Number `json:"usage"`
	Count int         `json:"eventCount"`
}

// defaultDays is how far usage is shown back when nobody says.
const defaultDays = 30

// usage answers usage by day, up to and with the last one (MTR-74).
func (h *Anomalies) usage(w http.ResponseWriter, r *http.Request) error {
	q := query{values: r.URL.Query()}
	today := h.Now().UTC().Truncate(24 * time.Hour)
	to := q.date("to", today)
	from := q.date("from", to.AddDate(0, 0, 1-defaultDays))
	group := q.oneOf("group", string(anomaly.ByMeter), string(anomaly.ByPlan), string(anomaly.ByCustomer))
	trend := anomaly.TrendQuery{
		PublisherID: r.PathValue("publisherId"), OfferID: q.id("offer"), Meter: q.id("meter"),
		From: from, Until: to.AddDate(0, 0, 1), Group: cmp.Or(anomaly.Group(group), anomaly.ByMeter),
	}
	if err := q.err(); err != nil {
		return err
	}
	trends, err := h.Anomalies.Trends(r.Context(), trend)
	if err != nil {
		return err
	}
	out := struct {
		From  string        `json:"from"`
		To    string        `json:"to"`
		Group anomaly.Group `json:"group"`
		Value []wireTrend   `json:"value"`
	}{from.Format(time.DateOnly), to.Format(time.DateOnly), trend.Group, make([]wireTrend, len(trends))}
	for i, t := range trends {
		out.Value[i] = trendOf(t)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func trendOf(t anomaly.Trend) wireTrend {
	out := wireTrend{
		OfferID: t.OfferID, MeterID: t.Meter, PlanID: t.PlanID, CustomerID: t.CustomerID, CustomerName: t.CustomerName,
		Total: number(t.Total), Count: t.Count, Days: make([]wireTrendDay, len(t.Days)),
	}
	for i, d := range t.Days {
		out.Days[i] = wireTrendDay{d.Date.Format(time.DateOnly), number(d.Quantity), d.Count}
	}
	return out
}
