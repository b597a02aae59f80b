package offers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/offers"
	"stoa/shared/account"
	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/packages/assets"
	"stoa/shared/publish"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

// tokens knows callers by their token.
type tokens map[string]account.Caller

func (t tokens) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	c, ok := t[bearer]
	if !ok {
		return c, fault.New(fault.Unauthenticated, "InvalidToken", "authorization", "no")
	}
	return c, nil
}

// grants lets the publisher's application do everything for contoso but what it lacks.
type grants struct{ lacks account.Permission }

func (g *grants) Allow(_ context.Context, c account.Caller, publisherID string, p account.Permission) error {
	if c.AppID == "a1" && publisherID == "contoso" && p != g.lacks {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

func (*grants) Operator(c account.Caller) bool { return c.AppID == "op" }

// owners are told about every publisher.
type owners struct{}

func (owners) Recipients(context.Context, string) ([]string, error) {
	return []string{"eva@contoso.com"}, nil
}

// marked seals so that a test sees it.
type marked struct{}

func (marked) Seal(plain, where string) (string, error) { return "sealed(" + where + ")" + plain, nil }

// certifier answers what the test says, else passed.
type certifier struct{ result publish.Result }

func (c *certifier) Certify(context.Context, publish.Submission, offer.Content) (publish.Report, error) {
	return publish.Report{Result: c.result}, nil
}

type bench struct {
	t         *testing.T
	router    *web.Router
	outbox    *storetest.Outbox
	blobs     *blobstest.Account
	publish   *publish.Service
	store     *store.Offers
	certifier *certifier
	grants    *grants

	mu  sync.Mutex
	now time.Time
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(time.Second)
	return b.now
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, blobs: &blobstest.Account{}, certifier: &certifier{result: publish.Passed}, grants: &grants{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	db, outbox := storetest.NewTwin(b.clock)
	snapshots := store.NewSnapshots(b.blobs)
	b.outbox, b.store = outbox, store.NewOffers(db, snapshots)
	b.publish = &publish.Service{Store: b.store, Snapshots: snapshots, Certifier: b.certifier, Contacts: owners{}, Now: b.clock,
		Machines: &assets.Checker{Clouds: []string{"blob.core.windows.net"}, Offline: true, Now: b.clock}}
	h := offers.New(offers.Deps{
		Offers:  &offer.Service{Store: b.store, Sealer: marked{}, Registrations: b.store, Now: b.clock},
		Publish: b.publish, Catalogue: b.store, Links: b.blobs, Files: b.blobs, Accounts: b.grants,
		Pages: web.Pages{Key: bytes.Repeat([]byte{1}, 32)}, Now: b.clock, NewID: storetest.Counter("f"),
		Alerts: func(context.Context, string, string) (int, error) { return 2, nil },
	})
	rt, err := web.New(web.Deps{
		Verifier: tokens{"app": {Kind: account.App, TenantID: "t1", AppID: "a1"}, "other": {Kind: account.App, AppID: "a2"}, "op": {Kind: account.App, AppID: "op"}},
		Accounts: b.grants, Now: b.clock, NewID: storetest.Counter("r"),
	})
	require.NoError(t, err)
	h.Routes(rt)
	h.Portal(rt.API(web.API{Prefix: "/portal/v1", Audiences: []string{"stoa"}}))
	h.Storefront(rt.API(web.API{Prefix: "/storefront/v1", Audiences: []string{"stoa"}}))
	h.Operator(rt.API(web.API{Prefix: "/operator/v1", Audiences: []string{"stoa"}}))
	b.router = rt
	return b
}

// call sends a request and returns the answer.
func (b *bench) call(method, path string, body any, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(b.t, err)
		reader = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, path, reader)
	r.Header.Set("Authorization", "Bearer app")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, r)
	if strings.HasPrefix(path, "/api/") {
		checkContract(b.t, method, path, r.Header, body, w)
	}
	return w
}

// must sends a request that has to be answered with the status, and decodes the answer.
func (b *bench) must(status int, method, path string, body any, headers ...string) map[string]any {
	b.t.Helper()
	w := b.call(method, path, body, headers...)
	require.Equal(b.t, status, w.Code, "%s %s = %s", method, path, w.Body)
	out := map[string]any{}
	if strings.HasPrefix(w.Body.String(), "{") {
		require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &out))
	}
	return out
}

