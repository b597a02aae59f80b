package offers_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/message"
	"stoa/shared/publish"
)

const staff = "Bearer op"

// complete is saasOffer with its summary and a private plan.
func (b *bench) complete() {
	b.t.Helper()
	b.saasOffer()
	b.must(200, "PUT", saas+"/pages/offerListing", object{"listing": object{"searchResultsSummary": "One line"}})
	b.must(201, "POST", saas+"/plans", object{"planId": "vip", "name": "VIP", "description": "d", "pricingModel": "flatRate", "markets": []string{"US"},
		"terms": []object{{"termUnit": "P1M", "priceUSD": "5"}}, "isPrivate": true, "privateAudience": []string{"11111111-1111-1111-1111-111111111111"}})
}

// live brings the offer live.
func (b *bench) live() {
	b.t.Helper()
	b.complete()
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	b.must(202, "POST", saas+"/golive", nil)
	b.run()
	require.Equal(b.t, "Live", b.must(200, "GET", saas, nil)["status"])
}

func code(answer object) any { return answer["error"].(object)["code"] }

// Plans are stopped and resumed, audiences synced, and the offer taken off (SAS-45, SAS-47, SAS-48, PUB-46, PUB-50 to
// PUB-54).
func TestDistribution(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.live()
	plans := func() map[string]any {
		out := map[string]any{}
		for _, item := range b.must(200, "GET", saas+"/plans", nil)["items"].([]any) {
			out[item.(object)["planId"].(string)] = []any{item.(object)["status"], item.(object)["actions"]}
		}
		return out
	}
	require.Equal(t, map[string]any{
		"basic": []any{"Live", []any{"stopDistribution"}}, "vip": []any{"Live", []any{"stopDistribution", "syncPrivateAudience"}},
	}, plans(), "SAS-47")
	b.must(202, "POST", saas+"/plans/basic/stop", nil)
	require.Equal(t, []any{"PendingStopDistribution", []any{"resumeDistribution"}}, plans()["basic"])
	require.Equal(t, "LastPlan", code(b.must(409, "POST", saas+"/plans/vip/stop", nil)), "SAS-48")
	b.must(200, "POST", saas+"/plans/basic/resume", nil)
	b.must(409, "POST", saas+"/plans/basic/resume", nil)
	b.must(404, "POST", saas+"/plans/nothing/stop", nil)

	b.must(200, "PUT", saas+"/plans/vip", object{"privateAudience": []string{"22222222-2222-2222-2222-222222222222"}})
	synced := b.must(202, "POST", saas+"/sync-private-audience", nil)["synced"].([]any)
	require.Equal(t, []any{object{"planId": "vip", "added": 1.0, "removed": 1.0}}, synced, "SAS-45")
	require.Equal(t, "InvalidPlanState", code(b.must(409, "POST", saas+"/sync-private-audience", object{"planIds": []string{"basic"}})), "PUB-47")
	require.Equal(t, false, b.must(200, "GET", saas+"/overview", nil)["previewDiffersFromLive"])

	b.must(409, "DELETE", saas, nil) // PUB-58
	require.Equal(t, "PendingStopDistribution", b.must(202, "POST", saas+"/stop", nil)["status"])
	require.Equal(t, "InvalidOfferState", code(b.must(409, "PUT", saas+"/pages/properties", object{"listing": object{"categories": []string{"a"}}})), "PUB-39")
	b.must(200, "GET", "/storefront/v1/offers/contoso/contoso-saas", nil)
	b.mu.Lock()
	b.now = b.now.Add(4 * time.Hour)
	b.mu.Unlock()
	b.outbox.Advance(b.clock())
	b.run()
	overview := b.must(200, "GET", saas+"/overview", nil)
	require.Equal(t, []any{"NotAvailable", "Not available in the marketplace", []any{}}, []any{overview["status"], overview["statusText"], overview["liveLinks"]})
	b.must(404, "GET", "/storefront/v1/offers/contoso/contoso-saas", nil) // PUB-53
	require.Empty(t, b.must(200, "GET", "/storefront/v1/offers", nil)["items"], "PUB-53")
}

// Customers see the listing, and of the contacts the address of the support only.
func TestListingIsShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.complete()
	b.asset("screenshot", "screen.png", logo(t, 1280, 720), 200)
	contact := object{"name": "Eva Private", "email": "eva@contoso.com", "phone": "+49 30 1234567"}
	support := object{"supportUrl": "https://contoso.com/help"}
	for k, v := range contact {
		support[k] = v
	}
	b.must(200, "PUT", saas+"/pages/offerListing", object{"listing": object{"supportContact": support, "engineeringContact": contact,
		"gettingStarted": "Sign up.", "usefulLinks": []object{{"title": "Docs", "url": "https://contoso.com/docs"}},
		"videos": []object{{"name": "Film", "url": "https://vimeo.com/1", "thumbnail": "contoso/contoso-saas/videoThumbnail/1/t.png"}}}})
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	w := b.call("GET", "/storefront/v1/offers/contoso/contoso-saas?slot=preview", nil)
	require.Equal(t, 200, w.Code)
	for _, shown := range []string{"https://contoso.com/help", "Sign up.", "https://contoso.com/docs", "https://vimeo.com/1", "screen.png", "t.png"} {
		require.Contains(t, w.Body.String(), shown)
	}
	for _, hidden := range []string{"Eva Private", "eva@contoso.com", "1234567"} {
		require.NotContains(t, w.Body.String(), hidden)
	}
}

