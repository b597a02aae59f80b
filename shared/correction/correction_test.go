package correction_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/correction"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/metering"
)

func refused(t *testing.T, err error, kind fault.Kind, code, target string) {
	t.Helper()
	require.Error(t, err)
	f := fault.As(err)
	require.Equal(t, []any{kind, code, target}, []any{f.Kind, f.Code, f.Target}, "%v", err)
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "1000")
	for _, c := range []struct {
		name         string
		change       func(*correction.Report)
		kind         fault.Kind
		code, target string
	}{
		{"no event", func(r *correction.Report) { r.EventID = "" }, fault.Invalid, correction.CodeMissing, "usageEventId"},
		{"no GUID", func(r *correction.Report) { r.EventID = "x" }, fault.Invalid, correction.CodeInvalid, "usageEventId"},
		{"no usage", func(r *correction.Report) { r.NewReported = nil }, fault.Invalid, correction.CodeMissing, "newReportedUsage"},
		{"no reason", func(r *correction.Report) { r.Reason = "  " }, fault.Invalid, correction.CodeMissing, "reason"},
		{"long reason", func(r *correction.Report) { r.Reason = strings.Repeat("é", 1001) }, fault.Invalid, correction.CodeInvalid, "reason"},
		{"unknown event", func(r *correction.Report) { r.EventID = "00000000-0000-4000-8000-000000000000" }, fault.NotFound, "NotFound", "usageEventId"},
		{"another publisher's event", func(r *correction.Report) { r.PublisherID = "fabrikam" }, fault.NotFound, "NotFound", "usageEventId"},
		{"MTR-80 as much", func(r *correction.Report) { r.NewReported = d("1000") }, fault.NotReady, correction.CodeUnderReported, "newReportedUsage"},
		{"MTR-80 more", func(r *correction.Report) { r.NewReported = d("1000.000001") }, fault.NotReady, correction.CodeUnderReported, "newReportedUsage"},
		{"MTR-80 negative", func(r *correction.Report) { r.NewReported = d("-1") }, fault.NotReady, correction.CodeUnderReported, "newReportedUsage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := report(event, "5")
			c.change(&r)
			_, err := w.Submit(t.Context(), r)
			refused(t, err, c.kind, c.code, c.target)
		})
	}
	_, err := w.Submit(t.Context(), correction.Report{PublisherID: "contoso"})
	require.Len(t, fault.As(err).Details, 3, "all that is wrong")
	list, _, err := w.Corrections(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Empty(t, list)

	r := report(strings.ToUpper(event), "0") // MTR-80: 0 is the least
	c, err := w.Submit(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, correction.Submitted, c.State)
	require.Equal(t, []string{"2026-01-10", "email", "cns", "adatum", "1000", "0"},
		[]string{c.UsageDate, c.Meter, c.OfferID, c.CustomerID, c.Reported.String(), c.NewReported.String()})
}

func d(text string) *decimal.Decimal {
	v := decimal.RequireFromString(text)
	return &v
}

// Submitted, under investigation, approved, credited; each step is shown to those it concerns.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "1000")
	w.close()
	c := w.submit(event, "110")
	_, err := w.Decide(t.Context(), correction.Verdict{PublisherID: "contoso", CorrectionID: c.ID, Approve: true})
	refused(t, err, fault.Conflict, correction.CodeState, "state")
	cases, _, err := w.Cases(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, cases)
	w.work()
	require.Equal(t, correction.UnderInvestigation, w.read(c).State)
	cases, _, err = w.Cases(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, cases, 1)
	for name, v := range map[string]struct {
		verdict correction.Verdict
		kind    fault.Kind
		code    string
		target  string
	}{
		"no note":   {correction.Verdict{PublisherID: "contoso", CorrectionID: c.ID}, fault.Invalid, correction.CodeMissing, "note"},
		"long note": {correction.Verdict{PublisherID: "contoso", CorrectionID: c.ID, Approve: true, Note: strings.Repeat("x", 1001)}, fault.Invalid, correction.CodeInvalid, "note"},
		"unknown":   {correction.Verdict{PublisherID: "contoso", CorrectionID: "20260101000000-0000000000000000", Approve: true}, fault.NotFound, "NotFound", "correctionId"},
		"no id":     {correction.Verdict{PublisherID: "contoso", CorrectionID: "x", Approve: true}, fault.NotFound, "NotFound", "correctionId"},
		"foreign":   {correction.Verdict{PublisherID: "fabrikam", CorrectionID: c.ID, Approve: true}, fault.NotFound, "NotFound", "correctionId"},
	} {
		_, err := w.Decide(t.Context(), v.verdict)
		require.Error(t, err, name)
		refused(t, err, v.kind, v.code, v.target)
	}
	for range 2 { // the same verdict again changes nothing
		require.Equal(t, correction.Approved, w.decide(c, true).State)
	}
	_, err = w.Decide(t.Context(), correction.Verdict{PublisherID: "contoso", CorrectionID: c.ID, Note: "no"})
	refused(t, err, fault.Conflict, correction.CodeState, "state")
	w.work()
	c = w.read(c)
	require.Equal(t, correction.Credited, c.State)
	require.Equal(t, []string{"ann@contoso.example", "staff-app"}, []string{c.SubmittedBy, c.DecidedBy})
	cases, _, err = w.Cases(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, cases)
	var kinds []string
	for _, m := range w.Outbox.Messages(message.Notifications) {
		var mail struct {
			Kind string
			To   []string
		}
		require.NoError(t, json.Unmarshal(m.Body, &mail))
		kinds = append(kinds, mail.Kind+" "+mail.To[0])
	}
	require.ElementsMatch(t, []string{"correction.investigate staff@example.com", "correction.approved owner@contoso.example"}, kinds)
}