// run works the queue off, each message twice: the second one changes nothing.
func (b *bench) run() {
	b.t.Helper()
	for {
		msgs := b.outbox.Take(message.PublishSteps)
		if len(msgs) == 0 {
			return
		}
		for _, m := range msgs {
			var step publish.StepMessage
			require.NoError(b.t, json.Unmarshal(m.Body, &step))
			require.NoError(b.t, b.publish.RunStep(b.t.Context(), step))
			require.NoError(b.t, b.publish.RunStep(b.t.Context(), step))
		}
	}
}

const (
	portal = "/portal/v1/publishers/contoso/offers"
	saas   = portal + "/contoso-saas"
	cpp    = "/api/publishers/contoso/offers"
	v      = "?api-version=2017-10-31"
)

type object = map[string]any

// saasOffer fills everything but the summary.
func (b *bench) saasOffer() {
	b.t.Helper()
	b.must(201, "POST", portal, object{"offerId": "contoso-saas", "offerType": "SaaS", "alias": "Contoso"})
	b.must(200, "PUT", saas+"/pages/offerSetup", object{"listingOption": "SellThroughMicrosoft", "leadDestination": object{
		"leadDestination": "httpsEndpoint", "contactEmail": []string{"leads@contoso.com"}, "settings": object{"httpsEndpointUrl": "https://contoso.com/leads?key=s3cret"}}})
	b.must(200, "PUT", saas+"/pages/properties", object{"listing": object{"categories": []string{"amp:analytics"}}})
	b.must(200, "PUT", saas+"/pages/offerListing", object{"listing": object{"name": "Contoso", "description": "old text", "privacyPolicyUrl": "https://contoso.com/p"}})
	b.must(200, "PUT", saas+"/pages/previewAudience", object{"previewAudience": []string{"eva@contoso.com"}})
	b.must(200, "PUT", saas+"/pages/technicalConfiguration", object{"technicalConfiguration": object{
		"landingPageUrl": "https://contoso.com/l", "connectionWebhook": "https://contoso.com/w",
		"aadTenantId": "11111111-1111-1111-1111-111111111111", "aadApplicationId": "22222222-2222-2222-2222-222222222222"}})
	b.must(201, "POST", saas+"/plans", object{"planId": "basic", "name": "Basic", "description": "d", "pricingModel": "flatRate", "markets": []string{"US"},
		"terms": []object{{"termUnit": "P1M", "priceUSD": "10.25"}}})
	b.asset("largeLogo", "logo.png", logo(b.t, 216, 216), 200)
	b.asset("document", "doc.pdf", []byte("%PDF-1.7 x"), 200)
}

// asset uploads a file and confirms it.
func (b *bench) asset(kind, name string, content []byte, status int) object {
	b.t.Helper()
	up := b.must(201, "POST", saas+"/uploads", object{"kind": kind, "fileName": name})
	require.NoError(b.t, b.blobs.Put(b.t.Context(), "media", up["file"].(string), bytes.NewReader(content), "application/octet-stream"))
	return b.must(status, "PUT", saas+"/listing/assets", object{"kind": kind, "file": up["file"], "name": "Guide"})
}

func logo(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))))
	return b.Bytes()
}

func (b *bench) historyLabels() []string {
	b.t.Helper()
	items := b.must(200, "GET", saas+"/history", nil)["items"].([]any)
	var out []string
	for i := len(items) - 1; i >= 0; i-- {
		out = append(out, items[i].(object)["label"].(string))
	}
	return out
}

