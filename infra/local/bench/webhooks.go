package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"stoa/infra/local/trade"
)

const (
	hooks       = 10                     // receivers, each of an offer of its own
	deadHook    = 3                      // the one that never answers
	hookCalls   = 1000                   // webhooks beside the dead one
	hookBase    = 200                    // webhooks while all ten live, to compare with
	hookWait    = 3 * time.Minute        // for those that are still to come
	hookLook    = 20 * time.Millisecond  // between two looks
	offerLook   = 200 * time.Millisecond // at an offer that is being published
	hookPlan    = "plan"
	portalHooks = "/portal/v1/publishers/" + trade.PublisherID + "/offers"
)

func hookOffer(i int) string { return fmt.Sprint("bench-hook-", i) }

type document = map[string]any

// receivers take webhooks and note when each subscription's came first. One of them is dead until it is woken.
type receivers struct {
	servers []*httptest.Server
	dead    atomic.Pointer[chan struct{}] // closed when the dead one lives again; nil while all live
	held    atomic.Int64                  // calls that the dead one holds
	most    atomic.Int64

	mu   sync.Mutex
	came map[string]time.Time // by subscription
}

func startReceivers() *receivers {
	rs := &receivers{came: map[string]time.Time{}}
	for i := range hooks {
		rs.servers = append(rs.servers, httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			rs.receive(i, r)
		})))
	}
	return rs
}

func (rs *receivers) receive(i int, r *http.Request) {
	now := time.Now()
	raw, err := io.ReadAll(r.Body)
	var body struct {
		SubscriptionID string `json:"subscriptionId"`
	}
	if err != nil || json.Unmarshal(raw, &body) != nil {
		return
	}
	if awake := rs.dead.Load(); i == deadHook && awake != nil {
		n := rs.held.Add(1)
		defer rs.held.Add(-1)
		rs.most.Store(max(rs.most.Load(), n))
		select {
		case <-*awake:
		case <-r.Context().Done():
			return
		}
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if _, again := rs.came[body.SubscriptionID]; !again {
		rs.came[body.SubscriptionID] = now
	}
}

// at is when the webhook of a subscription came, zero when it did not.
func (rs *receivers) at(id string) time.Time {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.came[id]
}

func (rs *receivers) stop() {
	for _, s := range rs.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// webhookFigures sends a thousand webhooks to ten receivers, one of which never answers, through queue, host and
// handler, and measures how late those to the nine others come; then how soon the dead one has its own when it lives
// again.
func webhookFigures(ctx context.Context, s *session, r *Report) error {
	rs := startReceivers()
	defer rs.stop()
	m := &webhookRun{client: trade.New(s.Stack, callers), receivers: rs}
	if err := m.prepare(ctx); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	base, err := m.send(ctx, m.subscriptions[:hookBase])
	if err != nil {
		return fmt.Errorf("webhooks, all receivers alive: %w", err)
	}
	awake := make(chan struct{})
	rs.dead.Store(&awake)
	late, err := m.send(ctx, m.subscriptions[hookBase:])
	if err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	r.atMost("webhooks to nine receivers beside a dead one: latest", late[len(late)-1].Seconds(), "s", 1, 0.5)
	r.atMost("median of them ÷ median while all ten live", late[len(late)/2].Seconds()/base[len(base)/2].Seconds(), "ratio", 1.5, 1.1)
	r.atMost("webhooks: workers that a dead receiver holds", float64(rs.most.Load()), "calls", 6, 4)
	close(awake)
	woken := time.Now()
	for i, id := range m.subscriptions {
		if i%hooks != deadHook {
			continue
		}
		if _, err := m.arrival(ctx, id); err != nil {
			return fmt.Errorf("webhooks: to the receiver that lives again: %w", err)
		}
	}
	r.atMost("webhooks: a receiver that lives again has its hundred", time.Since(woken).Seconds(), "s", 120, 30)
	return nil
}

// webhookRun is one run.
type webhookRun struct {
	client        *trade.Client
	receivers     *receivers
	subscriptions []string // active ones, of one offer after the other
}

// prepare brings the offers live and buys.
func (m *webhookRun) prepare(ctx context.Context) error {
	errs := make([]error, hooks)
	var group sync.WaitGroup
	for i := range hooks {
		group.Go(func() { errs[i] = m.live(ctx, i) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m.subscriptions = make([]string, hookBase+hookCalls)
	_, err := rate(ctx, len(m.subscriptions), func(ctx context.Context, i int) (err error) {
		order := trade.Order{OfferID: hookOffer(i % hooks), PlanID: hookPlan, Key: fmt.Sprintf("webhook %d", i)}
		if m.subscriptions[i], err = m.client.Purchase(ctx, order); err != nil {
			return err
		}
		return m.client.Activate(ctx, m.subscriptions[i], hookPlan)
	})
	return err
}

// send suspends subscriptions, each caller one after the other, and returns in order how late the webhooks came,
// from the answer to the suspension on. A caller waits for the webhook, so that no queue grows for other reasons, but
// not for one to the receiver that is dead or will be.
func (m *webhookRun) send(ctx context.Context, subscriptions []string) ([]time.Duration, error) {
	var mu sync.Mutex
	var late []time.Duration
	_, err := rate(ctx, len(subscriptions), func(ctx context.Context, i int) error {
		path := "/operator/v1/subscriptions/" + subscriptions[i] + "/suspend"
		if _, err := m.client.Do(ctx, trade.Request{As: trade.Operator, Method: http.MethodPost, Path: path}, http.StatusAccepted); err != nil {
			return err
		}
		answered := time.Now()
		if i%hooks == deadHook {
			return nil
		}
		at, err := m.arrival(ctx, subscriptions[i])
		mu.Lock()
		defer mu.Unlock()
		late = append(late, at.Sub(answered))
		return err
	})
	slices.Sort(late)
	return late, err
}

// arrival waits for the webhook of a subscription.
func (m *webhookRun) arrival(ctx context.Context, id string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, hookWait)
	defer cancel()
	for {
		if at := m.receivers.at(id); !at.IsZero() {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("the webhook of %s did not come: %w", id, ctx.Err())
		case <-time.After(hookLook):
		}
	}
}

// live drafts the offer of a receiver and brings it live.
func (m *webhookRun) live(ctx context.Context, i int) error {
	one := portalHooks + "/" + hookOffer(i)
	if _, err := m.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodPost, Path: portalHooks,
		Body: document{"offerId": hookOffer(i), "offerType": "SaaS", "alias": "Hook"}}, http.StatusCreated); err != nil {
		return err
	}
	for _, p := range m.pages(i) {
		if _, err := m.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodPut, Path: one + "/pages/" + p.name, Body: p.body}, http.StatusOK); err != nil {
			return err
		}
	}
	plan := document{"planId": hookPlan, "name": "Plan", "description": "A plan.", "pricingModel": "flatRate", "markets": []string{"US"},
		"terms": []document{{"termUnit": "P1M", "priceUSD": "10"}}}
	if _, err := m.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodPost, Path: one + "/plans", Body: plan}, http.StatusCreated); err != nil {
		return err
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 216, 216))); err != nil {
		return fmt.Errorf("draw the logo: %w", err)
	}
	if err := m.upload(ctx, one, "largeLogo", picture.Bytes()); err != nil {
		return err
	}
	if err := m.upload(ctx, one, "document", []byte("%PDF-1.7\n% a document\n")); err != nil {
		return err
	}
	for _, step := range []struct{ act, status string }{{"publish", "Preview"}, {"golive", "Live"}} {
		if _, err := m.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodPost, Path: one + "/" + step.act}, http.StatusAccepted); err != nil {
			return err
		}
		if err := m.reaches(ctx, one, step.status); err != nil {
			return err
		}
	}
	return nil
}

