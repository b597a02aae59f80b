package portal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	portalfn "stoa/functions/portal"
	"stoa/shared/account"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/dimension/draft"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/publish"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

// editors may read and edit contoso's offers; readers may read them.
type editors struct{ people }

func (editors) Allow(_ context.Context, c account.Caller, publisherID string, p account.Permission) error {
	if publisherID == "contoso" && (c.ObjectID == "editor" && p == "offer.edit" || p == "offer.read") {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

// plain seals nothing.
type plain struct{}

func (plain) Seal(text, _ string) (string, error) { return text, nil }

// meterBench is the handler over the twin of the store, with an offer that can be published.
type meterBench struct {
	t       *testing.T
	router  http.Handler
	offers  *offer.Service
	publish *publish.Service
	outbox  *storetest.Outbox
	ledger  *store.Ledger

	mu  sync.Mutex
	now time.Time
}

func (b *meterBench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(time.Second)
	return b.now
}

var cns = offer.DraftRef{PublisherID: "contoso", OfferID: "cns", By: "test"}

const oneOffer = publisher + "/offers/cns"

func newMeterBench(t *testing.T) *meterBench {
	t.Helper()
	b := &meterBench{t: t, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	db, outbox := storetest.NewTwin(b.clock)
	snapshots := store.NewSnapshots(&blobstest.Account{})
	kept := store.NewOffers(db, snapshots)
	b.outbox, b.ledger = outbox, store.NewLedger(db)
	b.offers = &offer.Service{Store: kept, Sealer: plain{}, Rates: b.ledger, Now: b.clock}
	b.publish = &publish.Service{Store: kept, Snapshots: snapshots, Now: b.clock}
	dimensions, err := draft.New(draft.Deps{Drafts: b.offers, Offers: kept, Rates: b.ledger, Now: b.clock})
	require.NoError(t, err)
	rt, err := web.New(web.Deps{Verifier: people{}, Accounts: editors{}, Now: b.clock, NewID: storetest.Counter("request")})
	require.NoError(t, err)
	(&portalfn.Meters{Dimensions: dimensions}).Portal(rt.API(web.API{Prefix: "/portal/v1", Audiences: []string{"m"}}))
	b.router = rt

	_, err = b.offers.Create(t.Context(), offer.NewOffer{PublisherID: "contoso", OfferID: "cns", OfferType: offer.TypeSaaS, Alias: "CNS"}, "test")
	require.NoError(t, err)
	b.edit(func(c *offer.Content) {
		c.ListingOption = offer.SellThroughMicrosoft
		c.LeadDestination = offer.LeadDestination{Kind: "httpsEndpoint", ContactEmail: []string{"leads@contoso.example"},
			Settings: map[string]string{"httpsEndpointUrl": "https://contoso.example/leads"}}
		c.Listing = offer.Listing{Name: "Contoso notifications", Summary: "Sends", Description: "Sends messages.", PrivacyPolicy: "https://contoso.example/p",
			Categories: []string{"amp:analytics"}, LargeLogo: "logo", Documents: []offer.File{{Name: "Guide", Blob: "guide"}}}
		c.PreviewAudience = []string{"eva@contoso.example"}
		c.Technical = offer.Technical{LandingPageURL: "https://contoso.example/l", ConnectionWebhook: "https://contoso.example/w",
			TenantID: "11111111-1111-1111-1111-111111111111", AppID: "22222222-2222-2222-2222-222222222222"}
		c.Plans = []offer.Plan{flatRate("basic", "0", ""), flatRate("premium", "350", "3500")}
	})
	return b
}

// flatRate is a plan with the prices of its terms.
func flatRate(id, monthly, annual string) offer.Plan {
	p := offer.Plan{ID: id, Name: id, Description: "d", PricingModel: offer.FlatRate, Markets: []string{"US"}}
	p.Terms = append(p.Terms, offer.PlanTerm{Unit: "P1M", PriceUSD: decimal.RequireFromString(monthly)})
	if annual != "" {
		p.Terms = append(p.Terms, offer.PlanTerm{Unit: "P1Y", PriceUSD: decimal.RequireFromString(annual)})
	}
	return p
}

// edit changes the draft without the handler.
func (b *meterBench) edit(change func(*offer.Content)) {
	b.t.Helper()
	_, err := b.offers.Edit(b.t.Context(), cns, func(c *offer.Content) error {
		change(c)
		return nil
	})
	require.NoError(b.t, err)
}

func (b *meterBench) steps() {
	b.t.Helper()
	for msgs := b.outbox.Take(message.PublishSteps); len(msgs) > 0; msgs = b.outbox.Take(message.PublishSteps) {
		for _, m := range msgs {
			var step publish.StepMessage
			require.NoError(b.t, json.Unmarshal(m.Body, &step))
			require.NoError(b.t, b.publish.RunStep(b.t.Context(), step))
		}
	}
}

// preview publishes the draft up to the preview.
func (b *meterBench) preview() {
	b.t.Helper()
	_, err := b.publish.Publish(b.t.Context(), publish.Request{PublisherID: "contoso", OfferID: "cns", By: "test"})
	require.NoError(b.t, err)
	b.steps()
	b.rests(offer.StatusPreview)
}

func (b *meterBench) goLive() {
	b.t.Helper()
	_, err := b.publish.GoLive(b.t.Context(), publish.Request{PublisherID: "contoso", OfferID: "cns", By: "test"})
	require.NoError(b.t, err)
	b.steps()
	b.rests(offer.StatusLive)
}

func (b *meterBench) rests(want offer.Status) {
	b.t.Helper()
	o, err := b.offers.Store.Offer(b.t.Context(), "contoso", "cns")
	require.NoError(b.t, err)
	require.Equal(b.t, want, o.Status)
}

func (b *meterBench) call(as, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, oneOffer+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+as)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, r)
	return w
}

// must answers the body of a request that has to be answered with the status.
func (b *meterBench) must(status int, method, path, body string, headers ...string) map[string]any {
	b.t.Helper()
	w := b.call("editor", method, path, body, headers...)
	require.Equal(b.t, status, w.Code, "%s %s %s: %s", method, path, body, w.Body)
	out := map[string]any{}
	if w.Body.Len() > 0 {
		require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &out))
	}
	return out
}