// TestFirstPublication is walk 1: PUB-4, PUB-11, PUB-13, PUB-27, PUB-29, PUB-32, PUB-59.
func TestFirstPublication(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.saasOffer()
	refused := b.must(409, "POST", saas+"/publish", nil)["error"].(object)
	require.Equal(t, "PagesIncomplete", refused["code"]) // SAS-61
	require.Equal(t, "listing.searchResultsSummary", refused["details"].([]any)[0].(object)["target"])
	require.Empty(t, b.outbox.Messages(message.PublishSteps))

	b.must(200, "PUT", saas+"/pages/offerListing", object{"listing": object{"searchResultsSummary": "One line"}})
	b.must(202, "POST", saas+"/publish", nil)
	require.Equal(t, "PublishInProgress", b.must(200, "GET", saas, nil)["status"])
	require.Equal(t, "OperationInProgress", b.must(409, "POST", saas+"/publish", nil)["error"].(object)["code"]) // PUB-8
	b.run()
	require.Equal(t, "Preview", b.must(200, "GET", saas, nil)["status"])
	b.must(404, "GET", "/storefront/v1/offers/contoso/contoso-saas", nil)

	live := b.must(202, "POST", saas+"/golive", nil)
	require.Len(t, live["openWarnings"], 5) // the description is short, and four things are missing
	b.must(409, "POST", saas+"/golive", nil)
	b.run()
	overview := b.must(200, "GET", saas+"/overview", nil)
	require.Equal(t, "Live", overview["status"])
	require.EqualValues(t, 1, overview["version"])
	require.Nil(t, overview["anomalies"], "an offer without dimensions has no usage")
	b.must(409, "POST", saas+"/golive", nil) // PUB-33
	require.Equal(t, []string{
		"Created offer", "Created plan: Basic", "Submitted offer to preview",
		"Offer purchase flow setup", "Lead management validation and registration", "Offer validation", "Preview creation",
		"Sign-off to go live", "Manual validation",
		"Offer purchase flow setup", "Lead management validation and registration", "Final publish",
	}, b.historyLabels())
	shown := b.must(200, "GET", "/storefront/v1/offers/contoso/contoso-saas", nil)
	require.Equal(t, "Contoso", shown["name"])
	require.Len(t, b.must(200, "GET", "/storefront/v1/offers", nil)["items"], 1)

	w := b.call("GET", cpp+"/contoso-saas"+v, nil)
	require.Equal(t, 200, w.Code)
	require.Regexp(t, `^W/"datetime'2026-01-01T00%3A.*Z'"$`, w.Header().Get("ETag")) // CPP-12
	require.NotContains(t, w.Body.String(), "s3cret")                                // CPP-23
	require.Contains(t, w.Body.String(), `"status":"succeeded"`)
}

// TestUpdateOfLiveOffer is walk 5: PUB-7, PUB-29, PUB-30, PUB-32.
func TestUpdateOfLiveOffer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.saasOffer()
	describe := func(text string) {
		b.must(200, "PUT", saas+"/pages/offerListing", object{"listing": object{"searchResultsSummary": "One", "description": text}})
	}
	slot := func(name string) string {
		body := b.must(200, "GET", cpp+"/contoso-saas/slot/"+name+v, nil)
		return body["definition"].(object)["offer"].(object)["microsoft-azure-marketplace.description"].(string)
	}
	describe("old")
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	b.must(202, "POST", saas+"/golive", nil)
	b.run()
	describe("new")
	require.Equal(t, []string{"old", "new"}, []string{slot("Production"), slot("draft")})
	b.must(202, "POST", saas+"/publish", nil)
	describe("later")
	b.run()
	require.Equal(t, []string{"old", "new", "later"}, []string{slot("Production"), slot("preview"), slot("Draft")})
	b.must(202, "POST", saas+"/golive", nil)
	b.run()
	require.Equal(t, "new", slot("Production"))
	require.EqualValues(t, 2, b.must(200, "GET", saas, nil)["version"])
	first := b.must(200, "GET", cpp+"/contoso-saas/versions/1"+v, nil)
	require.Equal(t, "old", first["definition"].(object)["offer"].(object)["microsoft-azure-marketplace.description"])
	b.must(404, "GET", cpp+"/contoso-saas/versions/3"+v, nil) // CPP-22
	b.must(400, "GET", cpp+"/contoso-saas/slot/nowhere"+v, nil)

	for code, change := range map[string]func() object{ // what publishing has fixed
		"ListingOptionLocked": func() object {
			return b.must(409, "PUT", saas+"/pages/offerSetup", object{"listingOption": "ContactMe"}) // SAS-7
		},
		"PricingModelLocked": func() object {
			return b.must(409, "PUT", saas+"/plans/basic", object{"pricingModel": "perUser"}) // SAS-36
		},
		"PublishedPriceLocked": func() object {
			return b.must(409, "PUT", saas+"/plans/basic", object{"terms": []object{{"termUnit": "P1M", "priceUSD": "11"}}}) // SAS-38
		},
		"PublishedPlanCannotBeRemoved": func() object { return b.must(409, "DELETE", saas+"/plans/basic", nil) }, // PUB-57
	} {
		require.Equal(t, code, change()["error"].(object)["code"])
	}
}

