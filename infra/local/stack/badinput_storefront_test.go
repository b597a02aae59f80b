package stack_test

import (
	"strings"
	"testing"
)

const (
	goodLead = `{"eventId":"walk","source":"AppSource","callToAction":"ContactMe","publisherId":"contoso","offerId":"walk-saas","consentGiven":true,` +
		`"note":"Call me.","customer":{"FirstName":"Ada","LastName":"Adatum","Email":"ada@adatum.example","Country":"US","Company":"Adatum"}}`
	goodTestDrive = `{"publisherId":"contoso","offerId":"walk-saas","acceptedTerms":true,"acceptedPrivacyPolicy":true,"shareContact":true,` +
		`"customer":{"FirstName":"Ada","LastName":"Adatum","Email":"ada@adatum.example","Country":"US","Company":"Adatum"}}`
	goodTerms    = `{"publisherId":"contoso","offerId":"walk-saas","planId":"metered","acceptedTerms":["standardContract"]}`
	goodPurchase = `{"publisherId":"contoso","offerId":"walk-saas","planId":"metered","termUnit":"P1M","market":"US","store":"AppSource",` +
		`"subscriptionName":"Never","payment":{"method":"card"},"acceptedTerms":["standardContract"],"autoRenew":true}`
)

// storefrontAPI is everything below /storefront/v1.
func storefrontAPI(t *testing.T) *api {
	const all, one = "/storefront/v1/subscriptions", "/storefront/v1/subscriptions/{id}"
	a := &api{
		name: "storefront", read: portalError,
		refusals: map[bad]want{
			missingToken: {401, "InvalidToken", "authorization"}, invalidToken: {401, "InvalidToken", "authorization"},
			foreign: {403, "Forbidden", "authorization"}, malformed: {400, "MalformedJson", ""}, wrongType: {400, "InvalidType", ""},
			tooLarge: {413, "BodyTooLarge", ""}, mediaType: {415, "UnsupportedMediaType", "Content-Type"}, chunked: {400, "MissingBody", ""},
		},
		strangers: map[string]string{"Customer": contoso},
	}
	none := row{bad: unknownID, name: "subscription", values: map[string]string{"id": "21111111-0000-4000-8000-000000000001"}, want: want{404, "EntityNotFound", "subscriptionId"}}
	other := row{bad: foreign, name: "customer", who: tim, want: want{403, "Forbidden", ""}}
	noSession := row{bad: unknownID, name: "session", values: map[string]string{"sessionId": "nothing"}, want: want{404, "NotFound", "sessionId"}}
	notMine := row{bad: foreign, name: "customer", who: tim, want: want{404, "NotFound", "sessionId"}}
	const toPlan, toSeats, renew = `{"planId":"metered"}`, `{"quantity":5}`, `{"enabled":false}`
	a.endpoints = []endpoint{
		{method: "GET", pattern: "/storefront/v1/offers", rows: []row{continuation}},
		{method: "GET", pattern: "/storefront/v1/offers/{publisherId}/{offerId}", rows: []row{
			{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "offerId"}},
			{bad: unknownID, name: "publisher", values: map[string]string{"publisherId": "nobody"}, want: want{404, "NotFound", "offerId"}},
			{bad: unknownID, name: "longer than any key", values: map[string]string{"offerId": strings.Repeat("x", 4000)}, want: want{404, "NotFound", "offerId"}},
			{bad: invalid, name: "slot", query: "slot=draft", want: want{400, "InvalidValue", "slot"}}}},
		{method: "GET", pattern: "/storefront/v1/terms", who: ada, query: "publisherId=contoso&offerId=walk-saas", rows: []row{
			{bad: invalid, name: "no publisher", query: "offerId=walk-saas", want: want{400, "RequiredField", "publisherId"}},
			{bad: invalid, name: "no offer", query: "publisherId=contoso", want: want{400, "RequiredField", "offerId"}},
			{bad: overLong, name: "publisher", query: "offerId=walk-saas&publisherId=" + long(51), want: want{400, "InvalidValue", "publisherId"}},
			{bad: overLong, name: "offer", query: "publisherId=contoso&offerId=" + long(51), want: want{400, "InvalidValue", "offerId"}},
			{bad: overLong, name: "plan", query: "publisherId=contoso&offerId=walk-saas&planId=" + long(51), want: want{400, "InvalidValue", "planId"}},
			{bad: unknownID, name: "offer", query: "publisherId=contoso&offerId=nothing", want: want{404, "EntityNotFound", "offerId"}},
			{bad: unknownID, name: "plan", query: "publisherId=contoso&offerId=walk-saas&planId=nothing", want: want{404, "EntityNotFound", "planId"}}}},
		{method: "PUT", pattern: "/storefront/v1/terms", who: ada, body: goodTerms, rows: append(members(t, goodTerms,
			m{wrongType, "publisherId", `5`, "InvalidType"}, m{wrongType, "planId", `[]`, "InvalidType"}, m{wrongType, "acceptedTerms", `"all"`, "InvalidType"},
			m{overLong, "publisherId", quoted(long(51)), "InvalidValue"}, m{overLong, "offerId", quoted(long(51)), "InvalidValue"},
			m{overLong, "planId", quoted(long(51)), "InvalidValue"}, m{overLong, "acceptedTerms", `[` + many(101, `"t%d"`) + `]`, "InvalidValue"},
			m{invalid, "publisherId", `null`, "RequiredField"}, m{invalid, "offerId", `""`, "RequiredField"}, m{invalid, "acceptedTerms", `[]`, "RequiredField"}),
			row{bad: invalid, name: "another document", body: set(t, goodTerms, "acceptedTerms", `["more"]`), want: want{400, "InvalidValue", "acceptedTerms[0]"}},
			row{bad: unknownID, name: "offer", body: set(t, goodTerms, "offerId", `"nothing"`), want: want{404, "EntityNotFound", "offerId"}},
			row{bad: unknownID, name: "plan", body: set(t, goodTerms, "planId", `"nothing"`), want: want{404, "EntityNotFound", "planId"}})},
		{method: "POST", pattern: "/storefront/v1/purchases", who: ada, body: goodPurchase, rows: purchaseRows(t)},
		{method: "GET", pattern: all, who: ada, rows: []row{continuation}},
		{method: "GET", pattern: one, who: ada, rows: []row{none, other}},
		{method: "POST", pattern: one + "/configure", who: ada, bodiless: true, rows: []row{none, other}},
		{method: "POST", pattern: one + "/manage", who: ada, bodiless: true, rows: []row{none, other}},
		{method: "POST", pattern: one + "/changePlan", who: ada, body: toPlan, rows: append(members(t, toPlan, m{wrongType, "planId", `5`, "InvalidType"},
			m{overLong, "planId", quoted(long(5000)), "InvalidValue"}, m{invalid, "planId", `null`, "RequiredField"},
			m{invalid, "surface", `"AzurePortal"`, "InvalidValue"}), none, other)},
		{method: "POST", pattern: one + "/changeQuantity", who: ada, body: toSeats, rows: append(members(t, toSeats, m{wrongType, "quantity", `[]`, "InvalidValue"},
			m{overLong, "quantity", quoted(long(5000)), "InvalidValue"}, m{invalid, "quantity", `null`, "RequiredField"}), none, other)},
		{method: "POST", pattern: one + "/previewChange", who: ada, body: `{"quantity":2}`, noText: true, rows: append(members(t, `{"quantity":2}`,
			m{wrongType, "quantity", `"two"`, "InvalidType"}, m{wrongType, "planId", `7`, "InvalidType"}),
			row{bad: invalid, name: "neither", body: `{}`, want: want{400, "BadRequest", ""}},
			row{bad: invalid, name: "both", body: `{"planId":"gold","quantity":2}`, want: want{400, "BadRequest", ""}}, none, other)},
		{method: "POST", pattern: one + "/cancel", who: ada, bodiless: true, rows: []row{none, other}},
		{method: "PUT", pattern: one + "/autoRenew", who: ada, body: renew, noText: true, rows: append(members(t, renew,
			m{wrongType, "enabled", `"no"`, "InvalidType"}, m{invalid, "enabled", `null`, "RequiredField"}), none, other)},
		{method: "POST", pattern: "/storefront/v1/leads", who: ada, body: goodLead, rows: leadRows(t)},
		{method: "POST", pattern: "/storefront/v1/testdrives", who: tim, body: goodTestDrive, rows: testDriveRows(t)},
		{method: "GET", pattern: "/storefront/v1/testdrives/{sessionId}", who: ada, rows: []row{noSession, notMine}},
		{method: "DELETE", pattern: "/storefront/v1/testdrives/{sessionId}", who: ada, rows: []row{noSession, notMine}},
	}
	return a
}

