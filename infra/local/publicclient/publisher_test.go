package publicclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"stoa/infra/local/publicclient"
)

// soon bounds how long anything takes that the documentation lets take a while; what waits for a silent publisher
// takes 10 seconds.
const soon = time.Minute

// publisher is the integration under walk, and the store it is sold in.
type publisher struct {
	*publicclient.Marketplace
	site        *publicclient.Publisher
	store       *publicclient.Store
	current     bool // the version of the documentation
	plan, other string
	page        int
}

func environment(t *testing.T, name, usual string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" && usual == "" {
		t.Fatalf("%s is not set; the package comment says what it is", name)
	}
	if value == "" {
		return usual
	}
	return value
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	if os.Getenv("MARKETPLACE_URL") == "" {
		t.Skip("MARKETPLACE_URL is not set: there is no marketplace to integrate with")
	}
	required := func(name string) string { return environment(t, name, "") }
	client := &http.Client{Timeout: 30 * time.Second}
	now := clock(t, client)
	m := &publicclient.Marketplace{
		URL: strings.TrimSuffix(required("MARKETPLACE_URL"), "/"), TokenURL: required("MARKETPLACE_TOKEN_URL"),
		Resource: environment(t, "MARKETPLACE_RESOURCE", publicclient.MarketplaceApp),
		ClientID: required("PUBLISHER_CLIENT_ID"), ClientSecret: required("PUBLISHER_CLIENT_SECRET"), HTTP: client, Now: now,
	}
	p := &publisher{
		Marketplace: m, plan: required("STORE_PLAN"), other: required("STORE_OTHER_PLAN"),
		site: &publicclient.Publisher{Marketplace: m, Caller: &publicclient.Caller{
			Issuer: required("MARKETPLACE_WEBHOOK_ISSUER"), KeysURL: required("MARKETPLACE_WEBHOOK_KEYS"),
			ClientID: m.ClientID, TenantID: required("PUBLISHER_TENANT_ID"), HTTP: client, Now: now,
		}},
		store: &publicclient.Store{
			URL: strings.TrimSuffix(required("STORE_URL"), "/"), Authorization: os.Getenv("STORE_AUTHORIZATION"),
			PublisherID: required("STORE_PUBLISHER"), OfferID: required("STORE_OFFER"), HTTP: client,
		},
	}
	switch profile := environment(t, "MARKETPLACE_PROFILE", "guide"); profile {
	case "guide", "current":
		p.current = profile == "current"
	default:
		t.Fatalf("MARKETPLACE_PROFILE is %q, want guide or current", profile)
	}
	if text := os.Getenv("MARKETPLACE_PAGE"); text != "" {
		var err error
		p.page, err = strconv.Atoi(text)
		must(t, "MARKETPLACE_PAGE", err)
	}
	p.listen(t, required("PUBLISHER_LISTEN"))
	return p
}

// clock is the machine's, or that of a marketplace whose clock was moved.
func clock(t *testing.T, client *http.Client) func() time.Time {
	address := os.Getenv("MARKETPLACE_CLOCK_URL")
	if address == "" {
		return time.Now
	}
	return func() time.Time {
		var got struct{ Now time.Time }
		reply, err := client.Get(address)
		if err == nil {
			defer reply.Body.Close()
			err = json.NewDecoder(reply.Body).Decode(&got)
		}
		if err != nil {
			t.Errorf("read the clock: %v", err)
			return time.Now()
		}
		return got.Now
	}
}

// listen opens the publisher's site.
func (p *publisher) listen(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	must(t, "listen", err)
	server := &http.Server{Handler: p.site.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

// refused wants the answer with that status.
func refused(t *testing.T, what string, err error, status int) {
	t.Helper()
	var got *publicclient.StatusError
	if !errors.As(err, &got) || got.Status != status {
		t.Fatalf("%s: %v, want status %d", what, err, status)
	}
}

// eventually asks again until the answer is yes.
func eventually(t *testing.T, what string, yes func() (bool, string)) {
	t.Helper()
	last := ""
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ok, seen := yes()
		if ok {
			return
		}
		last = seen
	}
	t.Fatalf("%s: not in time; last seen: %s", what, last)
}

// told waits for the webhook call about an action, the nth of its kind, and answers it.
func (p *publisher) told(t *testing.T, id, action string, nth int) publicclient.Notice {
	t.Helper()
	var found publicclient.Notice
	eventually(t, fmt.Sprintf("webhook %s no. %d", action, nth), func() (bool, string) {
		seen, n := []string{}, 0
		for _, notice := range p.site.Notices(id) {
			seen = append(seen, notice.Action)
			if notice.Action == action {
				if n++; n == nth {
					found = notice
					return true, ""
				}
			}
		}
		return false, fmt.Sprint(seen, p.site.Refused())
	})
	return found
}

// ended polls an operation until it is over.
func (p *publisher) ended(t *testing.T, location, status string) {
	t.Helper()
	eventually(t, "operation "+status, func() (bool, string) {
		o, err := p.At(t.Context(), location)
		must(t, "poll the operation", err)
		switch o.Status {
		case "NotStarted", "InProgress":
			return false, o.Status
		}
		equal(t, o.Action+" operation", o.Status, status)
		return true, ""
	})
}

// becomes polls a subscription until it is as wanted.
func (p *publisher) becomes(t *testing.T, id, what string, as func(publicclient.Subscription) bool) {
	t.Helper()
	eventually(t, what, func() (bool, string) {
		s, err := p.Subscription(t.Context(), id)
		must(t, "read the subscription", err)
		return as(s), fmt.Sprintf("%+v", s)
	})
}

func (p *publisher) isOn(t *testing.T, id, status, planID string, seats int) {
	t.Helper()
	s, err := p.Subscription(t.Context(), id)
	must(t, "read the subscription", err)
	equal(t, "status", s.SaasSubscriptionStatus, status)
	equal(t, "plan", s.PlanID, planID)
	equal(t, "quantity", s.Quantity, publicclient.Quantity(strconv.Itoa(seats)))
}

// landing opens an address as the customer's browser does.
func landing(ctx context.Context, address string) (status int, page string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	return browse(r)
}

func browse(r *http.Request) (int, string, error) {
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return reply.StatusCode, string(text), err
}