// A draft can be deleted, and its id taken again (PUB-58).
func TestDeleteDraft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.complete()
	b.must(204, "DELETE", saas, nil)
	b.must(404, "GET", saas, nil)
	b.must(404, "DELETE", saas, nil)
	b.complete()
}

// A production offer is copied to its test offer (SAS-59).
func TestCopyToTestOffer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.complete()
	b.must(201, "POST", portal, object{"offerId": "contoso-test", "offerType": "SaaS", "alias": "Contoso_test", "isTestOffer": true})
	copied := b.must(200, "POST", saas+":copyTo", object{"offerId": "contoso-test"})
	require.Equal(t, []any{"contoso-test", "Contoso_test", true, "Contoso"},
		[]any{copied["offerId"], copied["alias"], copied["isTestOffer"], copied["listing"].(object)["name"]}, "SAS-59")
	plan := copied["plans"].([]any)[0].(object)
	require.Equal(t, []any{"basic_test", "Basic", nil}, []any{plan["planId"], plan["name"], plan["terms"]}, "SAS-59")
	require.Equal(t, "", copied["technicalConfiguration"].(object)["landingPageUrl"], "SAS-59")
	b.must(400, "POST", saas+":copyTo", object{"offerId": "contoso-saas"})
	b.must(400, "POST", saas+":copyTo", object{})
	b.must(404, "POST", saas+":copyTo", object{"offerId": "nothing"})
	b.must(404, "POST", saas+":moveTo", object{"offerId": "contoso-test"})
	b.must(412, "POST", saas+":copyTo", object{"offerId": "contoso-test"}, "If-Match", `W/"old"`)
}

// The overview links the validation report and the preview in each store (SAS-64, SAS-65, PUB-25).
func TestOverviewLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.complete()
	b.must(404, "GET", saas+"/validationReport", nil)
	overview := b.must(200, "GET", saas+"/overview", nil)
	require.Nil(t, overview["validationReportUrl"])
	b.must(202, "POST", saas+"/publish", object{"notes": "user: eva"})
	b.run()
	overview = b.must(200, "GET", saas+"/overview", nil)
	require.Equal(t, []any{"/storefront/v1/offers/contoso/contoso-saas?slot=preview&store=AzureMarketplace"}, overview["previewLinks"], "PUB-25 by its category")
	require.Empty(t, overview["liveLinks"])
	report := b.must(200, "GET", overview["validationReportUrl"].(string), nil)
	require.Equal(t, "listing.description.short", report["findings"].([]any)[0].(object)["policy"], "SAS-64")
	require.Equal(t, overview["submissionId"], report["submissionId"])
	b.must(200, "GET", overview["previewLinks"].([]any)[0].(string), nil)
	b.must(404, "GET", saas+"/validationReport?submission=2", nil)
	for _, bad := range []string{"0", "-1", "first"} {
		require.Equal(t, "submission", b.must(400, "GET", saas+"/validationReport?submission="+bad, nil)["error"].(object)["target"])
	}
	stores := b.must(200, "GET", saas+"/stores", nil)
	require.Equal(t, []any{"AzureMarketplace"}, stores["stores"], "SAS-50")
	require.Equal(t, []any{"AzurePortal", "AppSource"}, stores["plans"].(object)["vip"], "SAS-49")
}

// The history is filtered by kind, user, day and page (PUB-61, PUB-62).
func TestHistoryFilters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.live()
	count := func(query string) int { return len(b.must(200, "GET", saas+"/history?"+query, nil)["items"].([]any)) }
	require.Equal(t, 2, count("events=signedOff,offerCreated"), "PUB-61")
	require.Equal(t, 1, count("events=signedOff&from=2026-01-01&to=2026-01-01"), "PUB-61")
	require.Zero(t, count("events=signedOff&from=2026-01-02"), "PUB-61")
	require.Zero(t, count("users=nobody"), "PUB-61")
	require.Equal(t, 1, count("pages=offerSetup"), "PUB-62")
	for _, name := range []string{"from", "to"} {
		require.Equal(t, name, b.must(400, "GET", saas+"/history?"+name+"=yesterday", nil)["error"].(object)["target"])
	}
}

// post sends a file.
func (b *bench) post(path, media, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer app")
	r.Header.Set("Content-Type", media)
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, r)
	return w
}

