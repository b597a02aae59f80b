package fulfillment_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/offer"
	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

const termsPath = "/storefront/v1/terms"

// ownTerms puts offer2 live, with terms of its own.
func (b *bench) ownTerms(submission string) {
	c := subscriptiontest.Content()
	c.OfferID, c.Listing.Terms = "offer2", "Be <kind>."
	b.Offers.Put(offer.Version{Slot: offer.Production, Number: 4, Submission: submission, Content: c})
	b.SetClock(b.Now().Add(3 * time.Second))
}

func TestTermsOfAPurchase(t *testing.T) { // SAS-19
	t.Parallel()
	b := newBench(t, subscription.Guide)
	b.ownTerms("s1")
	read := func(who, query string) string {
		t.Helper()
		a := b.do(request{method: "GET", path: termsPath + "?publisherId=contoso&" + query, token: who})
		require.Equal(t, 200, a.status, a.body)
		return a.body
	}
	accept := func(offerID, ids string) answer {
		return b.do(request{method: "PUT", path: termsPath, token: "ada", body: `{"publisherId":"contoso","offerId":"` + offerID + `","acceptedTerms":[` + ids + `]}`})
	}
	buy := func(offerID, terms string) answer {
		body := strings.NewReplacer(`"offer1"`, `"`+offerID+`"`, `,"acceptedTerms":["standardContract"]`, terms).Replace(good)
		return b.do(request{method: "POST", path: "/storefront/v1/purchases", token: "ada", body: body})
	}
	require.JSONEq(t, `{"terms":[{"id":"standardContract","kind":"standardContract","accepted":false}]}`, read("ada", "offerId=offer1"))
	require.JSONEq(t, `{"terms":[{"id":"termsAndConditions:s1","kind":"termsAndConditions","offerVersion":4,"text":"Be <kind>.","accepted":false}]}`,
		read("ada", "offerId=offer2&planId=gold"))

	refused := buy("offer1", "")
	require.Equal(t, []any{400, "TermsNotAccepted"}, []any{refused.status, refused.code(t)})
	require.Contains(t, refused.body, "expected standardContract, found none")
	require.Equal(t, 400, buy("offer1", `,"acceptedTerms":[]`).status)
	a := accept("offer1", `"standardContract"`)
	require.Equal(t, 200, a.status, a.body)
	accepted := `{"terms":[{"id":"standardContract","kind":"standardContract","accepted":true,"acceptedAt":"2019-05-31T10:00:03Z"}]}`
	require.JSONEq(t, accepted, a.body)
	b.SetClock(b.Now().Add(time.Hour))
	require.JSONEq(t, accepted, accept("offer1", `"standardContract"`).body, "the first time stands")
	require.JSONEq(t, accepted, read("ada", "offerId=offer1"))
	require.Contains(t, read("tim", "offerId=offer1"), `"accepted":false`)
	require.Equal(t, 201, buy("offer1", "").status)

	refused = buy("offer2", `,"acceptedTerms":["standardContract"]`)
	require.Equal(t, 400, refused.status)
	require.Contains(t, refused.body, `expected termsAndConditions:s1, found \"standardContract\"`)
	require.Equal(t, 201, buy("offer2", `,"acceptedTerms":["termsAndConditions:s1"]`).status)
	require.Contains(t, read("ada", "offerId=offer2"), `"accepted":true`, "with the purchase")
	require.Equal(t, 201, buy("offer2", "").status)
	b.ownTerms("s2")
	require.Equal(t, "TermsNotAccepted", buy("offer2", "").code(t), "another version")
}