// refuses requires a refusal with its code and target.
func (b *meterBench) refuses(status int, code, target, method, path, body string, headers ...string) {
	b.t.Helper()
	e, _ := b.must(status, method, path, body, headers...)["error"].(map[string]any)
	at, _ := e["target"].(string)
	require.Equal(b.t, []any{code, target}, []any{e["code"], at}, "%s %s %s: %v", method, path, body, e)
}

// plansOf are the meters of a dimension by plan.
func (b *meterBench) plansOf(dimensionID string) map[string]map[string]any {
	b.t.Helper()
	for _, v := range b.must(200, "GET", "/dimensions", "")["value"].([]any) {
		if d := v.(map[string]any); d["dimensionId"] == dimensionID {
			out := map[string]map[string]any{}
			for _, p := range d["plans"].([]any) {
				out[p.(map[string]any)["planId"].(string)] = p.(map[string]any)
			}
			return out
		}
	}
	require.Fail(b.t, "no dimension "+dimensionID)
	return nil
}

const (
	emailBody = `{"dimensionId":"email","displayName":"E-mails","unitOfMeasure":"per 100 emails","planId":"basic","pricePerUnitUsd":1,"monthlyIncluded":10000}`
	textBody  = `{"dimensionId":"text","displayName":"Texts","unitOfMeasure":"per text"}`
)

func (b *meterBench) twoDimensions() {
	b.t.Helper()
	b.must(201, "POST", "/dimensions", emailBody)
	b.must(201, "POST", "/dimensions", textBody)
	b.must(200, "PUT", "/plans/basic/meters/text", `{"enabled":true,"pricePerUnitUsd":"0.02","monthlyIncluded":"1000"}`)
	b.must(200, "PUT", "/plans/premium/meters/email", `{"enabled":true,"pricePerUnitUsd":0.5,"monthlyIncluded":50000,"annualIncluded":5000000}`)
}

