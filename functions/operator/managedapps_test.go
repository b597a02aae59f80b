package operator_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/functions/operator"
	"stoa/shared/fault"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/web"
)

const (
	appID   = "aaaaaaaa-0000-4000-8000-000000000001"
	group   = "/subscriptions/" + appID + "/resourceGroups/mrg"
	appBody = `{"resourceUri":"/subscriptions/` + appID + `/resourceGroups/mine/providers/Microsoft.Solutions/applications/one",` +
		`"managedResourceGroupId":"` + group + `","publisherId":"contoso","offerId":"app","planId":"basic",` +
		`"customerTenantId":"` + appID + `","market":"US","currency":"USD","createdAt":"2026-01-01T00:00:00Z"}`
)

// oneApplication is the live offer app.
type oneApplication struct{ offer.Reader }

func (oneApplication) Live(_ context.Context, _, offerID string) (offer.Version, error) {
	if offerID != "app" {
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "no")
	}
	return offer.Version{Content: offer.Content{OfferType: offer.TypeAzureApplication, Plans: []offer.Plan{{ID: "basic"}, {ID: "gold"}}}}, nil
}

// registry serves the routes over the twin of the store.
func registry(t *testing.T) func(as, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	clock := func() time.Time { return time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC) }
	db, _ := storetest.NewTwin(clock)
	rt, err := web.New(web.Deps{Verifier: staff{}, Accounts: staff{}, Now: clock, NewID: func() string { return "id" }})
	require.NoError(t, err)
	h := &operator.ManagedApplications{Applications: metering.NewApplications(store.NewApplications(db), oneApplication{}, clock)}
	h.Operator(rt.API(web.API{Prefix: "/operator/v1"}))
	return func(as, method, path, body string) *httptest.ResponseRecorder {
		q := httptest.NewRequest(method, "/operator/v1/managed-applications/"+path, strings.NewReader(body))
		q.Header.Set("Authorization", "Bearer "+as)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, q)
		return w
	}
}

func TestManagedApplications(t *testing.T) {
	t.Parallel()
	call := registry(t)
	for _, method := range []string{"PUT", "GET", "DELETE"} {
		require.Equal(t, 403, call("other", method, appID, appBody).Code)
	}
	for _, method := range []string{"GET", "DELETE"} {
		require.Equal(t, 404, call("staff", method, appID, "").Code)
		require.Equal(t, 404, call("staff", method, "x", "").Code)
	}
	first := call("staff", "PUT", appID, appBody)
	require.Equal(t, 201, first.Code, first.Body.String())
	again := call("staff", "PUT", strings.ToUpper(appID), appBody)
	require.Equal(t, 200, again.Code)
	require.JSONEq(t, first.Body.String(), again.Body.String())
	moved := call("staff", "PUT", appID, strings.Replace(appBody, "basic", "gold", 1))
	require.Equal(t, 200, moved.Code)
	require.Equal(t, 204, call("staff", "DELETE", appID, "").Code)
	require.Equal(t, 204, call("staff", "DELETE", appID, "").Code)
	shown := call("staff", "GET", appID, "")
	require.Equal(t, 200, shown.Code)
	want := strings.Replace(strings.TrimSuffix(appBody, "}"), "basic", "gold", 1) + `,"resourceUsageId":"` + appID + `","preview":false,"test":false,` +
		`"planHistory":[{"planId":"basic","from":"2026-01-01T00:00:00Z"},{"planId":"gold","from":"2026-02-01T00:00:00Z"}],"deletedAt":"2026-02-01T00:00:00Z"}`
	require.JSONEq(t, want, shown.Body.String())
	require.Equal(t, 409, call("staff", "PUT", appID, appBody).Code)
}

func TestBadRegistrations(t *testing.T) {
	t.Parallel()
	call := registry(t)
	for _, c := range []struct {
		name, id, body string
		status         int
		code, target   string
	}{
		{"no GUID", "x", appBody, 400, "InvalidValue", "resourceUsageId"},
		{"nothing", appID, "{}", 400, "InvalidValue", ""},
		{"another ARM id", appID, strings.Replace(appBody, "Microsoft.Solutions", "Microsoft.SaaS", 1), 400, "InvalidValue", "resourceUri"},
		{"a group that is none", appID, strings.Replace(appBody, group, group+"/x", 1), 400, "InvalidValue", "managedResourceGroupId"},
		{"unknown offer", appID, strings.Replace(appBody, `"app"`, `"other"`, 1), 400, "InvalidValue", "offerId"},
		{"unknown plan", appID, strings.Replace(appBody, "basic", "other", 1), 400, "InvalidValue", "planId"},
		{"a number", appID, strings.Replace(appBody, `"US"`, `5`, 1), 400, "InvalidType", "market"},
		{"no time", appID, strings.Replace(appBody, "2026-01-01T00:00:00Z", "soon", 1), 400, "InvalidType", "createdAt"},
	} {
		w := call("staff", "PUT", c.id, c.body)
		require.Equal(t, c.status, w.Code, c.name)
		var got struct{ Error struct{ Code, Target string } }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Equal(t, []string{c.code, c.target}, []string{got.Error.Code, got.Error.Target}, c.name)
		require.Equal(t, 404, call("staff", "GET", appID, "").Code)
	}
}
