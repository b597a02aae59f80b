package leads_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/leads"
	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/lead"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

// tokens are callers by name.
type tokens map[string]account.Caller

func (t tokens) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	c, ok := t[bearer]
	if !ok {
		return c, fault.New(fault.Unauthenticated, "InvalidToken", "", "no")
	}
	return c, nil
}

// roles lets the owner do all and the developer what is not personal.
type roles struct{}

func (roles) Allow(_ context.Context, c account.Caller, publisherID string, p account.Permission) error {
	if publisherID == "contoso" && (c.ObjectID == "owner" || c.ObjectID == "developer" && p != "customerPii.read") {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

func (roles) Operator(c account.Caller) bool { return c.AppID == "operator" }

func (roles) Publisher(context.Context, string) (account.Publisher, error) {
	return account.Publisher{}, nil
}

type shelf struct{ v offer.Version }

func (s *shelf) Live(_ context.Context, p, _ string) (offer.Version, error) {
	if p != "contoso" {
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "no")
	}
	return s.v, nil
}

func (s *shelf) InPreview(ctx context.Context, p, o string) (offer.Version, error) {
	return s.Live(ctx, p, o)
}

type open struct{}

func (open) Open(string, string) (string, error) { return "https://hook.example", nil }

type hook struct{ status int }

func (h *hook) Do(context.Context, call.Request) (call.Reply, error) {
	return call.Reply{Status: h.status}, nil
}

type noTables struct{}

func (noTables) Insert(context.Context, string, lead.TableRow) error { return nil }

type parked struct{ letters []message.Message }

func (p *parked) Park(_ context.Context, _ string, m message.Message, _ error) error {
	p.letters = append(p.letters, m)
	return nil
}

type rig struct {
	*leads.Handler
	http   http.Handler
	hook   *hook
	parked *parked
	outbox *storetest.Outbox
	shelf  *shelf
}

func newRig(t *testing.T) *rig {
	t.Helper()
	clock := func() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }
	db, outbox := storetest.NewTwin(clock)
	r := &rig{hook: &hook{status: 200}, parked: &parked{}, outbox: outbox, shelf: &shelf{}}
	r.shelf.v.Listing.Name = "App"
	r.shelf.v.LeadDestination = offer.LeadDestination{Kind: "httpsEndpoint"}
	service, err := lead.New(lead.Deps{
		Store: store.NewLeads(db), Offers: r.shelf, Publishers: roles{}, Secrets: open{}, Calls: r.hook, Tables: noTables{}, Now: clock,
	})
	require.NoError(t, err)
	r.Handler = &leads.Handler{Leads: service, Accounts: roles{}, Parked: r.parked, Pages: web.Pages{Key: []byte("0123456789abcdef")}}
	rt, err := web.New(web.Deps{Verifier: tokens{
		"ada": {Kind: account.User, TenantID: "t", ObjectID: "ada"}, "eve": {Kind: account.User, TenantID: "t", ObjectID: "eve"},
		"owner": {Kind: account.User, ObjectID: "owner"}, "developer": {Kind: account.User, ObjectID: "developer"},
		"operator": {Kind: account.App, AppID: "operator"},
	}, Accounts: roles{}, Now: clock, NewID: storetest.Counter("r")})
	require.NoError(t, err)
	r.Portal(rt.API(web.API{Prefix: "/portal/v1"}))
	r.Storefront(rt.API(web.API{Prefix: "/storefront/v1"}))
	r.Operator(rt.API(web.API{Prefix: "/operator/v1"}))
	r.http = rt
	return r
}

// call makes a request and returns status and body.
func (r *rig) call(t *testing.T, as, method, path, body string) (int, map[string]any) {
	t.Helper()
	q := httptest.NewRequest(method, path, strings.NewReader(body))
	q.Header.Set("Authorization", "Bearer "+as)
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, q)
	var out map[string]any
	if w.Body.Len() > 0 {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	}
	return w.Code, out
}

// run works off the queue.
func (r *rig) run(t *testing.T) {
	t.Helper()
	for _, m := range r.outbox.Take(message.Leads) {
		require.NoError(t, r.Run(t.Context(), functionshosttest.Queue(t, "leads", "message", string(m.Body), 1)))
	}
}

const contact = `{"eventId":"e1","source":"AppSource","callToAction":"ContactMe","publisherId":"contoso","offerId":"app",
	"consentGiven":true,"customer":{"firstName":"John","Email":"john@mail.example"},"note":"call me"}`

