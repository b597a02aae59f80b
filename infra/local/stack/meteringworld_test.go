package stack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/stack"
	"stoa/infra/local/trade"
)

// notifier is a marketplace of its own with the offer cns of the acceptance walks of metering, whose clock nobody else
// moves.
type notifier struct {
	*world
	client *trade.Client
	tables *trade.Tables
	shop   *shelf
	day    time.Time // of the walks, at 00:00
}

const notifications = "cns"

// newNotifier brings cns live on the day before that of the walks.
func newNotifier(t *testing.T) *notifier {
	t.Helper()
	s := startStack(t, stack.Options{})
	n := &notifier{world: &world{Stack: s}, client: trade.New(s, racers)}
	var err error
	n.tables, err = trade.OpenTables(s.Storage.ConnectionString())
	require.NoError(t, err)
	now := s.Clock.Now()
	n.day = time.Date(now.Year(), now.Month()+1, 3, 0, 0, 0, 0, time.UTC)
	n.pass(t, n.day.Add(-16*time.Hour))
	n.shop = n.shelf(t, notifications, "SaaS")
	n.publish()
	return n
}

// shelf makes a draft in this marketplace.
func (n *notifier) shelf(t *testing.T, offerID, offerType string) *shelf {
	t.Helper()
	s := &shelf{t, n.client, portalOffers + "/" + offerID}
	s.do(http.MethodPost, portalOffers, object{"offerId": offerID, "offerType": offerType, "alias": offerID}, http.StatusCreated)
	return s
}

// emailsAndTexts are the dimensions of the walks.
var emailsAndTexts = []object{
	{"dimensionId": "email", "displayName": "E-mails", "unitOfMeasure": "per 100 emails"},
	{"dimensionId": "text", "displayName": "Texts", "unitOfMeasure": "per text"},
}

// listed is what every offer that is sold through Microsoft says of itself.
func (n *notifier) listed(s *shelf, setup object) {
	s.t.Helper()
	var logo bytes.Buffer
	require.NoError(s.t, png.Encode(&logo, image.NewGray(image.Rect(0, 0, 216, 216))))
	s.asset("largeLogo", logo.Bytes())
	publisher, _ := n.Fixtures.Publisher(trade.PublisherID)
	setup["leadDestination"] = object{"leadDestination": "httpsEndpoint", "contactEmail": []string{"leads@contoso.example"},
		"settings": object{"httpsEndpointUrl": n.Sample.URL() + "/lead"}}
	for _, page := range []struct {
		name string
		body object
	}{
		{"offerSetup", setup},
		{"properties", object{"listing": object{"categories": []string{"analytics"}}}},
		{"offerListing", object{"listing": object{"name": "Contoso Notifications", "searchResultsSummary": "Sends.", "description": "<p>Sends.</p>",
			"privacyPolicyUrl": "https://contoso.example/privacy"}}},
		{"technicalConfiguration", object{"technicalConfiguration": object{"landingPageUrl": publisher.LandingPageURL, "connectionWebhook": publisher.WebhookURL,
			"aadTenantId": publisher.TenantID, "aadApplicationId": publisher.Apps[0].AppID}}},
		{"planOverview", object{"dimensions": emailsAndTexts}},
	} {
		s.do(http.MethodPut, s.path+"/pages/"+page.name, page.body, http.StatusOK)
	}
}

// publish brings cns live as the chapter sets it up.
func (n *notifier) publish() {
	s := n.shop
	s.t.Helper()
	n.listed(s, object{"listingOption": "SellThroughMicrosoft"})
	file, err := (&disturbed{client: n.client}).upload(s.t.Context(), s.path, "document", []byte("%PDF-1.7\n"))
	require.NoError(s.t, err)
	s.do(http.MethodPut, s.path+"/listing/assets", object{"kind": "document", "file": file, "name": "Notifications"}, http.StatusOK)
	s.do(http.MethodPut, s.path+"/pages/previewAudience", object{"previewAudience": []string{"olga.owner@contoso.example"}}, http.StatusOK)
	for _, p := range []object{
		flatRate("basic", "0", object{"pricePerUnitUsd": "1", "monthlyIncluded": 10_000}, object{"pricePerUnitUsd": "0.02", "monthlyIncluded": 1000}),
		flatRate("premium", "350", object{"pricePerUnitUsd": "0.5", "monthlyIncluded": 50_000}, object{"pricePerUnitUsd": "0.01", "monthlyIncluded": 10_000}),
		flatRate("enterprise", "400", object{"monthlyInfinite": true}, object{"pricePerUnitUsd": "0.005", "monthlyIncluded": 50_000}),
	} {
		s.do(http.MethodPost, s.path+"/plans", p, http.StatusCreated)
	}
	s.published("/publish", "Preview")
	s.published("/golive", "Live")
}