func purchaseRows(t *testing.T) []row {
	rows := members(t, goodPurchase,
		m{wrongType, "publisherId", `5`, "InvalidType"}, m{wrongType, "acceptedTerms", `true`, "InvalidType"}, m{wrongType, "autoRenew", `"yes"`, "InvalidType"},
		m{wrongType, "payment", `"card"`, "InvalidType"}, m{wrongType, "payment.method", `5`, "InvalidType"}, m{wrongType, "quantity", `1.5`, "InvalidValue"},
		m{wrongType, "beneficiary", `"tim"`, "InvalidType"},
		m{overLong, "publisherId", quoted(long(51)), "InvalidValue"}, m{overLong, "offerId", quoted(long(51)), "InvalidValue"},
		m{overLong, "planId", quoted(long(51)), "InvalidValue"}, m{overLong, "termUnit", quoted(long(51)), "InvalidValue"},
		m{overLong, "market", quoted(long(51)), "InvalidValue"}, m{overLong, "store", quoted(long(51)), "InvalidValue"},
		m{overLong, "subscriptionName", quoted(long(201)), "InvalidValue"}, m{overLong, "payment.method", quoted(long(51)), "InvalidValue"},
		m{overLong, "quantity", quoted(long(51)), "InvalidValue"}, m{overLong, "acceptedTerms", `[` + many(101, `"t%d"`) + `]`, "InvalidValue"},
		m{invalid, "store", `"Bazaar"`, "InvalidValue"}, m{invalid, "market", `"XX"`, "InvalidValue"}, m{invalid, "termUnit", `"P9M"`, "InvalidValue"},
		m{invalid, "subscriptionName", `""`, "RequiredField"}, m{invalid, "payment.method", `null`, "RequiredField"},
		m{invalid, "quantity", `5`, "InvalidValue"})
	long1 := func(member string, n int) row {
		body := set(t, goodPurchase, "beneficiary", `{"tenantId":"77777777-0000-4000-8000-000000000004"}`)
		target := "beneficiary." + member
		return row{bad: overLong, name: target, body: set(t, body, target, quoted(long(n))), want: want{400, "InvalidValue", target}}
	}
	return append(rows, long1("emailId", 255), long1("objectId", 65), long1("pid", 65), long1("tenantId", 65),
		row{bad: overLong, name: "a term", body: set(t, goodPurchase, "acceptedTerms", `["`+long(257)+`"]`), want: want{400, "InvalidValue", "acceptedTerms[0]"}},
		// Tim's tenant never bought anything, so that nothing is accepted yet.
		row{bad: invalid, name: "terms", who: tim, body: set(t, goodPurchase, "acceptedTerms", `[]`), want: want{400, "TermsNotAccepted", "acceptedTerms"}},
		row{bad: invalid, name: "beneficiary", body: set(t, goodPurchase, "beneficiary", `{"tenantId":"77777777-0000-4000-8000-000000000004","objectId":"tim"}`),
			want: want{400, "InvalidValue", "beneficiary.objectId"}},
		row{bad: overLong, name: "key", header: map[string]string{"Idempotency-Key": long(256)}, want: want{400, "InvalidValue", "Idempotency-Key"}},
		row{bad: invalid, name: "unknown offer", body: set(t, goodPurchase, "offerId", `"nothing"`), want: want{404, "EntityNotFound", "offerId"}},
		row{bad: invalid, name: "unknown publisher", body: set(t, goodPurchase, "publisherId", `"nobody"`), want: want{404, "EntityNotFound", "offerId"}},
		row{bad: invalid, name: "unknown plan", body: set(t, goodPurchase, "planId", `"nothing"`), want: want{404, "EntityNotFound", "planId"}})
}