// TestCancel is walk 4: PUB-34, PUB-36 to PUB-38.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.saasOffer()
	b.must(200, "PUT", saas+"/pages/offerListing", object{"listing": object{"searchResultsSummary": "One"}})
	b.must(409, "POST", saas+"/cancel", nil)
	first := b.must(202, "POST", saas+"/publish", nil)
	b.must(202, "POST", saas+"/cancel", nil)
	again := b.must(200, "POST", saas+"/cancel", nil)
	require.Equal(t, first["submissionId"], again["submissionId"])
	b.run()
	require.Equal(t, "Draft", b.must(200, "GET", saas, nil)["status"])
	labels := b.historyLabels()
	require.Equal(t, []string{"Submitted offer to preview", "Initiated submit to preview cancellation", "Canceled submission to preview"}, labels[len(labels)-3:])
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	refused := b.must(409, "POST", saas+"/cancel", nil)
	require.Equal(t, "CannotCancel", refused["error"].(object)["code"])
}

// TestVerdict is PUB-15 and PUB-20: an operator refuses, the offer needs attention, and may be published again.
func TestVerdict(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.certifier.result = publish.Pending
	b.saasOffer()
	b.must(200, "PUT", saas+"/pages/offerListing", object{"listing": object{"searchResultsSummary": "One"}})
	const verdict = "/operator/v1/publishers/contoso/offers/contoso-saas/certification"
	b.must(403, "POST", verdict, object{"result": "Passed"})
	b.must(409, "POST", verdict, object{"result": "Passed"}, "Authorization", "Bearer op")
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	b.must(202, "POST", saas+"/golive", nil)
	b.run()
	require.Equal(t, "PublishInProgress", b.must(200, "GET", saas, nil)["status"])
	b.must(200, "POST", verdict, object{"result": "Failed", "failedPolicies": []object{{"policyId": "100.1", "description": "Title"}}}, "Authorization", "Bearer op")
	overview := b.must(200, "GET", saas+"/overview", nil)
	require.Equal(t, "AttentionNeeded", overview["status"])
	require.Equal(t, "Failed", overview["certificationReport"].(object)["result"])
	b.must(202, "POST", saas+"/publish", nil)
	b.run()
	b.must(202, "POST", saas+"/golive", nil)
	b.run()
	b.must(200, "POST", verdict, object{"result": "Passed"}, "Authorization", "Bearer op")
	b.run()
	require.Equal(t, "Live", b.must(200, "GET", saas, nil)["status"])
}

func vm(extra object) object {
	plan := object{"planId": "contoso", "microsoft-azure-virtualmachines.skuTitle": "Contoso", "virtualMachinePricing": object{"isByol": true}}
	for k, v := range extra {
		plan[k] = v
	}
	return object{"publisherId": "contoso", "offerTypeId": "microsoft-azure-virtualmachines", "id": "contosovirtualmachine",
		"definition": object{"displayText": "Contoso VM", "plans": []object{plan}, "offer": object{
			"Microsoft-Azure-Marketplace.Title": "Contoso App", "microsoft-azure-marketplace.summary": "s", "x.unknown": 7,
			"microsoft-azure-marketplace.categoryMap": []object{{"categoryL1": "analytics"}}, "microsoft-azure-marketplace.leadDestination": "None"}}}
}

