package stack_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/infra/local/identity"
	"stoa/infra/local/sample"
	"stoa/infra/local/stack"
	"stoa/infra/local/tree"
)

// A publisher's integration that knows the public documentation only works unchanged. This test is not parallel:
// while the integration answers webhooks, nobody moves the clock of the marketplace it shares with other tests.
func TestPublicClient(t *testing.T) {
	t.Run("guide", func(t *testing.T) { runPublicClient(t, marketplace, "guide") })
	t.Run("current", func(t *testing.T) {
		s := startStack(t, stack.Options{Settings: map[string]string{"STOA_FULFILLMENT_PROFILE": "current"}})
		runPublicClient(t, s, "current")
		runSample(t, s)
	})
}

// publisherOf is the publisher whose offers are integrated with: not the one other tests settle accounts of.
func publisherOf(t *testing.T, s *stack.Stack) identity.Publisher {
	t.Helper()
	publisher, known := s.Fixtures.Publisher("fabrikam")
	require.True(t, known)
	m := sample.Marketplace{URL: s.URL(), TokenURL: s.Identity.URL() + "/{tenantId}/oauth2/token", Resource: s.Fixtures.Resource}
	m.Apps = append(m.Apps, sample.App{
		PublisherID: publisher.PublisherID, TenantID: publisher.TenantID, AppID: publisher.Apps[0].AppID, Secret: publisher.Apps[0].Secret,
	})
	s.Sample.Connect(m)
	return publisher
}

// runPublicClient brings an offer live whose landing page and webhook are those of package publicclient, and runs
// that package's test as a process of its own, which gets nothing but addresses and credentials.
func runPublicClient(t *testing.T, s *stack.Stack, profile string) {
	t.Helper()
	publisher := publisherOf(t, s)
	listen, err := freeAddress()
	require.NoError(t, err)
	offer, err := s.Sample.Publish(t.Context(), sample.Offer{
		OfferID: "client-saas", LandingPageURL: "http://" + listen + "/landing", ConnectionWebhook: "http://" + listen + "/webhook",
	})
	require.NoError(t, err)
	root, err := tree.Root()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-timeout=5m", "./infra/local/publicclient")
	cmd.Dir = root
	cmd.Env = append(os.Environ(),
		"MARKETPLACE_URL="+s.URL()+"/api",
		"MARKETPLACE_TOKEN_URL="+s.Identity.URL()+"/"+publisher.TenantID+"/oauth2/token",
		"MARKETPLACE_WEBHOOK_ISSUER="+s.URL()+"/portal/v1/reference/webhook-issuer",
		"MARKETPLACE_WEBHOOK_KEYS="+s.URL()+"/portal/v1/reference/webhook-keys",
		"MARKETPLACE_PROFILE="+profile,
		"MARKETPLACE_PAGE=100",
		"MARKETPLACE_CLOCK_URL="+s.URL()+"/dev/clock",
		"PUBLISHER_TENANT_ID="+publisher.TenantID,
		"PUBLISHER_CLIENT_ID="+publisher.Apps[0].AppID,
		"PUBLISHER_CLIENT_SECRET="+publisher.Apps[0].Secret,
		"PUBLISHER_LISTEN="+listen,
		"STORE_URL="+s.URL()+"/dev",
		"STORE_PUBLISHER="+offer.PublisherID, "STORE_OFFER="+offer.OfferID, "STORE_PLAN=silver", "STORE_OTHER_PLAN=gold",
	)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestLifeOfASubscription", "it was not skipped")
	t.Logf("%s", out)
}

// runSample does what a developer does by hand: buy, land, press the button, watch webhooks come in, and let a month
// pass (FUL-18, FUL-88).
func runSample(t *testing.T, s *stack.Stack) {
	t.Helper()
	publisherOf(t, s)
	offer, err := s.Sample.Publish(t.Context(), sample.Offer{})
	require.NoError(t, err)
	bought := ask(t, s, "POST", "/dev/purchases", object{"publisherId": offer.PublisherID, "offerId": offer.OfferID, "planId": "silver", "quantity": 3})
	one := "/dev/subscriptions/" + bought["subscriptionId"].(string)
	landing, err := url.Parse(bought["landingUrl"].(string))
	require.NoError(t, err)
	resp, err := http.PostForm(s.Sample.URL()+"/activate", url.Values{"token": {landing.Query().Get("token")}})
	require.NoError(t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", page)
	require.Contains(t, string(page), "Subscribed")

	require.NoError(t, s.Sample.Behave(sample.Behaviour{Path: "/webhook", Acknowledge: "Success"}))
	ask(t, s, "POST", one+"/changePlan", object{"planId": "gold"})
	require.Eventually(t, func() bool { return ask(t, s, "GET", one, nil)["planId"] == "gold" }, time.Minute, 50*time.Millisecond)
	first := ask(t, s, "GET", one, nil)["term"].(object)
	renewed := ask(t, s, "POST", one+"/renew", nil)
	require.Equal(t, "Subscribed", renewed["saasSubscriptionStatus"])
	require.Eventually(t, func() bool { // once the charge is heard of
		return ask(t, s, "GET", one, nil)["term"].(object)["startDate"].(string) > first["endDate"].(string)
	}, time.Minute, 50*time.Millisecond)
	ask(t, s, "POST", one+"/failPayment", nil)
	ask(t, s, "POST", one+"/cancel", nil)
	require.Eventually(t, func() bool {
		told := map[any]bool{}
		for _, r := range s.Sample.Received("/webhook") {
			var call object
			require.NoError(t, json.Unmarshal(r.JSON, &call))
			if call["subscriptionId"] == bought["subscriptionId"] {
				told[call["action"]] = true
			}
		}
		return told["ChangePlan"] && told["Renew"] && told["Suspend"] && told["Unsubscribe"]
	}, time.Minute, 50*time.Millisecond)

	again, err := s.Sample.Publish(t.Context(), sample.Offer{LandingPageURL: "http://127.0.0.1:1/elsewhere"})
	require.NoError(t, err, "an offer that is live takes other addresses")
	require.Equal(t, offer.OfferID, again.OfferID)
	moved := ask(t, s, "POST", "/dev/purchases", object{"publisherId": offer.PublisherID, "offerId": offer.OfferID, "planId": "silver", "quantity": 1})
	require.Eventually(t, func() bool { // the marketplace knows a version for two seconds
		to := ask(t, s, "POST", "/dev/subscriptions/"+moved["subscriptionId"].(string)+"/landing", nil)
		return strings.HasPrefix(to["landingUrl"].(string), "http://127.0.0.1:1/elsewhere?token=")
	}, time.Minute, 200*time.Millisecond)
}

// ask sends a request that needs no token and wants any 2xx.
func ask(t *testing.T, s *stack.Stack, method, path string, body object) object {
	t.Helper()
	content, err := json.Marshal(body)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, bytes.NewReader(content))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Less(t, resp.StatusCode, 300, "%s %s: %s", method, path, raw)
	var got object
	require.NoError(t, json.Unmarshal(raw, &got))
	return got
}