// flatRate is a plan that meters both dimensions.
func flatRate(id, price string, email, text object) object {
	email["dimensionId"], email["enabled"] = "email", true
	text["dimensionId"], text["enabled"] = "text", true
	return object{"planId": id, "name": "The " + id + " plan", "description": "Notifications.", "pricingModel": "flatRate", "markets": []string{"US"},
		"terms": []object{{"termUnit": "P1M", "priceUSD": price}}, "meters": []object{email, text}}
}

// application brings the managed application cns-app live and registers instances of it, each in a managed resource
// group of its own.
func (n *notifier) application(t *testing.T, instances ...string) {
	t.Helper()
	s := n.shelf(t, "cns-app", "AzureApplication")
	n.listed(s, object{})
	require.Equal(t, "Processed", s.validated("", "gold.zip", azureApp(t, nil)).State)
	s.do(http.MethodPost, s.path+"/plans", object{"planId": "gold", "name": "Gold", "description": "The best.", "planType": "managed-application",
		"meters": []object{{"dimensionId": "email", "enabled": true, "pricePerUnitUsd": "1"}, {"dimensionId": "text", "enabled": true, "pricePerUnitUsd": "0.02"}}}, http.StatusCreated)
	s.do(http.MethodPut, s.path+"/plans/gold", object{"packageFile": "contoso/cns-app/gold.zip", "technicalConfiguration": object{
		"version": "1.0.0", "deploymentMode": "Incremental", "notificationEndpointUri": "https://contoso.com",
		"publicAzureTenantID":       "50c464d3-4930-494c-963c-1e951d15360e",
		"publicAzureAuthorizations": []object{{"principalID": "d6b7fbd3-4d99-43fe-8a7a-f13aef11dc18", "roleDefinitionID": "Owner"}},
	}}, http.StatusOK)
	s.published("/publish", "Preview")
	s.published("/golive", "Live")
	for _, id := range instances {
		_, err := n.client.Do(t.Context(), trade.Request{As: trade.Operator, Method: http.MethodPut, Path: "/operator/v1/managed-applications/" + id,
			Body: object{"resourceUri": applicationURI(id), "managedResourceGroupId": managedGroup(id), "publisherId": trade.PublisherID, "offerId": "cns-app",
				"planId": "gold", "customerTenantId": n.Fixtures.Customers[0].TenantID, "market": "US", "currency": "USD"}}, http.StatusCreated)
		require.NoError(t, err)
	}
}

const azureSubscription = "/subscriptions/99999999-0000-4000-8000-000000000009"

func applicationURI(id string) string {
	return azureSubscription + "/resourceGroups/mine/providers/Microsoft.Solutions/applications/" + id
}

func managedGroup(id string) string { return azureSubscription + "/resourceGroups/managed-" + id }

// insider is the token of a machine inside an instance.
func (n *notifier) insider(t *testing.T, instance string) string {
	t.Helper()
	machine := managedGroup(instance) + "/providers/Microsoft.Compute/virtualMachines/sender"
	resp, err := http.Get(n.Identity.URL() + "/" + n.Fixtures.Customers[0].TenantID + "/msi/token?" +
		url.Values{"resource": {n.Fixtures.Resource}, "mi_res_id": {machine}}.Encode())
	require.NoError(t, err)
	defer resp.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
	require.NotEmpty(t, got.Token)
	return got.Token
}

// pass moves the clock ahead to a time.
func (n *notifier) pass(t *testing.T, to time.Time) {
	t.Helper()
	by := to.Sub(n.Clock.Now())
	require.Positive(t, by, "%s is over", to)
	require.NoError(t, n.client.Pass(t.Context(), by))
}

// sell sells a plan and activates it.
func (n *notifier) sell(t *testing.T, name, planID string) string {
	t.Helper()
	id, err := n.client.Purchase(t.Context(), trade.Order{OfferID: notifications, PlanID: planID, Key: name, AutoRenew: true})
	require.NoError(t, err)
	require.NoError(t, n.client.Activate(t.Context(), id, planID))
	return id
}