// page is a page of an offer's draft.
type page struct {
	name string
	body document
}

// pages are what an offer needs to be sold, in the order they open in, with the receiver's address.
func (m *webhookRun) pages(i int) []page {
	const tenant, app = "c0c0c0c0-0000-4000-8000-000000000001", "c0c0c0c0-0000-4000-8000-0000000000a1"
	url := m.receivers.servers[i].URL
	return []page{
		{"offerSetup", document{"listingOption": "SellThroughMicrosoft", "leadDestination": document{"leadDestination": "httpsEndpoint",
			"contactEmail": []string{"leads@contoso.example"}, "settings": document{"httpsEndpointUrl": url + "/lead"}}}},
		{"properties", document{"listing": document{"categories": []string{"analytics"}}}},
		{"offerListing", document{"listing": document{"name": hookOffer(i), "searchResultsSummary": "Takes webhooks.",
			"description": "<p>Takes webhooks.</p>", "privacyPolicyUrl": "https://contoso.example/privacy"}}},
		{"previewAudience", document{"previewAudience": []string{"olga.owner@contoso.example"}}},
		{"technicalConfiguration", document{"technicalConfiguration": document{"landingPageUrl": "https://contoso.example/landing",
			"connectionWebhook": url + "/webhook", "aadTenantId": tenant, "aadApplicationId": app}}},
	}
}

// upload puts a file on the listing.
func (m *webhookRun) upload(ctx context.Context, one, kind string, content []byte) error {
	a, err := m.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodPost, Path: one + "/uploads",
		Body: document{"kind": kind, "fileName": kind + ".bin"}}, http.StatusCreated)
	if err != nil {
		return err
	}
	var link struct{ File, UploadURL string }
	if err := a.Decode(&link); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, link.UploadURL, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("upload a %s: %w", kind, err)
	}
	req.Header.Set("x-ms-blob-type", "BlockBlob")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("upload a %s: %w", kind, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("upload a %s: status %d", kind, resp.StatusCode)
	}
	_, err = m.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodPut, Path: one + "/listing/assets",
		Body: document{"kind": kind, "file": link.File, "name": kind}}, http.StatusOK)
	return err
}

// reaches waits until the offer has a status.
func (m *webhookRun) reaches(ctx context.Context, one, status string) error {
	ctx, cancel := context.WithTimeout(ctx, hookWait)
	defer cancel()
	for {
		a, err := m.client.Do(ctx, trade.Request{As: trade.Publisher, Method: http.MethodGet, Path: one + "/overview"}, http.StatusOK)
		if err != nil {
			return err
		}
		var now struct{ Status string }
		if err := a.Decode(&now); err != nil || now.Status == status {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not become %s: %s", one, status, a.Body)
		case <-time.After(offerLook):
		}
	}
}
