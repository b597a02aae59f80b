package demo

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
)

// step is one part of the walk.
type step struct {
	name string
	run  func(context.Context) error
}

// Run walks all steps in order.
func (w *Walk) Run(ctx context.Context) error {
	for i, s := range w.steps() {
		fmt.Fprintf(w.out, "\n%d. %s\n", i+1, s.name)
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.name, err)
		}
	}
	fmt.Fprintln(w.out, "\nEvery step did what it says.")
	return nil
}

func (w *Walk) steps() []step {
	return []step{
		{"contoso drafts a SaaS offer and reads it back", w.draft},
		{"contoso uploads a logo, a document and packages", w.uploads},
		{"the offer is published, previewed and goes live", w.publish},
		{"Adatum buys, the publisher activates, changes and is told", w.subscribe},
		{"the publisher reports usage", w.usage},
		{"customers ask for contact, one destination is dead", w.leads},
		{"Adatum tries the product out", w.testDrive},
		{"a month passes: the trial converts, usage is charged", w.month},
		{"the payout run writes a statement", w.payout},
	}
}

const (
	publisherID = "contoso"
	portal      = "/portal/v1/publishers/contoso/offers"
	saas        = portal + "/walk-saas"
	application = portal + "/walk-app"
	cppOffer    = "/api/publishers/contoso/offers/walk-saas?api-version=2017-10-31"
)

