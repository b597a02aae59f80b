package stack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/stretchr/testify/require"

	"stoa/infra"
	"stoa/infra/local/demo"
	"stoa/infra/local/stack"
)

// world is a marketplace of its own, so that nobody else writes, with one of everything that a request can be about.
type world struct {
	*stack.Stack
	tables *aztables.ServiceClient
	files  *azblob.Client
	tokens map[string]string // by who sends it
	values map[string]string // what stands for a path value, by its name, and other ids that rows need
}

// Who sends a request.
const (
	nobody    = ""
	contoso   = "contoso"   // the publisher's application
	fabrikam  = "fabrikam"  // another publisher's
	owner     = "owner"     // one who owns the account
	ada       = "ada"       // a customer
	tim       = "tim"       // another
	staff     = "staff"     // an operator
	forged    = "forged"    // contoso with a damaged signature
	elsewhere = "elsewhere" // contoso with a token for another API
	tester    = "tester"    // contoso with a token for the self-test
	passerby  = "passerby"  // one who owns the account, with a token for the self-test
)

const saasVersion = "api-version=2018-08-31"

func newWorld(t *testing.T) *world {
	t.Helper()
	s := startStack(t, stack.Options{})
	w := &world{Stack: s, tokens: map[string]string{}, values: map[string]string{}}
	var err error
	w.tables, err = aztables.NewServiceClientFromConnectionString(s.Storage.ConnectionString(), nil)
	require.NoError(t, err)
	w.files, err = azblob.NewClientFromConnectionString(s.Storage.ConnectionString(), nil)
	require.NoError(t, err)
	w.signIn(t)
	w.fill(t)
	return w
}

func (w *world) signIn(t *testing.T) {
	t.Helper()
	for _, p := range w.Fixtures.Publishers {
		w.tokens[p.PublisherID] = w.token(t, p.TenantID, url.Values{
			"grant_type": {"client_credentials"}, "client_id": {p.Apps[0].AppID}, "client_secret": {p.Apps[0].Secret},
		})
	}
	w.tokens[forged] = w.tokens[contoso][:len(w.tokens[contoso])-8] + "AAAAAAAA"
	own, _ := w.Fixtures.Publisher(contoso)
	w.tokens[elsewhere] = w.token(t, own.TenantID, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {own.Apps[0].AppID}, "client_secret": {own.Apps[0].Secret},
		"resource": {"https://management.azure.com/"},
	})
	w.tokens[tester] = w.token(t, own.TenantID, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {own.Apps[0].AppID}, "client_secret": {own.Apps[0].Secret},
		"resource": {"https://management.core.windows.net"},
	})
	w.tokens[passerby] = w.token(t, own.TenantID, url.Values{
		"grant_type": {"password"}, "client_id": {"stoa-local"}, "username": {own.Users[0].UPN}, "password": {own.Users[0].Password},
		"resource": {"https://management.core.windows.net"},
	})
	person := func(tenant, upn, password string) string {
		return w.token(t, tenant, url.Values{"grant_type": {"password"}, "client_id": {"stoa-local"}, "username": {upn}, "password": {password}})
	}
	w.tokens[owner] = person(own.TenantID, own.Users[0].UPN, own.Users[0].Password)
	for i, who := range []string{ada, tim} {
		c := w.Fixtures.Customers[i]
		w.tokens[who] = person(c.TenantID, c.Users[0].UPN, c.Users[0].Password)
	}
	o := w.Fixtures.Operators[0]
	w.tokens[staff] = w.token(t, o.TenantID, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {o.AppID}, "client_secret": {o.Secret},
	})
}

func (w *world) token(t *testing.T, tenant string, form url.Values) string {
	t.Helper()
	if !form.Has("resource") {
		form.Set("resource", w.Fixtures.Resource)
	}
	resp, err := http.PostForm(w.Identity.URL()+"/"+tenant+"/oauth2/token", form)
	require.NoError(t, err)
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&out))
	require.NotEmpty(t, out.Token)
	return out.Token
}

