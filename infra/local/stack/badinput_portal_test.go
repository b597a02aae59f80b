package stack_test

import "testing"

const (
	goodPlan    = `{"planId":"another","name":"Another","description":"One more.","pricingModel":"flatRate","markets":["US"],"terms":[{"termUnit":"P1M","priceUSD":"1"}]}`
	goodListing = `{"listing":{"searchKeywords":["walk"],"termsAndConditions":"None."}}`
)

// portalAPI is everything below /portal/v1.
func portalAPI(t *testing.T) *api {
	const offers = "/portal/v1/publishers/{publisherId}/offers"
	const one = offers + "/{offerId}"
	a := &api{
		name: "portal", read: portalError,
		refusals: map[bad]want{
			missingToken: {401, "InvalidToken", "authorization"}, invalidToken: {401, "InvalidToken", "authorization"},
			foreign: {403, "Forbidden", ""}, malformed: {400, "MalformedJson", ""}, wrongType: {400, "InvalidType", ""},
			tooLarge: {413, "BodyTooLarge", ""}, mediaType: {415, "UnsupportedMediaType", "Content-Type"}, chunked: {400, "MissingBody", ""},
		},
		strangers: map[string]string{"Publisher": fabrikam},
	}
	noOffer := row{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "offerId"}}
	a.endpoints = append(a.endpoints,
		endpoint{method: "POST", pattern: offers, who: contoso, body: `{"offerId":"new","offerType":"SaaS","alias":"New"}`, rows: members(t,
			`{"offerId":"new","offerType":"SaaS","alias":"New"}`,
			m{wrongType, "alias", `5`, "InvalidType"}, m{wrongType, "isTestOffer", `"yes"`, "InvalidType"},
			m{overLong, "offerId", quoted(long(51)), "InvalidValue"}, m{overLong, "alias", quoted(long(51)), "InvalidValue"},
			m{overLong, "offerType", quoted(long(5000)), "InvalidValue"}, m{invalid, "offerId", `"New Offer"`, "InvalidValue"},
			m{invalid, "offerType", `"SaaSy"`, "InvalidValue"})},
		endpoint{method: "GET", pattern: offers, who: contoso, rows: []row{continuation}},
		endpoint{method: "GET", pattern: one, who: contoso, rows: []row{noOffer}},
		pages(t, noOffer), plans(t, noOffer), plan(t, noOffer),
		endpoint{method: "DELETE", pattern: one + "/plans/{planId}", who: contoso, rows: []row{noOffer,
			{bad: unknownID, name: "plan", values: map[string]string{"planId": "nothing"}, want: want{404, "NotFound", "planId"}},
			{bad: invalid, name: "stale tag", header: map[string]string{"If-Match": `"old"`}, want: want{412, "DraftChanged", "If-Match"}}}},
		endpoint{method: "GET", pattern: one + "/review", who: contoso, rows: []row{noOffer}},
		endpoint{method: "PUT", pattern: one + "/review/notes", who: contoso, body: `{"text":"Look here."}`,
			rows: append(members(t, `{"text":"Look here."}`, m{wrongType, "text", `5`, "InvalidType"}, m{overLong, "text", quoted(long(4001)), "InvalidValue"},
				m{invalid, "text", `null`, "Required"}), noOffer)},
	)
	a.endpoints = append(a.endpoints, publishing(t, noOffer)...)
	a.endpoints = append(a.endpoints, uploading(t, noOffer)...)
	a.endpoints = append(a.endpoints, packaging(t)...)
	a.endpoints = append(a.endpoints, publisherReads(noOffer)...)
	a.endpoints = append(a.endpoints, webhookLog(t)...)
	a.endpoints = append(a.endpoints, distributing(t, noOffer)...)
	a.endpoints = append(a.endpoints, audienceFiles(noOffer)...)
	a.endpoints = append(a.endpoints, metering(t, noOffer)...)
	a.endpoints = append(a.endpoints, usageAndAnomalies(t)...)
	return a
}

// meters are the dimensions that the plans have meters for.
const meters = `{"dimensionId":"email"},{"dimensionId":"text"}`

// continuation is a token that was not made here.
var continuation = row{bad: invalid, name: "continuation", query: "continuation=YWJj", want: want{400, "InvalidContinuation", "continuation"}}

