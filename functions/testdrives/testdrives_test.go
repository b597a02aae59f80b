package testdrives_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/testdrives"
	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/functionshost/functionshosttest"
	"stoa/shared/lead"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/testdrive"
	"stoa/shared/web"
)

// callers takes a token for the object id of a person, "publisher" for one with access.
type callers struct{}

func (callers) Verify(_ context.Context, bearer string, _ []string) (account.Caller, error) {
	return account.Caller{Kind: account.User, TenantID: "t", ObjectID: bearer}, nil
}

func (callers) Allow(_ context.Context, c account.Caller, _ string, _ account.Permission) error {
	if c.ObjectID == "publisher" {
		return nil
	}
	return fault.New(fault.Forbidden, "Forbidden", "", "no")
}

func (callers) Operator(account.Caller) bool { return false }

type shelf struct{}

func (shelf) Live(_ context.Context, p, o string) (offer.Version, error) {
	var v offer.Version
	v.TestDrive = offer.TestDrive{
		Enabled: true, Kind: "logicApp", DurationHours: 1, MaxConcurrent: 1, AccessInfo: "<p>{{url}}</p>",
		Settings: map[string]string{"assignUrl": "https://flow.example/a", "deprovisionUrl": "https://flow.example/d"},
	}
	return v, nil
}

func (s shelf) InPreview(ctx context.Context, p, o string) (offer.Version, error) {
	return s.Live(ctx, p, o)
}

type flow struct{}

func (flow) Do(context.Context, call.Request) (call.Reply, error) {
	return call.Reply{Status: 200, Body: []byte(`{"outputs":{"url":"u","password":"s3cret"}}`)}, nil
}

type noLeads struct{}

func (noLeads) Capture(context.Context, lead.Event) (lead.Lead, error) {
	return lead.Lead{ID: "l"}, nil
}

type parked struct{ n int }

func (p *parked) Park(context.Context, string, message.Message, error) error { p.n++; return nil }

// timepiece is a clock that tests move.
type timepiece struct{ nanos atomic.Int64 }

func newTimepiece() *timepiece {
	c := &timepiece{}
	c.nanos.Store(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *timepiece) now() time.Time { return time.Unix(0, c.nanos.Load()).UTC() }

func (c *timepiece) move(by time.Duration) { c.nanos.Add(int64(by)) }

type rig struct {
	*testdrives.Handler
	http   http.Handler
	outbox *storetest.Outbox
	parked *parked
	clock  *timepiece
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{parked: &parked{}, clock: newTimepiece()}
	clock := r.clock.now
	db, outbox := storetest.NewTwin(clock)
	service, err := testdrive.New(testdrive.Deps{
		Store: store.NewTestDrives(db), Offers: shelf{}, Leads: noLeads{}, Calls: flow{}, Now: clock, NewID: storetest.Counter("s"),
	})
	require.NoError(t, err)
	r.outbox = outbox
	r.Handler = &testdrives.Handler{TestDrives: service, Parked: r.parked, Pages: web.Pages{Key: []byte("0123456789abcdef")}, Now: clock}
	rt, err := web.New(web.Deps{Verifier: callers{}, Accounts: callers{}, Now: clock, NewID: storetest.Counter("r")})
	require.NoError(t, err)
	r.Portal(rt.API(web.API{Prefix: "/portal/v1"}))
	r.Storefront(rt.API(web.API{Prefix: "/storefront/v1"}))
	r.http = rt
	return r
}

func (r *rig) call(t *testing.T, as, method, path, body string) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	q := httptest.NewRequest(method, path, strings.NewReader(body))
	q.Header.Set("Authorization", "Bearer "+as)
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, q)
	var out map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	return w, out
}

func (r *rig) run(t *testing.T, by time.Duration) {
	t.Helper()
	r.clock.move(by)
	for range 3 {
		r.outbox.Advance(r.clock.now())
		for _, m := range r.outbox.Take(message.TestDrives) {
			require.NoError(t, r.Run(t.Context(), functionshosttest.Queue(t, "testdrives", "message", string(m.Body), 1)))
		}
	}
}

