package stack_test

import "testing"

const goodPut = `{"publisherId":"contoso","id":"new-vm","offerTypeId":"microsoft-azure-virtualmachines","definition":{"displayText":"New","offer":` +
	`{"microsoft-azure-marketplace.title":"New","microsoft-azure-marketplace.leadDestination":"HttpsEndpoint",` +
	`"microsoft-azure-marketplace.httpsEndpointLeadConfiguration":{"httpsEndpointUrl":"https://contoso.example/lead"}},` +
	`"plans":[{"planId":"one","microsoft-azure-virtualmachines.skuTitle":"One"}]}}`

// cppAPI is the Cloud Partner Portal API.
func cppAPI(t *testing.T) *api {
	const offers = "/api/publishers/{publisherId}/offers"
	const one = offers + "/{offerId}"
	a := &api{
		name: "Cloud Partner Portal API", query: "api-version=2017-10-31", read: portalError,
		refusals: map[bad]want{
			missingVersion: {400, "InvalidAPIVersion", ""}, wrongVersion: {400, "InvalidAPIVersion", ""},
			missingToken: {401, "InvalidToken", ""}, invalidToken: {401, "InvalidToken", ""}, foreign: {403, "Forbidden", ""},
			malformed: {400, "BadRequest", ""}, wrongType: {400, "InvalidType", ""}, tooLarge: {413, "BodyTooLarge", ""},
			mediaType: {415, "UnsupportedMediaType", "Content-Type"}, chunked: {400, "MissingBody", ""},
		},
		strangers: map[string]string{"Publisher": fabrikam, "App": ada},
	}
	noOffer := row{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "offerId"}}
	get := func(pattern string, rows ...row) endpoint {
		return endpoint{method: "GET", pattern: pattern, who: contoso, rows: rows}
	}
	const metadata = `{"metadata":{"notification-emails":"a@contoso.example"}}`
	act := func(name string) endpoint {
		// Offers of SaaS are not written here (CPP-1): nothing happens to the offer, whatever is sent.
		return endpoint{method: "POST", pattern: one + "/" + name, who: contoso, body: metadata, optionalBody: true, rows: append(members(t, metadata,
			m{wrongType, "metadata", `"a@contoso.example"`, "InvalidType"}, m{wrongType, "metadata.notification-emails", `["a@contoso.example"]`, "InvalidType"},
			m{overLong, "metadata.notification-emails", quoted(long(2001)), "BadRequest"}), noOffer,
			row{bad: invalid, name: "a type that is not served", want: want{400, "OfferTypeNotSupported", "offerTypeId"}})}
	}
	a.endpoints = []endpoint{
		get(offers, row{bad: invalid, name: "filter", query: "$filter=status%20eq%20'x'", want: want{400, "BadRequest", "$filter"}}),
		get(one, noOffer), cppPut(t),
		get(one+"/versions/{version}", noOffer,
			row{bad: unknownID, name: "version", values: map[string]string{"version": "99"}, long: "999999999999999999", want: want{404, "NotFound", "version"}},
			row{bad: invalid, name: "version", values: map[string]string{"version": "first"}, want: want{400, "BadRequest", "version"}}),
		get(one+"/slot/{slotId}", noOffer,
			row{bad: unknownID, name: "slot", values: map[string]string{"slotId": "Attic"}, want: want{400, "BadRequest", "slotId"}}),
		get(one+"/status", noOffer),
		act("publish"), act("golive"), act("cancel"),
		get(one+"/submissions", noOffer),
		get(one+"/operations/{operationId}", noOffer,
			row{bad: unknownID, name: "operation", values: map[string]string{"operationId": "nothing"}, want: want{404, "NotFound", "operationId"}}),
		get("/api/operations/{operationId}",
			row{bad: unknownID, name: "operation", values: map[string]string{"operationId": "contoso$walk-saas$99$preview"}, want: want{404, "NotFound", "operationId"}},
			row{bad: unknownID, name: "slot", values: map[string]string{"operationId": "contoso$walk-saas$1$attic"}, want: want{404, "NotFound", "operationId"}},
			row{bad: foreign, name: "publisher", values: map[string]string{"operationId": "fabrikam$walk-saas$1$preview"}, want: want{403, "Forbidden", ""}}),
		get("/api/offerTypes"),
	}
	return a
}