func TestContactMe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	status, first := r.call(t, "ada", "POST", "/storefront/v1/leads", contact)
	require.Equal(t, http.StatusAccepted, status)
	status, again := r.call(t, "ada", "POST", "/storefront/v1/leads", contact)
	require.Equal(t, http.StatusOK, status, "LED-3")
	require.Equal(t, first, again)
	status, other := r.call(t, "eve", "POST", "/storefront/v1/leads", contact)
	require.Equal(t, http.StatusAccepted, status)
	require.NotEqual(t, first, other, "an event is the customer's own")
	status, _ = r.call(t, "ada", "POST", "/storefront/v1/leads", strings.Replace(contact, "true", "false", 1))
	require.Equal(t, http.StatusNoContent, status, "LED-4")
	status, _ = r.call(t, "ada", "POST", "/storefront/v1/leads", strings.Replace(contact, `"e1"`, `"`+strings.Repeat("e", 128)+`"`, 1))
	require.Equal(t, http.StatusAccepted, status, "an event id has all of its 128 characters to itself")
	for change, code := range map[string]string{
		`"e1"|"` + strings.Repeat("e", 129) + `"`: "InvalidValue", `"AppSource"|"Bazaar"`: "InvalidLeadAction",
		`"ContactMe"|"TestDrive"`: "InvalidLeadAction", `"ContactMe"|"Create"`: "InvalidLeadAction", `john@mail.example|x`: "InvalidCustomer",
		`"contoso"|"nobody"`: "OfferNotPublished", `"e1"|""`: "InvalidValue",
	} {
		from, to, _ := strings.Cut(change, "|")
		_, got := r.call(t, "ada", "POST", "/storefront/v1/leads", strings.Replace(contact, from, to, 1))
		require.Equal(t, code, got["error"].(map[string]any)["code"], change)
	}
}

func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, made := r.call(t, "ada", "POST", "/storefront/v1/leads", contact)
	r.run(t)
	path := "/portal/v1/publishers/contoso/leads/" + made["leadId"].(string)
	status, got := r.call(t, "owner", "GET", path, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "John", got["customer"].(map[string]any)["FirstName"], "LED-66 the owner")
	require.Equal(t, "Delivered", got["state"])
	require.Equal(t, "SPZA-PLT|contoso.app", got["leadSource"])
	_, got = r.call(t, "developer", "GET", path, "")
	require.Equal(t, map[string]any{"FirstName": "***", "LastName": "", "Email": "j***@m***.example", "Phone": "", "Country": "", "Company": "", "Title": ""}, got["customer"], "LED-66")
	require.Equal(t, "***", got["description"])
	status, _ = r.call(t, "eve", "GET", path, "")
	require.Equal(t, http.StatusForbidden, status, "LED-65")
	_, got = r.call(t, "developer", "GET", "/portal/v1/publishers/contoso/leads?top=1&offerId=app", "")
	require.Len(t, got["value"], 1)
	status, _ = r.call(t, "owner", "GET", "/portal/v1/publishers/contoso/leads?top=201", "")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestParkedAndReplayed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hook.status = 410
	_, made := r.call(t, "ada", "POST", "/storefront/v1/leads", contact)
	id := made["leadId"].(string)
	r.run(t)
	_, got := r.call(t, "operator", "GET", "/operator/v1/leads/parked", "")
	require.Len(t, got["value"], 1)
	first := got["value"].([]any)[0].(map[string]any)
	require.Equal(t, id, first["leadId"])
	require.Equal(t, "DestinationRejected", first["reason"], "LED-43")
	require.Equal(t, "***", first["customer"].(map[string]any)["FirstName"])
	r.hook.status = 200
	status, _ := r.call(t, "operator", "POST", "/operator/v1/leads/"+id+"/replay", "")
	require.Equal(t, http.StatusAccepted, status)
	status, _ = r.call(t, "owner", "POST", "/portal/v1/publishers/contoso/leads/"+id+"/replay", "")
	require.Equal(t, http.StatusConflict, status)
	r.run(t)
	_, got = r.call(t, "owner", "GET", "/portal/v1/publishers/contoso/leads/"+id, "")
	require.Equal(t, "Delivered", got["state"])
	require.Len(t, got["attempts"], 2)
	status, _ = r.call(t, "operator", "POST", "/operator/v1/leads/unknown/replay", "")
	require.Equal(t, http.StatusNotFound, status)
	status, _ = r.call(t, "owner", "GET", "/operator/v1/leads/parked", "")
	require.Equal(t, http.StatusForbidden, status)
}

func TestPoison(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{"not json", `{"leadId":"nobody","publisherId":"contoso","attempt":1}`, `{"kind":"paint"}`} {
		require.NoError(t, r.Run(t.Context(), functionshosttest.Queue(t, "leads", "message", body, 1)), body)
	}
	require.Len(t, r.parked.letters, 3)
	require.Equal(t, `"not json"`, string(r.parked.letters[0].Body))
}