// fill brings an offer live and lets a customer buy it, ask for contact and try it out.
func (w *world) fill(t *testing.T) {
	t.Helper()
	walk := demo.New(w.Stack, io.Discard)
	require.NoError(t, walk.Live(t.Context()))
	buy := func(name string) string {
		id, err := walk.Purchase(t.Context(), "metered", name)
		require.NoError(t, err)
		return id
	}
	bought, subscribed := buy("bought"), buy("subscribed")
	one := "/api/saas/subscriptions/" + subscribed
	w.good(t, "POST", one+"/activate?"+saasVersion, contoso, `{"planId":"metered"}`)
	changed := w.good(t, "PATCH", one+"?"+saasVersion, contoso, `{"planId":"plus"}`)
	lead := w.good(t, "POST", "/storefront/v1/leads", ada, goodLead)
	drive := w.good(t, "POST", "/storefront/v1/testdrives", ada, goodTestDrive)
	waiting := buy("waiting")
	operation := one + "/operations/" + changed.header.Get("Operation-Id") + "?" + saasVersion
	require.Eventually(t, func() bool {
		session := w.good(t, "GET", "/storefront/v1/testdrives/"+drive.json["sessionId"].(string), ada, "")
		return session.json["state"] == "Active" && w.good(t, "GET", operation, contoso, "").json["status"] == "InProgress"
	}, time.Minute, 100*time.Millisecond)
	w.good(t, "PATCH", operation, contoso, `{"status":"Success"}`) // at once, before its deadline does it
	maps.Copy(w.values, map[string]string{
		"publisherId": contoso, "offerId": "walk-saas", "planId": "metered", "page": "properties", "name": "package.zip",
		"version": "1", "slotId": "Production", "operationId": changed.header.Get("Operation-Id"), "subscriptionId": subscribed, "id": subscribed,
		"waiting": waiting, "bought": bought, "leadId": lead.json["leadId"].(string), "sessionId": drive.json["sessionId"].(string),
		"resourceUsageId": "21111111-0000-4000-8000-000000000009", "account": "cash", "anomalyId": noAnomaly, "dimensionId": "email",
		"billingAccountId": w.Fixtures.Customers[0].TenantID, "correctionId": "21111111-0000-4000-8000-000000000001", "resourceId": subscribed, "date": "2026-01-31",
	})
	w.quiet(t)
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	raw    []byte
	json   map[string]any
}

// request is one call. A chunked one has no Content-Length.
type request struct {
	method, path, body string
	header             map[string]string
	chunked            bool
}

func (w *world) send(t *testing.T, q request) reply {
	t.Helper()
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(t.Context(), q.method, w.URL()+q.path, body)
	require.NoError(t, err)
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.chunked {
		r.ContentLength = -1
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	out := reply{status: resp.StatusCode, header: resp.Header}
	out.raw, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	_ = json.Unmarshal(out.raw, &out.json) // lists and empty answers are no objects
	return out
}

// good sends a request that must be accepted.
func (w *world) good(t *testing.T, method, path, who, body string) reply {
	t.Helper()
	out := w.send(t, request{method: method, path: path, body: body, header: map[string]string{"Authorization": "Bearer " + w.tokens[who]}})
	require.Less(t, out.status, 300, "%s %s: %s", method, path, out.raw)
	return out
}

// fingerprint is everything that is kept: each row of each table and each blob of each container with its ETag, and
// how often the publisher was called.
func (w *world) fingerprint(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range infra.All.Tables {
		pages := w.tables.NewClient(name).NewListEntitiesPager(nil)
		for pages.More() {
			page, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			for _, raw := range page.Entities {
				var row struct {
					PartitionKey, RowKey string
					ETag                 string `json:"odata.etag"`
				}
				require.NoError(t, json.NewDecoder(bytes.NewReader(raw)).Decode(&row))
				if strings.HasPrefix(row.PartitionKey, "mark|") {
					continue // how far a timer has come
				}
				out[fmt.Sprintf("table %s %s %s", name, row.PartitionKey, row.RowKey)] = row.ETag
			}
		}
	}
	for _, c := range infra.All.Containers {
		pages := w.files.NewListBlobsFlatPager(c.Name, nil)
		for pages.More() {
			page, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			for _, b := range page.Segment.BlobItems {
				out["blob "+c.Name+" "+*b.Name] = string(*b.Properties.ETag)
			}
		}
	}
	out["calls of the publisher"] = fmt.Sprint(len(w.Sample.Received("")))
	return out
}

// quiet waits until nothing is written any more: what runs behind queues has ended, and no deadline is near.
func (w *world) quiet(t *testing.T) {
	t.Helper()
	const still = 6
	last, same := w.fingerprint(t), 0
	require.Eventually(t, func() bool {
		now := w.fingerprint(t)
		near := func(key string) bool { return strings.Contains(key, "|ackDeadline:") }
		if !maps.Equal(last, now) || slices.ContainsFunc(slices.Collect(maps.Keys(now)), near) {
			last, same = now, 0
			return false
		}
		same++
		return same == still
	}, time.Minute, 500*time.Millisecond)
}