// MTR-82: the customer is credited (reported - new) x unit price, at the price and fee of the original line, also when
// the meter costs something else now (BIL-73).
// The share is taken from where it sits (BIL-70): after the holding period it is taken off the next payout.
// All of a line: its share leaves escrow for good.
// BIL-27: a decision does not stop the close of a cycle. The usage is charged first and given back then.
// MTR-68: metered charges are not prorated; what is corrected of a subscription that ended in the month is corrected
// at the full price.
// MTR-69: what was billed is given back through an approved correction and in no other way.
func TestDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := w.use("s1", "basic", "1000")
	w.close()
	charged := w.balances()
	c := w.submit(event, "110")
	w.work()
	require.Equal(t, charged, w.balances(), "not before it is approved")
	for range 2 {
		require.Equal(t, correction.Declined, w.decide(c, false).State)
	}
	w.work()
	require.Equal(t, charged, w.balances())
	refused(t, w.Handle(t.Context(), correction.Work{Kind: correction.KindCredit, PublisherID: "contoso", CorrectionID: c.ID}),
		fault.Conflict, correction.CodeState, "state")
	cases, _, err := w.Cases(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, cases)
	w.Set(closed.Add(time.Hour))
	again := w.correct(event, "500") // the usage may be corrected anew
	require.Equal(t, correction.Credited, again.State)
	require.Equal(t, int64(50_000), w.balances()["platform:cash"])
	list, _, err := w.Corrections(t.Context(), "contoso", "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{again.ID, c.ID}, []string{list[0].ID, list[1].ID}, "the newest first")
}

// MTR-84: the corrected hour is a duplicate still, and the usage stays as it was reported (MTR-71, MTR-83).
func TestUsageStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Date(2026, 1, 10, 0, 5, 0, 0, time.UTC)
	event := w.use("s1", "basic", "1000")
	w.close()
	w.correct(event, "110")
	out := w.Usage.Add(t.Context(), []metering.Usage{{
		EventID: "another", ResourceID: "s1", PublisherID: "contoso", OfferID: "cns", Dimension: "email", PlanID: "basic", Quantity: "110", Effective: at,
	}})[0]
	require.False(t, out.Added)
	require.Equal(t, []string{event, "1000"}, []string{out.Existing.EventID, out.Existing.Quantity})
	days, err := w.Usage.Days(t.Context(), metering.OfferRef{PublisherID: "contoso", OfferID: "cns"},
		metering.Range{From: at.Truncate(24 * time.Hour), Until: at.AddDate(0, 0, 1)}, 10)
	require.NoError(t, err)
	require.Equal(t, "1000", days[0].Sum.String())
}

