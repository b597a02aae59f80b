package lead_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/account"
	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/lead"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/outbound"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
)

// shelf holds offers, by publisher/offer, with a slot each.
type shelf map[string]offer.Version

func (s shelf) read(key string) (offer.Version, error) {
	v, ok := s[key]
	if !ok {
		return v, fault.New(fault.NotFound, "NotFound", "offerId", "no")
	}
	return v, nil
}

func (s shelf) Live(_ context.Context, p, o string) (offer.Version, error) {
	return s.read(p + "/" + o)
}

func (s shelf) InPreview(_ context.Context, p, o string) (offer.Version, error) {
	return s.read("preview:" + p + "/" + o)
}

type names struct{}

func (names) Publisher(_ context.Context, id string) (account.Publisher, error) {
	return account.Publisher{ID: id, Name: "The " + id}, nil
}

// plain opens what is sealed as context:text.
type plain struct{}

func (plain) Open(sealed, context string) (string, error) {
	if len(sealed) <= len(context) || sealed[:len(context)] != context {
		return "", io.ErrUnexpectedEOF
	}
	return sealed[len(context)+1:], nil
}

func version(o, kind, key, secret string) offer.Version {
	v := offer.Version{Slot: offer.Production, Content: offer.Content{PublisherID: "contoso", OfferID: o}}
	v.Listing.Name = "Contoso " + o
	v.LeadDestination = offer.LeadDestination{Kind: kind, ContactEmail: []string{"sales@contoso.example"}, SealedSecrets: map[string]string{
		key: offer.SecretContext("contoso", o, key) + ":" + secret,
	}}
	return v
}

