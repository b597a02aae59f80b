package stack_test

import "testing"

const portalOffer = "/portal/v1/publishers/{publisherId}/offers/{offerId}"

// publishing are the acts on a draft.
func publishing(t *testing.T, noOffer row) []endpoint {
	stale := row{bad: invalid, name: "stale tag", header: map[string]string{"If-Match": `"old"`}, want: want{412, "DraftChanged", "If-Match"}}
	const body = `{"pages":["properties"],"notes":"Look here."}`
	rows := append(members(t, body,
		m{wrongType, "pages", `"properties"`, "InvalidType"}, m{wrongType, "notes", `5`, "InvalidType"},
		m{overLong, "notes", quoted(long(4001)), "InvalidValue"}, m{overLong, "pages", `[` + many(101, `"p%d"`) + `]`, "InvalidValue"}), noOffer, stale,
		row{bad: invalid, name: "page", body: `{"pages":["nothing"]}`, want: want{400, "InvalidValue", "pages"}})
	return []endpoint{
		{method: "POST", pattern: portalOffer + "/publish", who: contoso, body: body, optionalBody: true, rows: rows},
		{method: "POST", pattern: portalOffer + "/golive", who: contoso, bodiless: true, rows: []row{noOffer, stale}},
		{method: "POST", pattern: portalOffer + "/cancel", who: contoso, bodiless: true, rows: []row{noOffer, stale}},
	}
}

// uploading are the files of an offer.
func uploading(t *testing.T, noOffer row) []endpoint {
	const upload, asset = `{"kind":"document","fileName":"a.pdf"}`, `{"kind":"document","file":"contoso/walk-saas/document/1/a.pdf","name":"A"}`
	return []endpoint{
		{method: "POST", pattern: portalOffer + "/uploads", who: contoso, body: upload, rows: append(members(t, upload,
			m{wrongType, "kind", `5`, "InvalidType"}, m{wrongType, "fileName", `["a"]`, "InvalidType"},
			m{overLong, "fileName", quoted(long(101)), "InvalidValue"}, m{overLong, "kind", quoted(long(101)), "InvalidValue"},
			m{invalid, "fileName", `"../a.pdf"`, "InvalidValue"}, m{invalid, "kind", `"film"`, "InvalidValue"}), noOffer,
			row{bad: invalid, name: "slot", body: `{"kind":"package","slot":"bcExtra","fileName":"a.app"}`, want: want{400, "InvalidValue", "slot"}},
			row{bad: invalid, name: "retired slot", body: `{"kind":"package","slot":"bcDependency","fileName":"a.app"}`, want: want{410, "DependencyPackageRetired", "slot"}},
			row{bad: invalid, name: "extension of the slot", body: `{"kind":"package","slot":"pbix","fileName":"a.app"}`, want: want{400, "PKG_WRONG_EXTENSION", "fileName"}})},
		{method: "PUT", pattern: portalOffer + "/listing/assets", who: contoso, body: asset, rows: append(members(t, asset,
			m{wrongType, "file", `5`, "InvalidType"}, m{overLong, "name", quoted(long(256)), "InvalidValue"},
			m{overLong, "file", quoted("contoso/walk-saas/document/" + long(1100)), "InvalidValue"}, m{overLong, "kind", quoted(long(101)), "InvalidValue"},
			m{invalid, "kind", `"package"`, "InvalidValue"}, m{invalid, "file", `"fabrikam/walk-saas/document/1/a.pdf"`, "InvalidValue"},
			m{invalid, "file", `"contoso/walk-saas/document/1/never.pdf"`, "NotUploaded"}),
			row{bad: unknownID, name: "offer", values: map[string]string{"offerId": "nothing"}, want: want{404, "NotFound", "offerId"}})},
	}
}

// publisherReads are the lists and single things a publisher reads, and the replay of a lead.
func publisherReads(noOffer row) []endpoint {
	const publisher = "/portal/v1/publishers/{publisherId}"
	noLead := row{bad: unknownID, name: "lead", values: map[string]string{"leadId": "nothing"}, want: want{404, "NotFound", "leadId"}}
	top := func(name, value string) row {
		return row{bad: invalid, name: name + " " + value, query: name + "=" + value, want: want{400, "InvalidValue", name}}
	}
	return []endpoint{
		{method: "GET", pattern: portalOffer + "/overview", who: contoso, rows: []row{noOffer}},
		{method: "GET", pattern: portalOffer + "/history", who: contoso, rows: []row{noOffer, continuation}},
		{method: "GET", pattern: portalOffer + "/test-drive/sessions", who: contoso, anyID: true, rows: []row{
			continuation, top("top", "0"), top("top", "201"), top("top", "many"),
			{bad: invalid, name: "slot", query: "slot=draft", want: want{400, "InvalidValue", "slot"}}}},
		{method: "GET", pattern: publisher + "/leads", who: contoso, rows: []row{continuation, top("top", "0"), top("top", "201"), top("top", "many"),
			top("state", "Gone"), top("action", "Jump"), top("offerId", long(2000))}},
		{method: "GET", pattern: publisher + "/leads/{leadId}", who: contoso, rows: []row{noLead}},
		{method: "POST", pattern: publisher + "/leads/{leadId}/replay", who: contoso, bodiless: true, rows: []row{noLead,
			{bad: invalid, name: "a lead that does not wait", want: want{409, "LeadNotReplayable", "leadId"}}}},
		{method: "GET", pattern: publisher + "/payouts", who: owner, rows: []row{continuation, top("limit", "0"), top("limit", "121"), top("limit", "many")}},
	}
}