// TestLockingWalk is walk 8: MTR-3, MTR-9, MTR-11, MTR-12, MTR-13.
func TestLockingWalk(t *testing.T) {
	t.Parallel()
	b := newMeterBench(t)
	b.twoDimensions()
	const renamed = `{"dimensionId":"mail","displayName":"E-mails","unitOfMeasure":"per 100 emails"}`
	b.preview() // a plan for nothing that is metered can be published (MTR-3)
	b.must(200, "PUT", "/dimensions/email", renamed)
	b.must(200, "PUT", "/plans/basic/meters/mail", `{"enabled":true,"pricePerUnitUsd":2}`) // in preview only: all can be edited
	b.must(200, "PUT", "/plans/basic/meters/mail", `{"enabled":true,"pricePerUnitUsd":1,"monthlyIncluded":10000}`)
	b.must(200, "PUT", "/dimensions/mail", strings.Replace(renamed, "mail", "email", 1))
	b.goLive()

	b.refuses(409, "DimensionLocked", "dimensionId", "PUT", "/dimensions/email", renamed)
	b.refuses(409, "DimensionLocked", "dimensionId", "DELETE", "/dimensions/email", "")
	b.refuses(409, "PublishedPriceLocked", "plans.basic.meters.email", "PUT", "/plans/basic/meters/email", `{"enabled":true,"pricePerUnitUsd":2,"monthlyIncluded":10000}`)
	b.must(200, "PUT", "/plans/basic/meters/email", `{"enabled":true,"pricePerUnitUsd":1,"monthlyIncluded":10000}`) // it stays as it is

	b.edit(func(c *offer.Content) { c.Plans = append(c.Plans, flatRate("gold", "10", "")) })
	b.must(201, "POST", "/dimensions", `{"dimensionId":"push","displayName":"Push","unitOfMeasure":"per push","planId":"gold","pricePerUnitUsd":"0.1"}`)
	push := b.plansOf("push")
	require.Equal(t, []any{true, false}, []any{push["gold"]["enabled"], push["gold"]["locked"]})
	require.Equal(t, []any{false, true}, []any{push["basic"]["enabled"], push["basic"]["locked"]})
	b.refuses(409, "PublishedPriceLocked", "plans.basic.meters.push", "PUT", "/plans/basic/meters/push", `{"enabled":true,"pricePerUnitUsd":1}`)

	for i := 3; i < 30; i++ {
		b.must(201, "POST", "/dimensions", fmt.Sprintf(`{"dimensionId":"d%d","displayName":"n","unitOfMeasure":"u"}`, i))
	}
	b.refuses(400, "DimensionLimitExceeded", "dimensions", "POST", "/dimensions", `{"dimensionId":"more","displayName":"n","unitOfMeasure":"u"}`)
	b.must(204, "DELETE", "/dimensions/d3", "")
	b.preview()
	b.goLive()
	b.refuses(409, "PublishedPriceLocked", "plans.gold.meters.push", "PUT", "/plans/gold/meters/push", `{"enabled":false}`)
}

func TestDimensions(t *testing.T) {
	t.Parallel()
	b := newMeterBench(t)
	require.Empty(t, b.must(200, "GET", "/dimensions", "")["value"])
	w := b.call("editor", "POST", "/dimensions", emailBody)
	require.Equal(t, 201, w.Code)
	require.Equal(t, oneOffer+"/dimensions/email", w.Header().Get("Location"))
	stale := w.Header().Get("ETag")
	require.NotEmpty(t, stale)
	require.JSONEq(t, `{"dimensionId":"email","displayName":"E-mails","unitOfMeasure":"per 100 emails","locked":false,"plans":[
		{"planId":"basic","dimensionId":"email","enabled":true,"price":"1","pricePerUnitUsd":1,"monthlyIncluded":10000,"annualIncluded":0,"neverCharged":false,"locked":false},
		{"planId":"premium","dimensionId":"email","enabled":false,"price":"","pricePerUnitUsd":null,"monthlyIncluded":0,"annualIncluded":0,"neverCharged":false,"locked":false}]}`,
		w.Body.String())
	b.must(201, "POST", "/dimensions", textBody, "If-Match", stale)
	b.refuses(412, "DraftChanged", "If-Match", "PUT", "/dimensions/text", `{"displayName":"x","unitOfMeasure":"y"}`, "If-Match", stale)
	b.must(200, "PUT", "/dimensions/text", `{"displayName":"x","unitOfMeasure":"y"}`)

	m := b.must(200, "PUT", "/plans/premium/meters/email", `{"monthlyIncluded":"Infinite","annualIncluded":"infinite"}`)
	require.Equal(t, []any{true, "Not applicable", nil, "infinite", "infinite", true},
		[]any{m["enabled"], m["price"], m["pricePerUnitUsd"], m["monthlyIncluded"], m["annualIncluded"], m["neverCharged"]})

	require.Equal(t, 200, b.call("reader", "GET", "/dimensions", "").Code)
	require.Equal(t, 403, b.call("reader", "POST", "/dimensions", textBody).Code)
	require.Equal(t, 403, b.call("reader", "PUT", "/plans/basic/meters/prices", `{}`).Code)
	require.Equal(t, 204, b.call("editor", "DELETE", "/dimensions/text", "").Code)
	o, err := b.offers.Store.Offer(t.Context(), "contoso", "cns")
	require.NoError(t, err)
	require.Len(t, o.Dimensions, 1)
}