// cppPut creates or replaces an offer.
func cppPut(t *testing.T) endpoint {
	const offer, plan = "definition.offer.", "definition.plans[0]."
	// A key of the portal API has dots in it, so the members are replaced as whole objects.
	keys := func(b bad, name, object, target string) row {
		return row{bad: b, name: name, body: set(t, goodPut, "definition.offer", object), want: want{400, "BadRequest", target}}
	}
	plans := func(b bad, name, list, target string) row {
		return row{bad: b, name: name, body: set(t, goodPut, "definition.plans", list), want: want{400, "BadRequest", target}}
	}
	const title, destination, config = "microsoft-azure-marketplace.title", "microsoft-azure-marketplace.leadDestination",
		"microsoft-azure-marketplace.httpsEndpointLeadConfiguration"
	rows := members(t, goodPut,
		m{wrongType, "definition", `5`, "InvalidType"}, m{wrongType, "definition.displayText", `5`, "InvalidType"},
		m{wrongType, "definition.offer", `[]`, "InvalidType"}, m{wrongType, "definition.plans", `{}`, "InvalidType"},
		m{overLong, "definition.displayText", quoted(long(51)), "BadRequest"}, m{overLong, "offerTypeId", quoted(long(5000)), "BadRequest"},
		m{overLong, "publisherId", quoted(long(5000)), "BadRequest"}, m{overLong, "id", quoted(long(5000)), "BadRequest"},
		m{invalid, "publisherId", `"fabrikam"`, "BadRequest"}, m{invalid, "id", `"other"`, "BadRequest"}, m{invalid, "offerTypeId", `""`, "BadRequest"},
		m{invalid, "offerTypeId", `"magic"`, "BadRequest"}, m{invalid, "definition.displayText", `""`, "BadRequest"},
		m{invalid, "offerTypeId", `"microsoft-azure-saas"`, "OfferTypeNotSupported"})
	return endpoint{method: "PUT", pattern: "/api/publishers/{publisherId}/offers/{offerId}", who: contoso, body: goodPut,
		values: map[string]string{"offerId": "new-vm"}, anyID: true, // an unknown one is created
		rows: append(rows,
			row{bad: longID, values: map[string]string{"offerId": long(51)}, body: set(t, goodPut, "id", quoted(long(51))), want: want{400, "InvalidValue", "offerId"}},
			row{bad: invalid, name: "an id that cannot be", values: map[string]string{"offerId": "New VM"},
				body: set(t, goodPut, "id", `"New VM"`), want: want{400, "InvalidValue", "offerId"}},
			keys(wrongType, "title", `{"`+title+`":5}`, offer+title), keys(wrongType, "destination", `{"`+destination+`":5}`, offer+destination),
			keys(wrongType, "configuration", `{"`+destination+`":"HttpsEndpoint","`+config+`":5}`, offer+config),
			keys(wrongType, "setting", `{"`+destination+`":"HttpsEndpoint","`+config+`":{"httpsEndpointUrl":{"a":1}}}`, offer+config+".httpsEndpointUrl"),
			keys(invalid, "destination", `{"`+destination+`":"pigeon"}`, offer+destination),
			keys(overLong, "title", `{"`+title+`":"`+long(201)+`"}`, offer+title),
			keys(overLong, "setting", `{"`+destination+`":"HttpsEndpoint","`+config+`":{"httpsEndpointUrl":"https://`+long(5000)+`"}}`, offer+config+".httpsEndpointUrl"),
			keys(overLong, "unknown key", `{"a.key":"`+long(200_001)+`"}`, offer+"a.key"),
			keys(overLong, "name of a key", `{"`+long(300)+`":1}`, "definition.offer"),
			plans(wrongType, "planId", `[{"planId":5}]`, plan+"planId"), plans(overLong, "planId", `[{"planId":"`+long(51)+`"}]`, plan+"planId"),
			plans(overLong, "unknown key", `[{"planId":"one","a.key":"`+long(200_001)+`"}]`, plan+"a.key"),
			row{bad: invalid, name: "planId twice", body: set(t, goodPut, "definition.plans", `[{"planId":"one"},{"planId":"one"}]`),
				want: want{400, "AlreadyExists", "plans[1].planId"}},
			row{bad: invalid, name: "a tag without an offer", header: map[string]string{"If-Match": `"old"`}, want: want{412, "PreconditionFailed", "If-Match"}},
		)}
}