// TestOptimisticUpdate is walk 2: CPP-13 to CPP-16, CPP-25, CPP-28, CPP-30.
func TestOptimisticUpdate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const one = cpp + "/contosovirtualmachine"
	b.must(412, "PUT", one+v, vm(nil), "If-Match", `W/"x"`)
	created := b.must(201, "PUT", one+v, vm(nil))
	require.Equal(t, "neverPublished", created["status"])
	keys := created["definition"].(object)["offer"].(object)
	require.Equal(t, object{}, keys["microsoft-azure-marketplace.tableLeadConfiguration"])
	require.Equal(t, "Contoso App", keys["microsoft-azure-marketplace.title"])
	require.EqualValues(t, 7, keys["x.unknown"])
	a := b.call("GET", one+v, nil).Header().Get("ETag")
	b.must(200, "PUT", one+v, vm(nil), "If-Match", a)
	require.Equal(t, "PreconditionFailed", b.must(412, "PUT", one+v, vm(nil), "If-Match", a)["error"].(object)["code"])
	b.must(200, "PUT", one+"/"+v, vm(nil), "If-Match", "*")
	b.must(400, "PUT", one+v, vm(nil))
	b.must(400, "PUT", cpp+"/contoso-saas"+v, object{"publisherId": "contoso", "offerTypeId": "SaaS", "id": "contoso-saas"}) // CPP-1
	require.Equal(t, "InvalidAPIVersion", b.must(400, "GET", one, nil)["error"].(object)["code"])                            // CPP-3
	b.must(401, "GET", one+v, nil, "Authorization", "")                                                                      // CPP-4
	b.must(403, "GET", one+v, nil, "Authorization", "Bearer other")                                                          // CPP-5
}

// TestParallelPuts is CPP-18: of 20 parallel PUTs with one tag exactly one wins.
func TestParallelPuts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const one = cpp + "/contosovirtualmachine"
	b.must(201, "PUT", one+v, vm(nil))
	tag := b.call("GET", one+v, nil).Header().Get("ETag")
	var wait sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		wait.Go(func() {
			statuses[i] = b.call("PUT", one+v, vm(object{"x.n": fmt.Sprint(i)}), "If-Match", tag).Code
		})
	}
	wait.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusPreconditionFailed: 19}, count)
}

// TestVirtualMachineBlocked is walk 3: PUB-8, PUB-15, CPP-35, CPP-36, CPP-43, CPP-46, CPP-47.
func TestVirtualMachineBlocked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const one = cpp + "/contosovirtualmachine"
	b.must(201, "PUT", one+v, vm(nil))
	w := b.call("POST", one+"/publish"+v, object{"metadata": object{"notification-emails": "jdoe@contoso.com"}})
	require.Equal(t, 202, w.Code, w.Body)
	location := w.Header().Get("Location")
	require.Regexp(t, `^/api/publishers/contoso/offers/contosovirtualmachine/operations/[0-9a-f-]{36}\?api-version=2017-10-31$`, location)
	require.Equal(t, location, w.Header().Get("Operation-Location"))
	b.run()
	op := b.must(200, "GET", location, nil)
	require.Equal(t, []any{"running", "canCancel"}, []any{op["status"], op["cancellationRequestState"]})
	steps := op["steps"].([]any)
	require.Len(t, steps, 6)
	blocked := steps[1].(object)
	require.Equal(t, []any{"displaycertify", "blocked"}, []any{blocked["id"], blocked["status"]})
	require.Contains(t, fmt.Sprint(blocked["messages"]), "No virtual machine image was found for the plan contoso.")

	b.must(200, "PUT", one+v, vm(object{"microsoft-azure-virtualmachines.vmImages": object{"1.0.1": object{
		"osVhdUrl": "https://contoso.blob.core.windows.net/vhds/os.vhd?sv=2020-08-04&st=2025-12-30T00%3A00%3A00Z&se=2028-01-01T00%3A00%3A00Z&sr=c&sp=rl&sig=x"}},
		"microsoft-azure-virtualmachines.operatingSystemFamily": "Linux"}), "If-Match", "*")
	b.must(202, "POST", one+"/publish"+v, nil)
	require.Equal(t, "failed", b.must(200, "GET", location, nil)["status"])
	b.run()
	require.Equal(t, "waitingForPublisherReview", b.must(200, "GET", one+"/status"+v, nil)["status"])
	b.must(202, "POST", one+"/golive"+v, nil)
	var running []object
	require.NoError(t, json.Unmarshal(b.call("GET", one+"/submissions/"+v+"&status=Running", nil).Body.Bytes(), &running))
	require.Len(t, running, 1)
	require.Equal(t, "goLive", running[0]["submissionType"])
	b.run()
	require.Equal(t, "succeeded", b.must(200, "GET", "/api/operations/contoso$contosovirtualmachine$2$production"+v, nil)["status"])
	b.must(404, "GET", one+"/operations/nothing"+v, nil)
}