// do runs requests in order and stops at the first that fails.
func (w *Walk) do(ctx context.Context, requests ...request) error {
	for _, r := range requests {
		if _, err := w.must(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (w *Walk) signIn(ctx context.Context) (err error) {
	contoso, _ := w.stack.Fixtures.Publisher(publisherID)
	app := contoso.Apps[0]
	if w.publisher, err = w.appToken(ctx, contoso.TenantID, app.AppID, app.Secret); err != nil {
		return err
	}
	staff := w.stack.Fixtures.Operators[0]
	if w.operator, err = w.appToken(ctx, staff.TenantID, staff.AppID, staff.Secret); err != nil {
		return err
	}
	adatum := w.stack.Fixtures.Customers[0]
	w.customer, err = w.userToken(ctx, adatum.TenantID, adatum.Users[0].UPN, adatum.Users[0].Password)
	return err
}

func (w *Walk) draft(ctx context.Context) error {
	if err := w.signIn(ctx); err != nil {
		return err
	}
	contoso, _ := w.stack.Fixtures.Publisher(publisherID)
	put := func(page string, body object) request {
		return request{method: http.MethodPut, path: saas + "/pages/" + page, token: w.publisher, body: body, want: http.StatusOK}
	}
	plan := func(body object) request {
		return request{method: http.MethodPost, path: saas + "/plans", token: w.publisher, body: body, want: http.StatusCreated}
	}
	monthly := func(price string) []object { return []object{{"termUnit": "P1M", "priceUSD": price}} }
	err := w.do(ctx,
		request{method: http.MethodPost, path: portal, token: w.publisher, want: http.StatusCreated,
			body: object{"offerId": "walk-saas", "offerType": "SaaS", "alias": "Walk"}, show: []string{"status"}},
		put("offerSetup", object{"listingOption": "SellThroughMicrosoft", "leadDestination": object{
			"leadDestination": "httpsEndpoint", "contactEmail": []string{"leads@contoso.example"},
			"settings": object{"httpsEndpointUrl": w.stack.Sample.URL() + "/lead"}}}),
		put("properties", object{"listing": object{"categories": []string{"analytics"}}}),
		put("offerListing", object{"listing": object{"name": "Contoso Walk", "searchResultsSummary": "Walks a product through its life.",
			"description": "<p>A product that is walked.</p>", "privacyPolicyUrl": "https://contoso.example/privacy"}}),
		put("previewAudience", object{"previewAudience": []string{"olga.owner@contoso.example"}}),
		put("technicalConfiguration", object{"technicalConfiguration": object{
			"landingPageUrl": contoso.LandingPageURL, "connectionWebhook": contoso.WebhookURL,
			"aadTenantId": contoso.TenantID, "aadApplicationId": contoso.Apps[0].AppID}}),
		put("testDrive", object{"testDrive": object{"enabled": true, "type": "logicApp", "durationHours": 2, "maxConcurrentTestDrives": 3,
			"accessInformation": "Open {{url}}", "settings": object{
				"assignUrl": w.stack.Sample.URL() + "/testdrive/assign", "deprovisionUrl": w.stack.Sample.URL() + "/testdrive/deprovision"}}}),
		plan(object{"planId": "trial", "name": "Trial", "description": "One month for nothing.", "pricingModel": "flatRate",
			"markets": []string{"US"}, "terms": monthly("20"), "freeTrial": true}),
		put("planOverview", object{"dimensions": []object{
			{"dimensionId": "email", "displayName": "E-mails", "unitOfMeasure": "per 100 e-mails"},
			{"dimensionId": "text", "displayName": "Texts", "unitOfMeasure": "per text"}}}),
		plan(object{"planId": "metered", "name": "Metered", "description": "A fee and what you use.", "pricingModel": "flatRate",
			"markets": []string{"US"}, "terms": monthly("100"), "meters": []object{
				{"dimensionId": "email", "enabled": true, "pricePerUnitUsd": "1"},
				{"dimensionId": "text", "enabled": true, "pricePerUnitUsd": "0.02"}}}),
		plan(object{"planId": "plus", "name": "Plus", "description": "More for more.", "pricingModel": "flatRate",
			"markets": []string{"US"}, "terms": monthly("200"), "meters": []object{
				{"dimensionId": "email", "enabled": true, "pricePerUnitUsd": "0.5"},
				{"dimensionId": "text", "enabled": true, "pricePerUnitUsd": "0.01"}}}),
	)
	if err != nil {
		return err
	}
	read, err := w.must(ctx, request{method: http.MethodGet, path: cppOffer, token: w.publisher, want: http.StatusOK, show: []string{"offerTypeId", "status"}})
	if err != nil {
		return err
	}
	etag := read.header.Get("ETag")
	fmt.Fprintf(w.out, "         ETag: %s\n", etag)
	change := func(alias string, want int) request {
		r := put("properties", object{"listing": object{"searchKeywords": []string{alias}}})
		r.header, r.want = map[string]string{"If-Match": etag}, want
		return r
	}
	return w.do(ctx, change("first", http.StatusOK), change("stale", http.StatusPreconditionFailed))
}

// upload asks for a link, puts the content there, and returns the blob's name.
func (w *Walk) upload(ctx context.Context, offer, kind, file string, content []byte) (string, error) {
	a, err := w.must(ctx, request{method: http.MethodPost, path: offer + "/uploads", token: w.publisher, want: http.StatusCreated,
		body: object{"kind": kind, "fileName": file}, show: []string{"file"}})
	if err != nil {
		return "", err
	}
	_, err = w.must(ctx, request{method: http.MethodPut, path: a.text("uploadUrl"), body: content, want: http.StatusCreated,
		header: map[string]string{"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}})
	return a.text("file"), err
}

// assets uploads a logo and a document and puts them on the listing.
func (w *Walk) assets(ctx context.Context, offer string) error {
	for kind, content := range map[string][]byte{"largeLogo": logo(), "document": []byte("%PDF-1.7\n% a document\n")} {
		file, err := w.upload(ctx, offer, kind, kind+".bin", content)
		if err != nil {
			return err
		}
		if err := w.do(ctx, request{method: http.MethodPut, path: offer + "/listing/assets", token: w.publisher, want: http.StatusOK,
			body: object{"kind": kind, "file": file, "name": "The walk"}}); err != nil {
			return err
		}
	}
	return nil
}

func (w *Walk) uploads(ctx context.Context) error {
	if err := w.assets(ctx, saas); err != nil {
		return err
	}
	if err := w.do(ctx, request{method: http.MethodPost, path: portal, token: w.publisher, want: http.StatusCreated,
		body: object{"offerId": "walk-app", "offerType": "AzureApplication", "alias": "Walk app"}}); err != nil {
		return err
	}
	for _, p := range []struct {
		name, state string
		content     []byte
	}{{"good.zip", "Processed", goodPackage()}, {"broken.zip", "ProcessFailed", brokenPackage()}} {
		if _, err := w.upload(ctx, application, "package", p.name, p.content); err != nil {
			return err
		}
		report := request{method: http.MethodGet, path: application + "/packages/" + p.name + "/report", token: w.publisher, want: http.StatusOK}
		a, err := w.until(ctx, report, p.state, func(a answer) bool { return a.text("state") == p.state })
		if err != nil {
			return err
		}
		fmt.Fprintf(w.out, "         findings: %s\n", clip(a.text("findings"), 200))
	}
	return nil
}

// goLive publishes an offer, waits for its preview, and signs it off.
func (w *Walk) goLive(ctx context.Context, offer string) error {
	if err := w.do(ctx, request{method: http.MethodPost, path: offer + "/publish", token: w.publisher, want: http.StatusAccepted, show: []string{"submissionId"}}); err != nil {
		return err
	}
	overview := request{method: http.MethodGet, path: offer + "/overview", token: w.publisher, want: http.StatusOK}
	if _, err := w.until(ctx, overview, "in preview", func(a answer) bool { return a.text("status") == "Preview" }); err != nil {
		return err
	}
	if err := w.do(ctx, request{method: http.MethodPost, path: offer + "/golive", token: w.publisher, want: http.StatusAccepted}); err != nil {
		return err
	}
	_, err := w.until(ctx, overview, "live", func(a answer) bool { return a.text("status") == "Live" })
	return err
}

func (w *Walk) publish(ctx context.Context) error {
	shown := request{method: http.MethodGet, path: "/storefront/v1/offers/contoso/walk-saas", want: http.StatusNotFound}
	if err := w.do(ctx, shown); err != nil {
		return err
	}
	if err := w.goLive(ctx, saas); err != nil {
		return err
	}
	shown.want, shown.show = http.StatusOK, []string{"name", "version"}
	return w.do(ctx, shown,
		request{method: http.MethodGet, path: saas + "/history", token: w.publisher, want: http.StatusOK},
		request{method: http.MethodGet, path: "/api/publishers/contoso/offers/walk-saas/status?api-version=2017-10-31", token: w.publisher, want: http.StatusOK, show: []string{"status"}})
}

func logo() []byte {
	var b bytes.Buffer
	// An image in memory always encodes.
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 216, 216))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

const (
	goodTemplate = `{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {"location": {"type": "string", "metadata": {"description": "Where the resources live."}}},
  "resources": [{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-05-01",
    "name": "[concat('walk', uniqueString(resourceGroup().id))]", "location": "[parameters('location')]",
    "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}],
  "outputs": {}
}`
	goodForm = `{
  "$schema": "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
  "handler": "Microsoft.Azure.CreateUIDef", "version": "0.1.2-preview",
  "parameters": {"basics": [], "steps": [], "outputs": {"location": "[location()]"}}
}`
)

func goodPackage() []byte {
	return archive(map[string]string{"mainTemplate.json": goodTemplate, "createUiDefinition.json": goodForm})
}

// brokenPackage has a template that is no JSON, and no form.
func brokenPackage() []byte {
	return archive(map[string]string{"mainTemplate.json": "{\"resources\": [}"})
}

func archive(files map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		f, err := z.Create(name)
		if err != nil {
			panic(err) // writing to memory does not fail
		}
		if _, err := f.Write([]byte(content)); err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Live drafts the walk's offer and brings it live, for tests and measurements that need one to buy.
func (w *Walk) Live(ctx context.Context) error {
	if err := w.draft(ctx); err != nil {
		return err
	}
	if err := w.assets(ctx, saas); err != nil {
		return err
	}
	return w.goLive(ctx, saas)
}

// Purchase buys a plan of the live offer, as the customer, and returns the subscription's id. The same name is the
// same order.
func (w *Walk) Purchase(ctx context.Context, plan, name string) (string, error) {
	return w.buy(ctx, plan, name)
}

// Through sends the requests that follow to another address of the marketplace, such as a handler without a host.
func (w *Walk) Through(url string) { w.base = url }

// PublisherToken is a bearer token of the publisher's application.
func (w *Walk) PublisherToken() string { return w.publisher }