// A usage is corrected once: a day as a whole and its events exclude each other.
func TestClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.use("s1", "basic", "100"), w.use("s1", "basic", "100")
	day := func(plan string) correction.Correction {
		return correction.Correction{
			PublisherID: "contoso", OfferID: "cns", Meter: "email", CustomerID: "adatum", UsageDate: "2026-01-10", AnomalyID: "a-" + plan,
			Reported: decimal.NewFromInt(200), NewReported: decimal.NewFromInt(10),
		}
	}
	usage := func(plan string) []correction.Usage {
		return []correction.Usage{{ResourceID: "s1", PlanID: plan, Quantity: decimal.NewFromInt(200)}}
	}
	w.submit(first, "10")
	_, err := w.Submit(t.Context(), report(first, "5"))
	refused(t, err, fault.Conflict, correction.CodeCorrected, "newReportedUsage")
	w.submit(second, "10")
	_, err = w.File(t.Context(), day("basic"), usage("basic"))
	refused(t, err, fault.Conflict, correction.CodeCorrected, "newReportedUsage")
	filed, err := w.File(t.Context(), day("gold"), usage("gold"))
	require.NoError(t, err, "usage on another plan")
	require.NoError(t, w.store.Save(t.Context(), filed))
	third := w.use("s1", "gold", "100")
	_, err = w.Submit(t.Context(), report(third, "5"))
	refused(t, err, fault.Conflict, correction.CodeCorrected, "newReportedUsage")
}

// Many at once about one event: one is taken.
func TestSubmitAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events := []string{w.use("s1", "basic", "100"), w.use("s1", "basic", "100"), w.use("s1", "basic", "100")}
	errs := make(chan error, 12)
	for i := range cap(errs) {
		go func() {
			_, err := w.Submit(t.Context(), report(events[i%3], fmt.Sprint(i)))
			errs <- err
		}()
	}
	taken := 0
	for range cap(errs) {
		if err := <-errs; err == nil {
			taken++
		} else {
			require.True(t, fault.Is(err, fault.Conflict) || fault.Is(err, fault.Unavailable), "%v", err)
		}
	}
	require.LessOrEqual(t, taken, 3)
	require.Positive(t, taken)
	list, _, err := w.Corrections(t.Context(), "contoso", "", 20)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, c := range list {
		require.False(t, seen[c.EventID], "two about one event")
		seen[c.EventID] = true
	}
	require.Len(t, seen, taken)
}

// BIL-69: all corrections of a line together give back what was charged, to the cent, and never more.
// A usage that cost nothing gives nothing back.
// A day of several resources is given back to each in proportion, exactly.
// Usage that came late is given back at the line it was charged in (BIL-25).
// MTR-85
func TestCaseTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for offerID, want := range map[string]string{
		"cns":     "Commercial Marketplace > Metered Billing > Wrong usage sent for SaaS offer",
		"managed": "Commercial Marketplace > Metered Billing > Wrong usage sent for Azure Applications offer",
	} {
		filed, err := w.File(t.Context(), correction.Correction{
			PublisherID: "contoso", OfferID: offerID, Meter: "email", UsageDate: "2026-01-10", Reported: decimal.NewFromInt(2), NewReported: decimal.NewFromInt(1),
		}, []correction.Usage{{ResourceID: "s1", PlanID: "basic", Quantity: decimal.NewFromInt(2)}})
		require.NoError(t, err)
		require.Equal(t, want, filed.Correction.CaseType)
	}
}

func TestUnknownWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused(t, w.Handle(t.Context(), correction.Work{Kind: "other"}), fault.Invalid, "UnknownKind", "kind")
	for _, kind := range []string{correction.KindCredit, correction.KindClose, correction.KindInvestigate} {
		refused(t, w.Handle(t.Context(), correction.Work{Kind: kind, PublisherID: "contoso", CorrectionID: "20260101000000-0000000000000000"}),
			fault.NotFound, "NotFound", "correctionId")
	}
}

func TestQuantity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`1`: "1", `"1.5"`: "1.5", `0.0000000001`: "0.0000000001", `1e3`: "1000", `-1`: "-1",
		`true`: "", `{}`: "", `[]`: "", `""`: "", `"x"`: "", `1e999999999`: "", `1e-999999999`: "", `"0x10"`: "", `"1 "`: "",
		`11111111111111111111111111111111111111111`: "",
	} {
		var q correction.Quantity
		err := json.Unmarshal([]byte(text), &q)
		if want == "" {
			require.Error(t, err, text)
			refused(t, err, fault.Invalid, correction.CodeInvalid, "newReportedUsage")
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, q.String())
	}
}

// The process dies at every operation of the credit in turn, with every kind of harm; another goes on, and the
// customer has the money once.