const start = `{"publisherId":"contoso","offerId":"app","acceptedTerms":true,"acceptedPrivacyPolicy":true,"shareContact":true,
	"customer":{"Email":"ada@adatum.example","Country":"US","Company":"Adatum"}}`

func TestSessionOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w, got := r.call(t, "ada", "POST", "/storefront/v1/testdrives", start)
	require.Equal(t, http.StatusAccepted, w.Code)
	require.Equal(t, "Provisioning", got["state"])
	require.NotContains(t, got, "access")
	path := "/storefront/v1/testdrives/" + got["sessionId"].(string)
	require.Equal(t, path, w.Header().Get("Location"))
	w, got = r.call(t, "bob", "POST", "/storefront/v1/testdrives", start)
	require.Equal(t, http.StatusConflict, w.Code)
	require.Equal(t, "TestDriveCapacityReached", got["error"].(map[string]any)["code"])
	require.Equal(t, "3600", w.Header().Get("Retry-After"), "TDR-57")

	r.run(t, 0)
	w, got = r.call(t, "ada", "POST", "/storefront/v1/testdrives", start)
	require.Equal(t, http.StatusOK, w.Code, "TDR-56")
	require.Equal(t, "2026-03-01T11:00:00Z", got["expiresAt"])
	w, got = r.call(t, "ada", "GET", path, "")
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, map[string]any{"html": "<p>u</p>", "outputs": []any{
		map[string]any{"name": "url", "value": "u"}, map[string]any{"name": "password", "value": "s3cret"},
	}}, got["access"])
	require.NotContains(t, got, "warning")
	w, _ = r.call(t, "bob", "GET", path, "")
	require.Equal(t, http.StatusNotFound, w.Code, "TDR-65")

	r.clock.move(30 * time.Minute)
	_, got = r.call(t, "ada", "GET", path, "")
	require.Contains(t, got["warning"], "30 minutes", "TDR-64")
	w, _ = r.call(t, "publisher", "GET", "/portal/v1/publishers/contoso/offers/app/test-drive/sessions", "")
	require.Contains(t, w.Body.String(), `"state":"Active"`)
	for _, hidden := range []string{"s3cret", "ada", "flow.example"} {
		require.NotContains(t, w.Body.String(), hidden, "TDR-66")
	}
	w, _ = r.call(t, "eve", "GET", "/portal/v1/publishers/contoso/offers/app/test-drive/sessions", "")
	require.Equal(t, http.StatusForbidden, w.Code)

	for range 2 {
		w, _ = r.call(t, "ada", "DELETE", path, "")
		require.Equal(t, http.StatusAccepted, w.Code, "ending is idempotent")
	}
	r.run(t, 0)
	_, got = r.call(t, "ada", "GET", path, "")
	require.Equal(t, "Ended", got["state"])
	require.Equal(t, "customer", got["endReason"], "TDR-63")
	require.NotContains(t, got, "access", "TDR-65")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for change, code := range map[string]string{
		`"acceptedTerms":true|"acceptedTerms":false`: "AgreementRequired", `"US"|""`: "InvalidCustomer",
		`"publisherId"|"slot":"draft","publisherId"`: "InvalidValue", `"offerId"|"storefront":"AzurePortal","offerId"`: "InvalidLeadAction",
	} {
		from, to, _ := strings.Cut(change, "|")
		w, got := r.call(t, "ada", "POST", "/storefront/v1/testdrives", strings.Replace(start, from, to, 1))
		require.Equal(t, http.StatusBadRequest, w.Code, change)
		require.Equal(t, code, got["error"].(map[string]any)["code"], change)
	}
}

func TestPoison(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, body := range []string{"not json", `{"sessionId":"nobody","step":"expire"}`, `{"step":"paint"}`} {
		require.NoError(t, r.Run(t.Context(), functionshosttest.Queue(t, "testdrives", "message", body, 1)), body)
	}
	require.Equal(t, 3, r.parked.n)
}