// Audiences are exported to and imported from files, or nothing is stored (SAS-27).
func TestAudienceFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.complete()
	const users, tenants = saas + "/previewAudience/csv", saas + "/plans/vip/audience/csv"
	w := b.call("GET", users, nil)
	require.Equal(t, []any{200, "ID,Description,Type\neva@contoso.com,,MixedAadMsaId\n"}, []any{w.Code, w.Body.String()}, "SAS-27")
	w = b.call("GET", tenants, nil)
	require.Equal(t, []any{200, "ID,Description,Type\n11111111-1111-1111-1111-111111111111,,TenantID\n"}, []any{w.Code, w.Body.String()}, "SAS-27")
	require.Equal(t, 200, b.post(users, "text/csv", "ID,Description,Type\nadam@contoso.com,,MixedAadMsaId\n").Code)
	require.Equal(t, 200, b.post(tenants, "text/csv; charset=utf-8", "ID,Description,Type\n22222222-2222-2222-2222-222222222222,,TenantID\n").Code)
	wrong := b.post(users, "text/csv", "ID,Description,Type\nadam@contoso.com,,TenantID\nb@contoso.com,,MixedAadMsaId\nnobody,,MixedAadMsaId")
	require.Equal(t, 400, wrong.Code)
	require.Contains(t, wrong.Body.String(), `"target":"row 2"`, "SAS-27")
	require.Contains(t, wrong.Body.String(), `"target":"row 4"`, "SAS-27")
	require.NotContains(t, wrong.Body.String(), `"target":"row 3"`, "SAS-27")
	require.Equal(t, []any{"adam@contoso.com"}, b.must(200, "GET", saas, nil)["previewAudience"], "SAS-27 nothing was stored")
	require.Equal(t, 415, b.post(users, "application/json", `{}`).Code)
	require.Equal(t, 400, b.post(users, "text/csv", "").Code)
	require.Equal(t, 413, b.post(tenants, "text/csv", strings.Repeat("x", 3<<20+1)).Code)
	require.Equal(t, 404, b.post(saas+"/plans/nothing/audience/csv", "text/csv", "x").Code)
	b.must(404, "GET", saas+"/plans/nothing/audience/csv", nil)
}

// Staff see what certification looks at, and announce changes to publishers (SAS-66).
func TestStaff(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const certification = "/operator/v1/publishers/contoso/offers/contoso-saas/certification"
	b.certifier.result = publish.Pending
	b.complete()
	b.must(404, "GET", certification, nil, "Authorization", staff)
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	items := b.must(200, "GET", certification, nil, "Authorization", staff)["items"].([]any)
	require.Len(t, items, 5, "SAS-66")
	b.must(403, "GET", certification, nil)
	b.must(202, "POST", saas+"/golive", nil)
	b.run()
	b.must(200, "POST", certification, object{"result": "Passed"}, "Authorization", staff)
	b.run()
	b.outbox.Take(message.Notifications)
	news := object{"id": "2026-01", "subject": "A change", "text": "Take it over within 24 hours.", "takeOverBy": "2026-01-02T00:00:00Z"}
	b.must(403, "POST", "/operator/v1/announcements", news)
	require.EqualValues(t, 1, b.must(202, "POST", "/operator/v1/announcements", news, "Authorization", staff)["told"], "SAS-66")
	mails := b.outbox.Take(message.Notifications)
	require.Len(t, mails, 1, "SAS-66")
	require.Equal(t, "announcement|2026-01|contoso", mails[0].ID)
	news["continuation"] = "made up"
	b.must(400, "POST", "/operator/v1/announcements", news, "Authorization", staff)
	require.Equal(t, "text", b.must(400, "POST", "/operator/v1/announcements", object{"id": "a", "subject": "b"}, "Authorization", staff)["error"].(object)["target"])
}

// What a role lacks is refused, whatever else it may do (PUB-69).
func TestPermissions(t *testing.T) {
	t.Parallel()
	for permission, routes := range map[account.Permission][][2]string{
		"offer.submit":           {{"POST", saas + "/publish"}, {"POST", saas + "/golive"}, {"POST", saas + "/cancel"}},
		"offer.stopDistribution": {{"POST", saas + "/stop"}, {"POST", saas + "/plans/basic/stop"}, {"POST", saas + "/plans/basic/resume"}},
		"audience.sync":          {{"POST", saas + "/sync-private-audience"}},
		"offer.edit":             {{"PUT", saas + "/pages/properties"}, {"DELETE", saas}, {"POST", saas + ":copyTo"}, {"POST", saas + "/previewAudience/csv"}},
		"offer.read":             {{"GET", saas + "/validationReport"}, {"GET", saas + "/plans"}, {"GET", saas + "/stores"}},
	} {
		b := newBench(t)
		b.complete()
		b.grants.lacks = permission
		for _, r := range routes {
			require.Equal(t, http.StatusForbidden, b.call(r[0], r[1], nil).Code, "PUB-69 %s %s", r[0], r[1])
		}
	}
}