func TestAssetsByTheirBytes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must(201, "POST", portal, object{"offerId": "contoso-saas", "offerType": "SaaS", "alias": "Contoso"})
	for _, row := range []struct {
		name, kind string
		content    []byte
		status     int
	}{
		{"SAS-22 smallest", "largeLogo", logo(t, 216, 216), 200},
		{"SAS-22 largest", "largeLogo", logo(t, 350, 350), 200},
		{"SAS-22 one less", "largeLogo", logo(t, 215, 215), 400},
		{"SAS-22 one more", "largeLogo", logo(t, 351, 351), 400},
		{"SAS-22 not square", "largeLogo", logo(t, 216, 217), 400},
		{"SAS-23 text called png", "largeLogo", []byte("hello"), 400},
		{"SAS-22 own medium", "mediumLogo", logo(t, 90, 90), 200},
		{"SAS-22 own medium, one less", "mediumLogo", logo(t, 89, 89), 400},
		{"SAS-22 own small", "smallLogo", logo(t, 48, 48), 200},
		{"SAS-22 own small, one more", "smallLogo", logo(t, 49, 49), 400},
		{"SAS-23 screenshot", "screenshot", logo(t, 1280, 720), 200},
		{"SAS-23 screenshot, one less", "screenshot", logo(t, 1279, 720), 400},
		{"SAS-23 screenshot, one more", "screenshot", logo(t, 1280, 721), 400},
		{"SAS-23 thumbnail", "videoThumbnail", logo(t, 1280, 720), 200},
		{"SAS-23 thumbnail of another size", "videoThumbnail", logo(t, 640, 360), 400},
		{"SAS-24 PDF", "document", []byte("%PDF-1.4"), 200},
		{"SAS-24 no PDF", "document", []byte("PDF"), 400},
	} {
		b.asset(row.kind, "file.png", row.content, row.status)
	}
}

// The smaller logos are made of the large one, and one's own are kept (SAS-22).
func TestLogosAreMadeOfTheLargeOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must(201, "POST", portal, object{"offerId": "contoso-saas", "offerType": "SaaS", "alias": "Contoso"})
	listing := b.asset("largeLogo", "logo.png", logo(t, 300, 300), 200)["listing"].(object)
	for member, side := range map[string]int{"mediumLogo": 90, "smallLogo": 48} {
		made, err := b.blobs.Read(t.Context(), "media", listing[member].(string), 1<<20)
		require.NoError(t, err, "SAS-22 %s", member)
		config, err := png.DecodeConfig(bytes.NewReader(made))
		require.NoError(t, err)
		require.Equal(t, []int{side, side}, []int{config.Width, config.Height}, "SAS-22 %s", member)
	}
	own := b.asset("mediumLogo", "own.png", logo(t, 90, 90), 200)["listing"].(object)["mediumLogo"]
	again := b.asset("largeLogo", "other.png", logo(t, 250, 250), 200)["listing"].(object)
	require.Equal(t, own, again["mediumLogo"], "SAS-22 a replaced one stays")
	require.NotEqual(t, listing["smallLogo"], again["smallLogo"], "SAS-22 the other is made anew")
}