// receiver is an HTTPS endpoint that answers with the statuses it is told, the last one again and again.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	header   http.Header
	bodies   []string
	uris     []string
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{statuses: statuses, header: http.Header{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies, r.uris = append(r.bodies, string(body)), append(r.uris, q.RequestURI)
		for name := range r.header {
			w.Header().Set(name, r.header.Get(name))
		}
		w.WriteHeader(r.statuses[0])
		if len(r.statuses) > 1 {
			r.statuses = r.statuses[1:]
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(statuses ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses = statuses
}

func (r *receiver) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

// rows records rows, or fails.
type rows struct {
	err  error
	seen []lead.TableRow
}

func (r *rows) Insert(_ context.Context, _ string, row lead.TableRow) error {
	r.seen = append(r.seen, row)
	return r.err
}

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
	*lead.Service
	clock  *timepiece
	outbox *storetest.Outbox
	shelf  shelf
	rows   *rows
	calls  *line
}

// line is a call.Doer that can be exchanged.
type line struct{ call.Doer }

func newRig(t *testing.T) *rig {
	r := &rig{clock: newTimepiece(), shelf: shelf{}, rows: &rows{}}
	r.calls = &line{outbound.New(outbound.Options{AllowLoopback: true})}
	clock := r.clock.now
	db, outbox := storetest.NewTwin(clock)
	service, err := lead.New(lead.Deps{
		Store: store.NewLeads(db), Offers: r.shelf, Publishers: names{}, Secrets: plain{}, Tables: r.rows,
		Calls: r.calls, Now: clock, PublicURL: "https://stoa.example",
	})
	require.NoError(t, err)
	r.Service, r.outbox = service, outbox
	return r
}

func event(id, offerID string) lead.Event {
	return lead.Event{
		EventID: id, Source: lead.AzureMarketplace, CallToAction: lead.GetItNow, PublisherID: "contoso", OfferID: offerID,
		ConsentGiven: true, Customer: lead.Customer{FirstName: "John", LastName: "Smith", Email: "jsmith@microsoft.com"},
	}
}

// run moves the clock and works off the queue, each message twice.
func (r *rig) run(t *testing.T, by time.Duration) int {
	t.Helper()
	r.clock.move(by)
	r.outbox.Advance(r.clock.now())
	n := 0
	for _, m := range r.outbox.Take(message.Leads) {
		var o lead.Outbound
		require.NoError(t, json.Unmarshal(m.Body, &o))
		require.NoError(t, r.Deliver(t.Context(), o))
		require.NoError(t, r.Deliver(t.Context(), o), "a second delivery does nothing")
		n++
	}
	return n
}

func (r *rig) lead(t *testing.T, l lead.Lead) lead.Lead {
	t.Helper()
	got, err := r.Lead(t.Context(), l.PublisherID, l.ID)
	require.NoError(t, err)
	return got
}

func TestHTTPSHappyPath(t *testing.T) {
	t.Parallel()
	r, hook := newRig(t), newReceiver(t, 202)
	r.shelf["contoso/app"] = version("app", "httpsEndpoint", "httpsEndpointUrl", hook.URL+"/lead?sig=a%2Fb&sp=%2Ft")
	l, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	require.Equal(t, lead.Queued, l.State)
	require.Zero(t, hook.calls(), "LED-40 capture does not wait for the destination")
	again, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	require.True(t, again.Repeated)
	require.Equal(t, l.ID, again.ID, "LED-3")

	require.Equal(t, 1, r.run(t, 0))
	require.Equal(t, 1, hook.calls(), "LED-3 one request")
	require.Equal(t, "/lead?sig=a%2Fb&sp=%2Ft", hook.uris[0], "LED-27 the query as it was given")
	require.Equal(t, string(lead.HTTPSBody(l)), hook.bodies[0])
	got := r.lead(t, l)
	require.Equal(t, lead.Delivered, got.State)
	require.Equal(t, 202, got.Attempts[0].HTTPStatus)

	mails := r.outbox.Messages(message.Notifications)
	require.Len(t, mails, 1, "LED-62")
	require.NotContains(t, string(mails[0].Body), "jsmith", "LED-63")
	require.NotContains(t, string(mails[0].Body), "Smith", "LED-63")
	require.Contains(t, string(mails[0].Body), "https://stoa.example/portal/v1/publishers/contoso/leads/"+l.ID)

	r.run(t, 90*24*time.Hour-time.Second)
	require.False(t, r.lead(t, l).Erased)
	r.run(t, time.Second)
	got = r.lead(t, l)
	require.Equal(t, lead.Customer{}, got.Customer, "LED-69")
	require.Equal(t, lead.Delivered, got.State)
}

func TestBrokenEndpoint(t *testing.T) {
	t.Parallel()
	r, hook := newRig(t), newReceiver(t, 503, 503, 200)
	r.shelf["contoso/app"] = version("app", "httpsEndpoint", "httpsEndpointUrl", hook.URL)
	l, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	r.run(t, 0)
	got := r.lead(t, l)
	require.Equal(t, lead.RetryScheduled, got.State)
	r.run(t, got.DueAt.Sub(r.clock.now())-time.Second)
	require.Equal(t, 1, hook.calls(), "LED-42 not before it is due")
	r.run(t, time.Second)
	require.Equal(t, 2, hook.calls())
	r.run(t, 6*time.Minute)
	require.Equal(t, lead.Delivered, r.lead(t, l).State)
	require.Equal(t, 3, hook.calls(), "LED-42 after 0, 1 and 6 minutes")
}

func TestDeadEndpointIsParkedAndReplayed(t *testing.T) {
	t.Parallel()
	r, hook := newRig(t), newReceiver(t, 500)
	r.shelf["contoso/app"] = version("app", "httpsEndpoint", "httpsEndpointUrl", hook.URL)
	l, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	for range 80 {
		r.run(t, time.Hour)
	}
	got := r.lead(t, l)
	require.Equal(t, lead.Parked, got.State, "LED-42 the round is over after 72 hours")
	require.Equal(t, lead.Unavailable, got.Reason)
	require.Equal(t, 9, hook.calls())
	waiting, _, err := r.Waiting(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)

	hook.answer(200)
	_, err = r.ReplayWaiting(t.Context(), l.ID)
	require.NoError(t, err)
	_, err = r.Replay(t.Context(), "contoso", l.ID)
	require.Equal(t, "LeadNotReplayable", fault.As(err).Code)
	r.run(t, 0)
	require.Equal(t, lead.Delivered, r.lead(t, l).State)
	require.Equal(t, 10, hook.calls())
	r.run(t, 31*24*time.Hour)
	require.Equal(t, lead.Delivered, r.lead(t, l).State, "the end of the wait it is no longer in")
	waiting, _, err = r.Waiting(t.Context(), "", 10)
	require.NoError(t, err)
	require.Empty(t, waiting)
}

func TestPermanentOutcomes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		reason string
	}{
		{"LED-43 unauthorized", 401, lead.AuthFailed},
		{"LED-43 gone", 410, lead.Rejected},
		{"LED-49 redirect", 302, lead.Rejected},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r, hook := newRig(t), newReceiver(t, row.status)
			r.shelf["contoso/app"] = version("app", "httpsEndpoint", "httpsEndpointUrl", hook.URL)
			l, err := r.Capture(t.Context(), event("e1", "app"))
			require.NoError(t, err)
			r.run(t, 0)
			got := r.lead(t, l)
			require.Equal(t, lead.Parked, got.State)
			require.Equal(t, row.reason, got.Reason)
			require.Zero(t, r.run(t, 24*time.Hour))
			require.Equal(t, 1, hook.calls())
		})
	}
}