func pages(t *testing.T, noOffer row) endpoint {
	e := endpoint{method: "PUT", pattern: "/portal/v1/publishers/{publisherId}/offers/{offerId}/pages/{page}", who: contoso, body: goodListing}
	at := func(page, body string, r row) row {
		r.values, r.body = map[string]string{"page": page}, body
		return r
	}
	e.rows = []row{
		noOffer,
		{bad: unknownID, name: "page", values: map[string]string{"page": "nothing"}, want: want{404, "NotFound", "page"}},
		{bad: invalid, name: "stale tag", header: map[string]string{"If-Match": `"old"`}, want: want{412, "DraftChanged", "If-Match"}},
		at("properties", `{"listing":{"categories":5}}`, row{bad: wrongType, name: "categories", want: want{400, "InvalidType", "listing.categories"}}),
		at("offerListing", `{"listing":{"name":5}}`, row{bad: wrongType, name: "name", want: want{400, "InvalidType", "listing.name"}}),
		at("offerListing", `{"listing":"none"}`, row{bad: wrongType, name: "listing", want: want{400, "InvalidType", "listing"}}),
		at("testDrive", `{"testDrive":{"durationHours":"long"}}`, row{bad: wrongType, name: "durationHours", want: want{400, "InvalidValue", "testDrive.durationHours"}}),
		at("planOverview", `{"dimensions":{"a":1}}`, row{bad: wrongType, name: "dimensions", want: want{400, "InvalidType", "dimensions"}}),
		at("planOverview", `{"dimensions":[{"dimensionId":7}]}`, row{bad: wrongType, name: "dimensionId", want: want{400, "InvalidType", "dimensions.dimensionId"}}),
		at("offerSetup", `{"listingOption":"Barter"}`, row{bad: invalid, name: "listingOption", want: want{400, "InvalidValue", "listingOption"}}),
		at("offerSetup", `{"alias":"Other"}`, row{bad: invalid, name: "fixed alias", want: want{400, "ImmutableField", "alias"}}),
		at("technicalConfiguration", `{"technicalConfiguration":{"landingPageUrl":"ftp://x"}}`, row{bad: invalid, name: "landing page",
			want: want{400, "InvalidValue", "technicalConfiguration.landingPageUrl"}}),
		at("testDrive", `{"testDrive":{"durationHours":1000}}`, row{bad: invalid, name: "durationHours", want: want{400, "InvalidValue", "testDrive.durationHours"}}),
	}
	for _, l := range []struct{ page, body, target, code string }{
		{"offerSetup", `{"offerUrl":"https://` + long(2048) + `"}`, "offerUrl", "InvalidValue"},
		{"offerSetup", `{"trialUrl":"https://` + long(2048) + `"}`, "trialUrl", "InvalidValue"},
		{"offerSetup", `{"leadDestination":{"contactEmail":["` + long(250) + `@x.example"]}}`, "leadDestination.contactEmail[0]", "InvalidValue"},
		{"offerSetup", `{"leadDestination":{"contactEmail":[` + many(51, `"a%d@x.example"`) + `]}}`, "leadDestination.contactEmail", "InvalidValue"},
		{"offerSetup", `{"leadDestination":{"settings":{"other":"` + long(5000) + `"}}}`, "leadDestination.settings.other", "InvalidValue"},
		{"offerSetup", `{"leadDestination":{"settings":{"httpsEndpointUrl":"https://` + long(5000) + `"}}}`, "leadDestination.settings.httpsEndpointUrl", "InvalidValue"},
		{"offerSetup", `{"leadDestination":{"settings":{"` + long(200) + `":"a"}}}`, "leadDestination.settings", "InvalidValue"},
		{"properties", `{"listing":{"termsAndConditions":"` + long(10001) + `"}}`, "listing.termsAndConditions", "InvalidValue"},
		{"properties", `{"listing":{"categories":["` + long(500) + `"]}}`, "listing.categories[0]", "InvalidValue"},
		{"offerListing", `{"listing":{"searchKeywords":["` + long(500) + `"]}}`, "listing.searchKeywords[0]", "InvalidValue"},
		{"offerListing", `{"listing":{"name":"` + long(51) + `"}}`, "listing.name", "InvalidValue"},
		{"offerListing", `{"listing":{"searchResultsSummary":"` + long(101) + `"}}`, "listing.searchResultsSummary", "InvalidValue"},
		{"offerListing", `{"listing":{"description":"` + long(3001) + `"}}`, "listing.description", "InvalidValue"},
		{"offerListing", `{"listing":{"privacyPolicyUrl":"https://` + long(2048) + `"}}`, "listing.privacyPolicyUrl", "InvalidValue"},
		{"previewAudience", `{"previewAudience":["` + long(250) + `@x.example"]}`, "previewAudience[0]", "InvalidValue"},
		{"previewAudience", `{"previewAudience":[` + many(21, `"a%d@x.example"`) + `]}`, "previewAudience", "InvalidValue"},
		{"technicalConfiguration", `{"technicalConfiguration":{"landingPageUrl":"https://` + long(2048) + `"}}`, "technicalConfiguration.landingPageUrl", "InvalidValue"},
		{"technicalConfiguration", `{"technicalConfiguration":{"connectionWebhook":"https://` + long(2048) + `"}}`, "technicalConfiguration.connectionWebhook", "InvalidValue"},
		{"technicalConfiguration", `{"technicalConfiguration":{"aadTenantId":"` + long(50) + `"}}`, "technicalConfiguration.aadTenantId", "InvalidValue"},
		{"planOverview", `{"dimensions":[` + meters + `,{"dimensionId":"` + long(51) + `"}]}`, "dimensions[2].dimensionId", "InvalidValue"},
		{"planOverview", `{"dimensions":[` + meters + `,{"dimensionId":"a","displayName":"` + long(500) + `"}]}`, "dimensions[2].displayName", "InvalidValue"},
		{"planOverview", `{"dimensions":[` + meters + `,{"dimensionId":"a","unitOfMeasure":"` + long(500) + `"}]}`, "dimensions[2].unitOfMeasure", "InvalidValue"},
		{"testDrive", `{"testDrive":{"accessInformation":"` + long(10001) + `"}}`, "testDrive.accessInformation", "InvalidValue"},
		{"testDrive", `{"testDrive":{"type":"` + long(200) + `"}}`, "testDrive.type", "InvalidValue"},
		{"testDrive", `{"testDrive":{"settings":{"assignUrl":"https://` + long(5000) + `"}}}`, "testDrive.settings.assignUrl", "InvalidValue"},
	} {
		e.rows = append(e.rows, at(l.page, l.body, row{bad: overLong, name: l.target, want: want{400, l.code, l.target}}))
	}
	return e
}