// event is a usage event as it is sent.
type event struct {
	Resource  string      `json:"resourceId"`
	Dimension string      `json:"dimension"`
	Quantity  json.Number `json:"quantity"`
	At        string      `json:"effectiveStartTime"`
	Plan      string      `json:"planId"`
}

// at is a time of the day of the walks as publishers write it.
func (n *notifier) at(clock string) string { return n.day.Format("2006-01-02T") + clock }

// outcomeOfEvent is what is answered of an event, alone or in a batch.
type outcomeOfEvent struct {
	UsageEventID       string
	Status             string
	Quantity           json.Number
	EffectiveStartTime string
	ResourceURI        string

	Message, Target, Code string
	Details               []struct{ Target, Code string }
	AdditionalInfo        struct{ AcceptedMessage *outcomeOfEvent }
	Error                 *outcomeOfEvent
}

// target is what a refusal is about.
func (o outcomeOfEvent) target() string {
	if len(o.Details) == 1 {
		return o.Details[0].Target
	}
	return o.Target
}

// post sends a body as contoso, or with a token.
func (n *notifier) post(t *testing.T, path, token string, body any) trade.Answer {
	t.Helper()
	r := trade.Request{As: trade.Publisher, Method: http.MethodPost, Path: path + "?" + saasVersion, Body: body}
	if token != "" {
		r.As, r.Header = trade.Nobody, map[string]string{"Authorization": "Bearer " + token}
	}
	a, err := n.client.Do(t.Context(), r, http.StatusOK, http.StatusBadRequest, http.StatusForbidden, http.StatusConflict)
	require.NoError(t, err)
	return a
}

// single sends one event.
func (n *notifier) single(t *testing.T, token string, e event) (int, outcomeOfEvent) {
	t.Helper()
	a := n.post(t, "/api/usageEvent", token, e)
	var got outcomeOfEvent
	require.NoError(t, a.Decode(&got))
	return a.Status, got
}

// accept sends an event that must be accepted.
func (n *notifier) accept(t *testing.T, e event) outcomeOfEvent {
	t.Helper()
	status, got := n.single(t, "", e)
	require.Equal(t, http.StatusOK, status, "%+v: %+v", e, got)
	return got
}

// batch sends several events.
func (n *notifier) batch(t *testing.T, token string, events ...event) []outcomeOfEvent {
	t.Helper()
	a := n.post(t, "/api/batchUsageEvent", token, object{"request": events})
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var got struct {
		Count  int
		Result []outcomeOfEvent
	}
	require.NoError(t, a.Decode(&got))
	require.Len(t, got.Result, len(events))
	require.Equal(t, len(events), got.Count)
	return got.Result
}

// read reads the day of the walks back for one resource, each row as text.
func (n *notifier) read(t *testing.T, resource string) []string {
	t.Helper()
	a, err := n.client.Do(t.Context(), trade.Request{As: trade.Publisher, Method: http.MethodGet,
		Path: "/api/usageEvents?" + saasVersion + "&usageStartDate=" + n.day.Format(time.DateOnly) + "&usageEndDate=" + n.day.Format(time.DateOnly)}, http.StatusOK)
	require.NoError(t, err)
	var days []struct {
		UsageResourceID, Dimension, PlanName, OfferName, OfferType, ReconStatus string
		SubmittedQuantity, ProcessedQuantity                                    json.Number
		SubmittedCount                                                          int
	}
	require.NoError(t, a.Decode(&days))
	var rows []string
	for _, d := range days {
		if d.UsageResourceID == resource {
			rows = append(rows, fmt.Sprintf("%s: %s of %q, %s %q, %d events of %s, processed %s",
				d.Dimension, d.ReconStatus, d.PlanName, d.OfferType, d.OfferName, d.SubmittedCount, d.SubmittedQuantity, d.ProcessedQuantity))
		}
	}
	return rows
}

// charged waits for the charge of a dimension of a resource: cents.
func (n *notifier) charged(t *testing.T, resource, dimension string, want int64) {
	t.Helper()
	var nets []int64
	require.Eventually(t, func() bool {
		lines, err := n.tables.Lines(t.Context(), resource)
		require.NoError(t, err)
		nets = nil
		for _, l := range lines {
			if l.Kind == "metered" && l.Dimension == dimension {
				nets = append(nets, l.Net)
			}
		}
		return len(nets) == 1 && nets[0] == want
	}, time.Minute, 100*time.Millisecond, "%s of %s: %d, want %d", dimension, resource, &nets, want)
}