func TestRetryAfterWins(t *testing.T) {
	t.Parallel()
	r, hook := newRig(t), newReceiver(t, 429, 200)
	hook.header.Set("Retry-After", "7200")
	r.shelf["contoso/app"] = version("app", "httpsEndpoint", "httpsEndpointUrl", hook.URL)
	l, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	r.run(t, 0)
	require.Equal(t, r.clock.now().Add(2*time.Hour), r.lead(t, l).DueAt, "LED-42")
}

func TestWithoutDestination(t *testing.T) {
	t.Parallel()
	r, hook := newRig(t), newReceiver(t, 200)
	r.shelf["contoso/app"] = version("app", "dynamics", "applicationKey", "x")
	l, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	require.Equal(t, lead.Unrouted, l.State)
	require.Equal(t, lead.ReasonNotSupported, l.Reason)
	require.Zero(t, r.run(t, 0))

	r.shelf["contoso/app"] = version("app", "httpsEndpoint", "httpsEndpointUrl", hook.URL)
	_, err = r.Replay(t.Context(), "contoso", l.ID)
	require.NoError(t, err)
	r.run(t, 0)
	require.Equal(t, lead.Delivered, r.lead(t, l).State, "LED-10")

	r.shelf["contoso/other"] = version("other", "", "", "")
	l, err = r.Capture(t.Context(), event("e2", "other"))
	require.NoError(t, err)
	r.run(t, 30*24*time.Hour-time.Second)
	require.Equal(t, lead.Unrouted, r.lead(t, l).State)
	r.run(t, time.Second)
	got := r.lead(t, l)
	require.Equal(t, lead.Lost, got.State, "LED-46")
	require.Equal(t, lead.Customer{}, got.Customer)
	_, err = r.Replay(t.Context(), "contoso", l.ID)
	require.Equal(t, "LeadNotReplayable", fault.As(err).Code)
}

func TestTableDestination(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.shelf["contoso/app"] = version("app", "AzureTable", "storageAccountConnectionString", "secret")
	l, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	r.rows.err = fault.New(fault.Unavailable, "CallTimeout", "", "x")
	r.run(t, 0)
	r.run(t, 2*time.Minute)
	require.Equal(t, lead.RetryScheduled, r.lead(t, l).State, "LED-41 a table recognises a lead it has: time-outs go on")
	r.rows.err = nil
	r.run(t, 10*time.Minute)
	got := r.lead(t, l)
	require.Equal(t, lead.Delivered, got.State)
	require.Equal(t, lead.Row(got), r.rows.seen[2])

	r.rows.err = fault.New(fault.Forbidden, lead.AuthFailed, "", "x")
	l, err = r.Capture(t.Context(), event("e2", "app"))
	require.NoError(t, err)
	r.run(t, 0)
	require.Equal(t, lead.AuthFailed, r.lead(t, l).Reason, "LED-43")
}

// silent answers no call in time.
type silent struct{ calls int }

func (s *silent) Do(context.Context, call.Request) (call.Reply, error) {
	s.calls++
	return call.Reply{}, fault.New(fault.Unavailable, "CallTimeout", "url", "no answer")
}

// LED-41: what an endpoint may have got is sent once more, not again and again.
func TestTimeoutIsRetriedOnce(t *testing.T) {
	t.Parallel()
	r, calls := newRig(t), &silent{}
	r.calls.Doer = calls
	r.shelf["contoso/app"] = version("app", "httpsEndpoint", "httpsEndpointUrl", "https://hook.example")
	l, err := r.Capture(t.Context(), event("e1", "app"))
	require.NoError(t, err)
	r.run(t, 0)
	require.Equal(t, lead.RetryScheduled, r.lead(t, l).State)
	r.run(t, 2*time.Minute)
	got := r.lead(t, l)
	require.Equal(t, lead.Parked, got.State)
	require.Equal(t, lead.Timeout, got.Reason)
	require.Equal(t, 2, calls.calls)
}

func TestCaptureRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.shelf["contoso/app"] = version("app", "", "", "")
	for _, row := range []struct {
		name   string
		change func(*lead.Event)
		kind   fault.Kind
		code   string
	}{
		{"LED-5 no such offer", func(e *lead.Event) { e.OfferID = "nothing" }, fault.Conflict, "OfferNotPublished"},
		{"LED-6 not in preview", func(e *lead.Event) { e.Slot = offer.Preview }, fault.Conflict, "OfferNotPublished"},
		{"LED-2 outside the matrix", func(e *lead.Event) { e.Source = lead.AzurePortal }, fault.Invalid, "InvalidLeadAction"},
		{"LED-9 no address", func(e *lead.Event) { e.Customer.Email = "" }, fault.Invalid, "InvalidCustomer"},
		{"LED-8 not in AppSource", func(e *lead.Event) { e.CrossListedOn = "fabrikam.app" }, fault.Invalid, "InvalidLeadAction"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := event("e-"+row.name, "app")
			row.change(&e)
			_, err := r.Capture(t.Context(), e)
			require.True(t, fault.Is(err, row.kind))
			require.Equal(t, row.code, fault.As(err).Code)
		})
	}
	e := event("silent", "app")
	e.ConsentGiven = false
	l, err := r.Capture(t.Context(), e)
	require.NoError(t, err)
	require.Empty(t, l.ID, "LED-4")
	all, _, err := r.Leads(t.Context(), lead.Filter{PublisherID: "contoso"})
	require.NoError(t, err)
	require.Empty(t, all, "LED-4 nothing is kept")
	require.Empty(t, r.outbox.Messages(message.Notifications), "LED-4 no mail")
}

func TestCrossListing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.shelf["contoso/svc"] = version("svc", "", "", "")
	r.shelf["fabrikam/app"] = version("app", "", "", "")
	e := event("e1", "svc")
	e.Source, e.CallToAction, e.CrossListedOn = lead.AppSource, lead.ContactMe, "fabrikam.app"
	l, err := r.Capture(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, "SPZA-PLT|contoso.svc", l.LeadSource)
	other, _, err := r.Leads(t.Context(), lead.Filter{PublisherID: "fabrikam"})
	require.NoError(t, err)
	require.Len(t, other, 1, "LED-8")
	require.Equal(t, "SPZA-DNC|fabrikam.app", other[0].LeadSource)
	require.Equal(t, lead.Notification, other[0].Kind)
	mails := r.outbox.Messages(message.Notifications)
	require.Len(t, mails, 2)
	require.NotContains(t, string(mails[0].Body), "must not be contacted")
	require.Contains(t, string(mails[1].Body), "must not be contacted", "LED-63")

	e.EventID, e.CrossListedOn = "e2", "nobody.nothing"
	_, err = r.Capture(t.Context(), e)
	require.NoError(t, err, "LED-8 the failure of one does not hold back the other")
}

func TestAcademicLead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.shelf["contoso/app"] = version("app", "table", "storageAccountConnectionString", "secret")
	e := event("e1", "app")
	e.Customer.Email = "prof@cs.mit.edu"
	l, err := r.Capture(t.Context(), e)
	require.NoError(t, err)
	got := r.lead(t, l)
	require.Equal(t, lead.Suppressed, got.State, "LED-67")
	require.Equal(t, lead.Customer{}, got.Customer)
	require.Zero(t, r.run(t, time.Hour))
	require.Len(t, r.outbox.Messages(message.Notifications), 1)
}

func TestPreviewLead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.shelf["preview:contoso/app"] = version("app", "table", "storageAccountConnectionString", "secret")
	e := event("e1", "app")
	e.Slot = offer.Preview
	l, err := r.Capture(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, offer.Preview, l.Slot, "LED-6")
	r.run(t, 0)
	require.Equal(t, lead.Delivered, r.lead(t, l).State, "LED-6 over the connection of the preview")
}

func TestDeliverRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.True(t, fault.Is(r.Deliver(t.Context(), lead.Outbound{LeadID: "x", PublisherID: "contoso"}), fault.NotFound))
	require.True(t, fault.Is(r.Deliver(t.Context(), lead.Outbound{Kind: "paint"}), fault.Invalid))
	_, err := lead.New(lead.Deps{})
	require.Error(t, err)
}