// planRows are what is wrong with a plan, at the place it would have.
func planRows(t *testing.T, body, place string) []row {
	rows := members(t, body,
		m{wrongType, "name", `5`, "InvalidType"}, m{wrongType, "markets", `"US"`, "InvalidType"}, m{wrongType, "freeTrial", `"no"`, "InvalidType"},
		m{wrongType, "seatsMax", `1.5`, "InvalidType"}, m{wrongType, "terms", `{}`, "InvalidType"})
	for i := range rows {
		rows[i].want.target = "plans." + rows[i].want.target
	}
	price := func(b bad, name, value string) {
		rows = append(rows, row{bad: b, name: name, body: set(t, body, "terms", `[{"termUnit":"P1M","priceUSD":`+value+`}]`),
			want: want{400, "InvalidValue", place + ".terms[0].priceUSD"}})
	}
	price(wrongType, "price that is no number", `"much"`)
	price(wrongType, "price that is an object", `{}`)
	price(overLong, "price with an exponent", `"1e2000000000"`)
	price(overLong, "price with many decimals", `"0.`+long9(40)+`"`)
	price(invalid, "price below zero", `-1`)
	rows = append(rows, row{bad: overLong, name: "price with an exponent, in other letters", body: set(t, body, "terms", `[{"termUnit":"P1M","PRICEUSD":1e9000}]`),
		want: want{400, "InvalidValue", place + ".terms[0]"}})
	for _, r := range members(t, body,
		m{overLong, "name", quoted(long(51)), "InvalidValue"}, m{overLong, "description", quoted(long(501)), "InvalidValue"},
		m{overLong, "pricingModel", quoted(long(51)), "InvalidValue"},
		m{overLong, "privateAudience", `["` + long(51) + `"]`, "InvalidValue"}, m{overLong, "markets", `["` + long(51) + `"]`, "InvalidValue"},
		m{overLong, "packageFile", quoted(long(2000)), "InvalidValue"},
		m{overLong, "terms", `[{"termUnit":"` + long(51) + `"}]`, "InvalidValue"},
		m{overLong, "meters", `[{"dimensionId":"` + long(51) + `"}]`, "InvalidValue"},
		m{invalid, "pricingModel", `"barter"`, "InvalidValue"}, m{invalid, "seatsMin", `-1`, "InvalidValue"},
	) {
		inner := map[string]string{"privateAudience": "[0]", "markets": "[0]", "terms": "[0].termUnit", "meters": "[0].dimensionId"}
		r.want.target = place + "." + r.want.target + inner[r.name]
		rows = append(rows, r)
	}
	return rows
}

func plans(t *testing.T, noOffer row) endpoint {
	return endpoint{method: "POST", pattern: "/portal/v1/publishers/{publisherId}/offers/{offerId}/plans", who: contoso, body: goodPlan,
		rows: append(planRows(t, goodPlan, "plans[3]"), noOffer,
			row{bad: overLong, name: "planId", body: set(t, goodPlan, "planId", quoted(long(51))), want: want{400, "InvalidValue", "plans[3].planId"}},
			row{bad: invalid, name: "planId", body: set(t, goodPlan, "planId", `""`), want: want{400, "Required", "planId"}},
			row{bad: invalid, name: "a plan of that id", body: set(t, goodPlan, "planId", `"plus"`), want: want{409, "AlreadyExists", "planId"}})}
}

func plan(t *testing.T, noOffer row) endpoint {
	return endpoint{method: "PUT", pattern: "/portal/v1/publishers/{publisherId}/offers/{offerId}/plans/{planId}", who: contoso, body: `{"name":"Named"}`,
		rows: append(planRows(t, `{"name":"Named"}`, "plans[1]"), noOffer,
			row{bad: unknownID, name: "plan that cannot be", values: map[string]string{"planId": "Not An Id"}, want: want{400, "InvalidValue", "plans[3].planId"}},
			row{bad: invalid, name: "planId", body: `{"planId":"other"}`, want: want{400, "ImmutableField", "planId"}})}
}