func TestBadInputOfTerms(t *testing.T) {
	t.Parallel()
	b := newBench(t, subscription.Guide)
	b.ownTerms("s1")
	long, many := strings.Repeat("x", 51), strings.TrimSuffix(strings.Repeat(`"t",`, 101), ",")
	put := func(body string) request { return request{method: "PUT", path: termsPath, token: "ada", body: body} }
	get := func(query string) request { return request{method: "GET", path: termsPath + query, token: "ada"} }
	offer1 := func(members string) request {
		return put(`{"publisherId":"contoso","offerId":"offer1"` + members + `}`)
	}
	for name, tc := range map[string]struct {
		q            request
		status       int
		code, target string
		words        string
	}{
		"get, nobody":          {request{method: "GET", path: termsPath, token: "-"}, 401, "InvalidToken", "authorization", "Bearer"},
		"get, an application":  {request{method: "GET", path: termsPath}, 403, "Forbidden", "authorization", "an application"},
		"get, no publisher":    {get("?offerId=offer1"), 400, "RequiredField", "publisherId", "required"},
		"get, no offer":        {get("?publisherId=contoso"), 400, "RequiredField", "offerId", "required"},
		"get, long publisher":  {get("?offerId=offer1&publisherId=" + long), 400, "InvalidValue", "publisherId", "found 51"},
		"get, long plan":       {get("?publisherId=contoso&offerId=offer1&planId=" + long), 400, "InvalidValue", "planId", "found 51"},
		"get, unknown offer":   {get("?publisherId=contoso&offerId=nothing"), 404, "EntityNotFound", "offerId", `found "nothing"`},
		"get, odd offer":       {get("?publisherId=contoso&offerId=" + url.QueryEscape(`a/b\#?'|ü`)), 404, "EntityNotFound", "offerId", "found"},
		"get, unknown plan":    {get("?publisherId=contoso&offerId=offer1&planId=tin"), 404, "EntityNotFound", "planId", `found "tin"`},
		"get, private plan":    {get("?publisherId=contoso&offerId=offer1&planId=platinum"), 404, "EntityNotFound", "planId", `found "platinum"`},
		"get, another method":  {request{method: "DELETE", path: termsPath, token: "ada"}, 405, "MethodNotAllowed", "", "GET, HEAD, PUT"},
		"put, an application":  {request{method: "PUT", path: termsPath, body: "{}"}, 403, "Forbidden", "authorization", "an application"},
		"put, no body":         {put(""), 400, "MissingBody", "", "Content-Length"},
		"put, malformed":       {put("{"), 400, "MalformedJson", "", "offset"},
		"put, a list":          {put("[]"), 400, "InvalidType", "", "found a list"},
		"put, offer no text":   {put(`{"publisherId":"contoso","offerId":5}`), 400, "InvalidType", "offerId", "found a number"},
		"put, terms no list":   {offer1(`,"acceptedTerms":"standardContract"`), 400, "InvalidType", "acceptedTerms", "found a string"},
		"put, a term no text":  {offer1(`,"acceptedTerms":[true]`), 400, "InvalidType", "acceptedTerms[0]", "found true or false"},
		"put, no terms":        {offer1(``), 400, "RequiredField", "acceptedTerms", "standardContract"},
		"put, empty terms":     {offer1(`,"acceptedTerms":[]`), 400, "RequiredField", "acceptedTerms", "standardContract"},
		"put, other terms":     {offer1(`,"acceptedTerms":["standardContract","more"]`), 400, "InvalidValue", "acceptedTerms[1]", `expected one of standardContract, found "more"`},
		"put, of another":      {offer1(`,"acceptedTerms":["termsAndConditions:s1"]`), 400, "InvalidValue", "acceptedTerms[0]", "standardContract"},
		"put, many terms":      {offer1(`,"acceptedTerms":[` + many + `]`), 400, "InvalidValue", "acceptedTerms", "found 101"},
		"put, a long term":     {offer1(`,"acceptedTerms":["` + strings.Repeat("x", 257) + `"]`), 400, "InvalidValue", "acceptedTerms[0]", "found 257"},
		"put, unknown offer":   {put(`{"publisherId":"contoso","offerId":"nothing","acceptedTerms":["standardContract"]}`), 404, "EntityNotFound", "offerId", "nothing"},
		"put, unknown company": {put(`{"publisherId":"nobody","offerId":"offer1","acceptedTerms":["standardContract"]}`), 404, "EntityNotFound", "offerId", "offer1"},
	} {
		a := b.do(tc.q)
		var e struct {
			Error struct{ Code, Target, Message string }
		}
		require.NoError(t, json.Unmarshal([]byte(a.body), &e), "%s: %s", name, a.body)
		require.Equal(t, []any{tc.status, tc.code, tc.target}, []any{a.status, e.Error.Code, e.Error.Target}, "%s: %s", name, a.body)
		require.Contains(t, e.Error.Message, tc.words, name)
		require.NotEmpty(t, a.header.Get("x-ms-requestid"), name)
		require.NotEmpty(t, a.header.Get("x-ms-correlationid"), name)
	}
	for _, offerID := range []string{"offer1", "offer2"} {
		require.Contains(t, b.do(get(fmt.Sprintf("?publisherId=contoso&offerId=%s", offerID))).body, `"accepted":false`, "nothing was accepted")
	}
}