func TestDimensionsRefused(t *testing.T) {
	t.Parallel()
	b := newMeterBench(t)
	b.twoDimensions()
	b.edit(func(c *offer.Content) {
		trial := flatRate("trial", "1", "")
		trial.FreeTrial = true
		c.Plans = append(c.Plans, trial)
	})
	const basicText = "/plans/basic/meters/text"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, target             string
	}{
		{"MTR-4 free trial", "PUT", "/plans/trial/meters/email", `{"pricePerUnitUsd":1}`, 422, "MeteringTrialConflict", "enabled"},
		{"MTR-14 fraction", "PUT", basicText, `{"pricePerUnitUsd":1,"monthlyIncluded":0.5}`, 400, "InvalidValue", "monthlyIncluded"},
		{"MTR-14 negative price", "PUT", basicText, `{"pricePerUnitUsd":-1}`, 400, "InvalidValue", "pricePerUnitUsd"},
		{"no price", "PUT", basicText, `{}`, 400, "Required", "pricePerUnitUsd"},
		{"price of a wrong type", "PUT", basicText, `{"pricePerUnitUsd":[]}`, 400, "InvalidType", "pricePerUnitUsd"},
		{"quantity of a wrong type", "PUT", basicText, `{"pricePerUnitUsd":1,"monthlyIncluded":true}`, 400, "InvalidType", "monthlyIncluded"},
		{"enabled of a wrong type", "PUT", basicText, `{"enabled":"yes"}`, 400, "InvalidType", "enabled"},
		{"no annual term", "PUT", basicText, `{"pricePerUnitUsd":1,"annualIncluded":5}`, 400, "InvalidValue", "annualIncluded"},
		{"no body", "PUT", basicText, ``, 400, "MissingBody", ""},
		{"no plan", "PUT", "/plans/gold/meters/text", `{"pricePerUnitUsd":1}`, 404, "NotFound", "planId"},
		{"no dimension", "PUT", "/plans/basic/meters/fax", `{"pricePerUnitUsd":1}`, 404, "NotFound", "dimensionId"},
		{"twice", "POST", "/dimensions", textBody, 409, "AlreadyExists", "dimensionId"},
		{"no ID", "POST", "/dimensions", `{"displayName":"n","unitOfMeasure":"u"}`, 400, "Required", "dimensionId"},
		{"malformed ID", "POST", "/dimensions", `{"dimensionId":"a b","displayName":"n","unitOfMeasure":"u"}`, 400, "InvalidValue", "dimensionId"},
		{"on no plan", "POST", "/dimensions", `{"dimensionId":"fax","displayName":"n","unitOfMeasure":"u","planId":"gold","pricePerUnitUsd":1}`, 404, "NotFound", "planId"},
		{"on a plan, no price", "POST", "/dimensions", `{"dimensionId":"fax","displayName":"n","unitOfMeasure":"u","planId":"basic"}`, 400, "Required", "pricePerUnitUsd"},
		{"change of none", "PUT", "/dimensions/fax", `{"displayName":"n","unitOfMeasure":"u"}`, 404, "NotFound", "dimensionId"},
		{"change into another", "PUT", "/dimensions/text", `{"dimensionId":"email","displayName":"n","unitOfMeasure":"u"}`, 409, "AlreadyExists", "dimensionId"},
		{"no unit", "PUT", "/dimensions/text", `{"displayName":"n"}`, 400, "Required", "unitOfMeasure"},
		{"removal of none", "DELETE", "/dimensions/fax", ``, 404, "NotFound", "dimensionId"},
		{"workbook of none", "GET", "/plans/gold/meters/prices", ``, 404, "NotFound", "planId"},
		{"nothing to export", "GET", "/plans/trial/meters/prices", ``, 409, "NothingToExport", "planId"},
		{"unknown format", "GET", "/plans/basic/meters/prices?format=pdf", ``, 400, "InvalidValue", "format"},
		{"workbook without rows", "PUT", "/plans/basic/meters/prices", `{"value":[]}`, 400, "Required", "value"},
		{"workbook of a wrong type", "PUT", "/plans/basic/meters/prices", `{"value":[{"market":"US","priceKey":"text","price":{}}]}`, 400, "InvalidType", "value[0].price"},
		{"workbook, another market", "PUT", "/plans/basic/meters/prices", `{"value":[{"market":"DE","priceKey":"text","price":1}]}`, 400, "InvalidValue", "value[0].market"},
	} {
		b.refuses(c.status, c.code, c.target, c.method, c.path, c.body)
	}
	o, err := b.offers.Store.Offer(t.Context(), "contoso", "cns")
	require.NoError(t, err)
	require.Len(t, o.Dimensions, 2)
	b.refuses(415, "UnsupportedMediaType", "Content-Type", "PUT", "/plans/basic/meters/prices", `x`, "Content-Type", "application/pdf")
	b.refuses(400, "Required", "market_iso2", "PUT", "/plans/basic/meters/prices", "price,price_key\n1,text\n", "Content-Type", "text/csv; charset=utf-8")
	b.refuses(400, "MissingBody", "", "PUT", "/plans/basic/meters/prices", "", "Content-Type", "text/csv")
	b.refuses(413, "BodyTooLarge", "", "PUT", "/plans/basic/meters/prices", strings.Repeat("x", 1<<20+1), "Content-Type", "text/csv")
}