// customerRows are what is wrong with the customer's data.
func customerRows(t *testing.T, body string) []row {
	rows := members(t, body, m{wrongType, "customer", `"Ada"`, "InvalidType"}, m{wrongType, "customer.Email", `5`, "InvalidType"},
		m{invalid, "customer.Email", `"ada"`, "InvalidCustomer"}, m{invalid, "customer.Email", `null`, "InvalidCustomer"},
		m{invalid, "customer.Country", `"USA"`, "InvalidCustomer"})
	for _, name := range []string{"FirstName", "LastName", "Phone", "Country", "Company", "Title"} {
		rows = append(rows, members(t, body, m{overLong, "customer." + name, quoted(long(257)), "InvalidCustomer"})...)
	}
	return append(rows, members(t, body, m{overLong, "customer.Email", quoted(long(250) + "@x.example"), "InvalidCustomer"})...)
}

func leadRows(t *testing.T) []row {
	rows := append(customerRows(t, goodLead), members(t, goodLead,
		m{wrongType, "eventId", `5`, "InvalidType"}, m{wrongType, "consentGiven", `"yes"`, "InvalidType"}, m{wrongType, "note", `["a"]`, "InvalidType"},
		m{overLong, "eventId", quoted(long(129)), "InvalidValue"}, m{overLong, "note", quoted(long(2001)), "InvalidCustomer"},
		m{overLong, "publisherId", quoted(long(51)), "InvalidValue"}, m{overLong, "offerId", quoted(long(51)), "InvalidValue"},
		m{overLong, "planId", quoted(long(51)), "InvalidValue"}, m{overLong, "source", quoted(long(51)), "InvalidLeadAction"},
		m{overLong, "callToAction", quoted(long(51)), "InvalidLeadAction"}, m{overLong, "slot", quoted(long(51)), "InvalidValue"},
		m{overLong, "crossListedOn", quoted("contoso." + long(200)), "InvalidValue"},
		m{invalid, "eventId", `""`, "InvalidValue"}, m{invalid, "slot", `"draft"`, "InvalidValue"}, m{invalid, "callToAction", `"TestDrive"`, "InvalidLeadAction"},
		m{invalid, "callToAction", `"Sing"`, "InvalidLeadAction"}, m{invalid, "crossListedOn", `"contoso"`, "InvalidValue"})...)
	return append(rows,
		row{bad: invalid, name: "source", body: set(t, goodLead, "source", `"Bazaar"`), want: want{400, "InvalidLeadAction", "source"}},
		row{bad: invalid, name: "unknown offer", body: set(t, set(t, goodLead, "eventId", `"e2"`), "offerId", `"nothing"`), want: want{409, "OfferNotPublished", "offerId"}})
}

func testDriveRows(t *testing.T) []row {
	rows := append(customerRows(t, goodTestDrive), members(t, goodTestDrive,
		m{wrongType, "publisherId", `5`, "InvalidType"}, m{wrongType, "acceptedTerms", `"yes"`, "InvalidType"},
		m{overLong, "publisherId", quoted(long(51)), "InvalidValue"}, m{overLong, "offerId", quoted(long(51)), "InvalidValue"},
		m{overLong, "storefront", quoted(long(51)), "InvalidLeadAction"}, m{overLong, "slot", quoted(long(51)), "InvalidValue"},
		m{invalid, "slot", `"draft"`, "InvalidValue"}, m{invalid, "acceptedTerms", `false`, "AgreementRequired"},
		m{invalid, "acceptedPrivacyPolicy", `false`, "AgreementRequired"}, m{invalid, "shareContact", `null`, "AgreementRequired"},
		m{invalid, "customer.Company", `""`, "InvalidCustomer"}, m{invalid, "storefront", `"Bazaar"`, "InvalidLeadAction"})...)
	return append(rows,
		row{bad: invalid, name: "unknown offer", body: set(t, goodTestDrive, "offerId", `"nothing"`), want: want{404, "TestDriveNotEnabled", "offerId"}})
}
