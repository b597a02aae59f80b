package testdrive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
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
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/testdrive"
)

const (
	assignURL      = "https://flow.example/assign"
	deprovisionURL = "https://flow.example/deprovision"
	pollURL        = "https://flow.example/runs/1"
)

// workflows answers calls by URL; without an answer it is away.
type workflows struct {
	mu      sync.Mutex
	answers map[string]call.Reply
	seen    []call.Request
	during  func(url string) // called while a workflow is at it
}

func (w *workflows) Do(_ context.Context, r call.Request) (call.Reply, error) {
	w.mu.Lock()
	w.seen = append(w.seen, r)
	reply, ok := w.answers[r.URL]
	during := w.during
	w.mu.Unlock()
	if during != nil {
		during(r.URL)
	}
	if !ok {
		return call.Reply{}, fault.New(fault.Unavailable, "CallTimeout", "url", "no answer")
	}
	return reply, nil
}

func (w *workflows) count(url string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.seen {
		if r.URL == url {
			n++
		}
	}
	return n
}

// captured counts leads by event, or refuses them.
type captured struct {
	err    error
	events map[string]int
}

func (c *captured) Capture(_ context.Context, e lead.Event) (lead.Lead, error) {
	if c.err != nil {
		return lead.Lead{}, c.err
	}
	c.events[e.EventID]++
	return lead.Lead{ID: "lead-of-" + e.SessionID}, nil
}

// shelf is the one offer there is.
type shelf struct{ v offer.Version }

func (s *shelf) Live(_ context.Context, p, o string) (offer.Version, error) {
	if p != "contoso" || o != "app" {
		return offer.Version{}, fault.New(fault.NotFound, "NotFound", "", "no")
	}
	return s.v, nil
}

func (s *shelf) InPreview(ctx context.Context, p, o string) (offer.Version, error) {
	return s.Live(ctx, p, o)
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
	*testdrive.Service
	clock  *timepiece
	outbox *storetest.Outbox
	flows  *workflows
	leads  *captured
	shelf  *shelf
	store  *store.TestDrives
}

func newRig(t require.TestingT) *rig {
	r := &rig{clock: newTimepiece(), leads: &captured{events: map[string]int{}}, shelf: &shelf{}}
	r.flows = &workflows{answers: map[string]call.Reply{
		assignURL:      {Status: 200, Body: []byte(`{"outputs":{"url":"https://trial.example","Password":"s3cret"}}`)},
		deprovisionURL: {Status: 200},
	}}
	r.shelf.v.Listing.Name = "Contoso App"
	r.shelf.v.PreviewAudience = []string{"ada@adatum.example"}
	r.shelf.v.TestDrive = offer.TestDrive{
		Enabled: true, Kind: "logicApp", DurationHours: 2, MaxConcurrent: 2, AccessInfo: "Go to {{URL}} with {{password}}",
		Settings: map[string]string{"assignUrl": assignURL, "deprovisionUrl": deprovisionURL},
	}
	clock := r.clock.now
	db, outbox := storetest.NewTwin(clock)
	r.outbox, r.store = outbox, store.NewTestDrives(db)
	service, err := testdrive.New(testdrive.Deps{
		Store: r.store, Offers: r.shelf, Leads: r.leads, Calls: r.flows, Now: clock, NewID: storetest.Counter("session"), PublicURL: "https://stoa.example",
	})
	require.NoError(t, err)
	r.Service = service
	return r
}

func person(name string) account.Caller {
	return account.Caller{Kind: account.User, TenantID: "t1", ObjectID: name, UPN: name + "@adatum.example"}
}

func request(name string) testdrive.Request {
	return testdrive.Request{
		Caller: person(name), Source: "azuremarketplace", PublisherID: "contoso", OfferID: "app",
		Contact:       lead.Customer{FirstName: "Ada", Email: name + "@adatum.example", Country: "US", Company: "Adatum"},
		AcceptedTerms: true, AcceptedPrivacyPolicy: true, ShareContact: true,
	}
}

// run moves the clock and works off the queue, each message twice.
func (r *rig) run(t require.TestingT, by time.Duration) {
	r.clock.move(by)
	for range 20 {
		r.outbox.Advance(r.clock.now())
		batch := r.outbox.Take(message.TestDrives)
		if len(batch) == 0 {
			return
		}
		for _, m := range batch {
			var step testdrive.StepMessage
			require.NoError(t, json.Unmarshal(m.Body, &step))
			for range 2 {
				require.NoError(t, r.Run(context.Background(), step))
			}
		}
	}
	require.Fail(t, "the queue does not come to rest")
}

func (r *rig) session(t require.TestingT, id string) testdrive.Session {
	s, err := r.store.Session(context.Background(), id)
	require.NoError(t, err)
	return s
}

func (r *rig) start(t require.TestingT, name string) testdrive.Started {
	s, err := r.Start(context.Background(), request(name))
	require.NoError(t, err)
	return s
}

func TestWholeLife(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.start(t, "ada")
	require.Equal(t, testdrive.Provisioning, s.State)
	require.Nil(t, s.Access())
	r.run(t, 0)
	got, err := r.Session(t.Context(), person("ada"), s.ID)
	require.NoError(t, err)
	require.Equal(t, testdrive.Active, got.State, "TDR-84")
	require.Equal(t, r.clock.now().Add(2*time.Hour), got.ExpiresAt, "TDR-59")
	require.Equal(t, `Go to <a href="https://trial.example">https://trial.example</a> with s3cret`, got.Access().HTML, "TDR-60")
	require.Equal(t, map[string]int{"testdrive:" + s.ID: 1}, r.leads.events, "TDR-58")
	require.Equal(t, "lead-of-"+s.ID, got.LeadID)
	mails := r.outbox.Messages(message.Notifications)
	require.Len(t, mails, 1)
	require.Contains(t, string(mails[0].Body), "https://trial.example")
	require.NotContains(t, string(mails[0].Body), "s3cret", "TDR-60")
	var body map[string]string
	require.NoError(t, json.Unmarshal(r.flows.seen[0].Body, &body))
	require.Equal(t, map[string]string{
		"sessionId": s.ID, "offerId": "contoso.app", "userEmail": "ada@adatum.example", "userName": "Ada",
		"startTime": "2026-03-01T10:00:00Z", "endTime": "2026-03-01T12:00:00Z",
	}, body)

	_, err = r.Session(t.Context(), person("eve"), s.ID)
	require.True(t, fault.Is(err, fault.NotFound), "TDR-65")
	r.shelf.v.TestDrive.DurationHours = 9
	r.run(t, 2*time.Hour-time.Nanosecond)
	require.Equal(t, testdrive.Active, r.session(t, s.ID).State, "TDR-59 a later change does not move it")
	r.run(t, time.Nanosecond)
	got = r.session(t, s.ID)
	require.Equal(t, testdrive.Ended, got.State)
	require.Equal(t, testdrive.Expired, got.Reason)
	require.Empty(t, got.Outputs, "TDR-65")
	require.Equal(t, lead.Customer{}, got.Contact)
	require.Equal(t, 1, r.flows.count(assignURL))
	require.Equal(t, 1, r.flows.count(deprovisionURL))
	require.False(t, r.start(t, "ada").Existing, "TDR-56 after it ended")
}

func TestAccessEndsAtTheSecond(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.start(t, "ada")
	r.run(t, 0)
	r.clock.move(2*time.Hour - time.Second)
	got, err := r.Session(t.Context(), person("ada"), s.ID)
	require.NoError(t, err)
	require.Equal(t, 1, got.SecondsLeft(r.clock.now()))
	r.clock.move(time.Second)
	got, err = r.Session(t.Context(), person("ada"), s.ID)
	require.NoError(t, err)
	require.Equal(t, testdrive.Ending, got.State, "TDR-64 although no message has come")
	require.Nil(t, got.Access())
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.start(t, "ada")
	r.run(t, 10*time.Minute) // ready later than requested
	r.run(t, 30*time.Minute)
	r.start(t, "bob")
	_, err := r.Start(t.Context(), request("cyd"))
	require.Equal(t, "TestDriveCapacityReached", fault.As(err).Code, "TDR-57")
	require.True(t, fault.Is(err, fault.Conflict))
	require.Equal(t, 90*time.Minute, fault.As(err).RetryAfter, "TDR-57 the earliest expiry")
	again := r.start(t, "ada")
	require.True(t, again.Existing, "TDR-56")
	require.Equal(t, first.ID, again.ID)
	r.run(t, 0)
	require.Len(t, r.leads.events, 2, "TDR-57, TDR-58: no lead of a refused or repeated start")

	delete(r.flows.answers, deprovisionURL)
	_, err = r.End(t.Context(), person("ada"), first.ID)
	require.NoError(t, err)
	r.run(t, 0)
	_, err = r.Start(t.Context(), request("cyd"))
	require.Equal(t, "TestDriveCapacityReached", fault.As(err).Code, "TDR-68 the slot stays counted")
	require.True(t, r.start(t, "ada").Existing, "TDR-56 Ending is not finished")
	r.flows.answers[deprovisionURL] = call.Reply{Status: 200}
	r.run(t, 5*time.Minute)
	require.Equal(t, testdrive.Ended, r.session(t, first.ID).State)
	require.False(t, r.start(t, "cyd").Existing)
}

// 20 customers at once for two slots: exactly two sessions, nobody waits for a lock that is not given up.
func TestParallelStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	codes := make(chan string, 20)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			_, err := r.Start(context.Background(), request(fmt.Sprint("p", i)))
			if err == nil {
				codes <- "started"
				return
			}
			codes <- fault.As(err).Code
		})
	}
	wait.Wait()
	close(codes)
	count := map[string]int{}
	for code := range codes {
		count[code]++
	}
	require.Equal(t, map[string]int{"started": 2, "TestDriveCapacityReached": 18}, count)
}

func TestStartRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*rig, *testdrive.Request)
		kind   fault.Kind
		code   string
		target string
	}{
		{"TDR-55 terms", func(_ *rig, q *testdrive.Request) { q.AcceptedTerms = false }, fault.Invalid, "AgreementRequired", "acceptedTerms"},
		{"TDR-55 privacy", func(_ *rig, q *testdrive.Request) { q.AcceptedPrivacyPolicy = false }, fault.Invalid, "AgreementRequired", "acceptedPrivacyPolicy"},
		{"TDR-55 sharing", func(_ *rig, q *testdrive.Request) { q.ShareContact = false }, fault.Invalid, "AgreementRequired", "shareContact"},
		{"TDR-55 company", func(_ *rig, q *testdrive.Request) { q.Contact.Company = " " }, fault.Invalid, "InvalidCustomer", "customer.Company"},
		{"TDR-55 country", func(_ *rig, q *testdrive.Request) { q.Contact.Country = "" }, fault.Invalid, "InvalidCustomer", "customer.Country"},
		{"TDR-55 address", func(_ *rig, q *testdrive.Request) { q.Contact.Email = "x" }, fault.Invalid, "InvalidCustomer", "customer.Email"},
		{"not in the Azure portal", func(_ *rig, q *testdrive.Request) { q.Source = lead.AzurePortal }, fault.Invalid, "InvalidLeadAction", "storefront"},
		{"no such offer", func(_ *rig, q *testdrive.Request) { q.OfferID = "x" }, fault.NotFound, "TestDriveNotEnabled", "offerId"},
		{"not enabled", func(r *rig, _ *testdrive.Request) { r.shelf.v.TestDrive.Enabled = false }, fault.NotFound, "TestDriveNotEnabled", "offerId"},
		{"TDR-42 not of the preview audience", func(_ *rig, q *testdrive.Request) { q.Slot, q.Caller = offer.Preview, person("eve") }, fault.NotFound, "TestDriveNotEnabled", "offerId"},
		{"TDR-42 of the preview audience", func(_ *rig, q *testdrive.Request) { q.Slot = offer.Preview }, 0, "", ""},
		{"another kind", func(r *rig, _ *testdrive.Request) { r.shelf.v.TestDrive.Kind = "powerBi" }, fault.Unavailable, "TestDriveUnavailable", "offerId"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r, q := newRig(t), request("ada")
			row.change(r, &q)
			_, err := r.Start(t.Context(), q)
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			f := fault.As(err)
			require.Equal(t, []any{row.kind, row.code, row.target}, []any{f.Kind, f.Code, f.Target})
		})
	}
}

func TestFailingStart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		reply call.Reply
		calls int
	}{
		{"refused", call.Reply{Status: 400}, 1},
		{"broken", call.Reply{Status: 500}, 4},
		{"nonsense", call.Reply{Status: 200, Body: []byte("<html>")}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.flows.answers[assignURL] = row.reply
			s := r.start(t, "ada")
			for range 8 {
				r.run(t, time.Minute)
			}
			got := r.session(t, s.ID)
			require.Equal(t, testdrive.Failed, got.State)
			require.Equal(t, row.calls, r.flows.count(assignURL))
			require.Equal(t, 1, r.flows.count(deprovisionURL), "what it may have set up is taken away")
			require.NotEmpty(t, got.LeadID, "LED-12 also if it fails")
			mails := r.outbox.Messages(message.Notifications)
			require.Len(t, mails, 1)
			require.True(t, strings.HasSuffix(mails[0].ID, ":failed"))
			require.False(t, r.start(t, "ada").Existing)
		})
	}
}

func TestWorkflowThatRunsOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.flows.answers[assignURL] = call.Reply{Status: 202, Header: map[string]string{"location": pollURL}}
	r.flows.answers[pollURL] = call.Reply{Status: 202}
	s := r.start(t, "ada")
	r.run(t, 0)
	r.run(t, 15*time.Second)
	require.Equal(t, testdrive.Provisioning, r.session(t, s.ID).State)
	require.Equal(t, 1, r.flows.count(pollURL))
	r.flows.answers[pollURL] = call.Reply{Status: 200, Body: []byte(`{"outputs":{"a":"b"}}`)}
	r.run(t, 15*time.Second)
	got := r.session(t, s.ID)
	require.Equal(t, testdrive.Active, got.State, "TDR-84")
	require.Equal(t, []testdrive.Output{{Name: "a", Value: "b"}}, got.Outputs)
	require.Equal(t, 1, r.flows.count(assignURL))
}

// A customer who leaves while the workflow is at it: what it then sets up is taken away.
func TestEndDuringProvisioning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.start(t, "ada")
	r.flows.during = func(url string) {
		if url != assignURL {
			return
		}
		r.flows.during = nil
		_, err := r.End(t.Context(), person("ada"), s.ID)
		require.NoError(t, err)
		step := testdrive.StepMessage{SessionID: s.ID, Step: testdrive.StepCleanup, Attempt: 1}
		require.NoError(t, r.Run(t.Context(), step), "the clean-up overtakes the workflow")
		require.Equal(t, testdrive.Ended, r.session(t, s.ID).State)
	}
	r.run(t, 0)
	require.Equal(t, 2, r.flows.count(deprovisionURL))
	got := r.session(t, s.ID)
	require.Equal(t, testdrive.Ended, got.State)
	require.Equal(t, testdrive.EndedByCustomer, got.Reason, "TDR-63")
	seen := r.flows.seen
	require.Equal(t, deprovisionURL, seen[len(seen)-1].URL, "the clean-up comes last")
	require.False(t, got.Unsettled)
	ended, err := r.End(t.Context(), person("ada"), s.ID)
	require.NoError(t, err, "ending again changes nothing")
	require.Equal(t, testdrive.Ended, ended.State)
}

func TestLeadOfASession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.leads.err = fault.New(fault.Unavailable, "StorageBusy", "", "x")
	s := r.start(t, "ada")
	step := testdrive.StepMessage{SessionID: s.ID, Step: testdrive.StepProvision, Attempt: 1}
	require.True(t, fault.Is(r.Run(t.Context(), step), fault.Unavailable), "the message comes back")
	require.Zero(t, r.flows.count(assignURL), "LED-12 the lead comes first")
	r.leads.err = fault.New(fault.Conflict, "OfferNotPublished", "", "x")
	r.run(t, 0)
	got := r.session(t, s.ID)
	require.Equal(t, testdrive.Active, got.State, "a refused lead does not hold back the test drive")
	require.Equal(t, "OfferNotPublished", got.LeadError)

	r = newRig(t)
	s = r.start(t, "ada")
	_, err := r.End(t.Context(), person("ada"), s.ID)
	require.NoError(t, err)
	r.run(t, 0)
	require.Len(t, r.leads.events, 1, "LED-12 a start that was accepted makes a lead")
	require.Zero(t, r.flows.count(assignURL))
}

func TestCleanupIsRetried(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.start(t, "ada")
	r.run(t, 0)
	r.flows.answers[deprovisionURL] = call.Reply{Status: 500}
	r.run(t, 2*time.Hour)
	for range 12 {
		r.run(t, 5*time.Minute)
	}
	require.Equal(t, 13, r.flows.count(deprovisionURL), "TDR-68 every 5 minutes for an hour")
	r.run(t, 59*time.Minute)
	require.Equal(t, 13, r.flows.count(deprovisionURL))
	r.run(t, time.Minute)
	require.Equal(t, 14, r.flows.count(deprovisionURL), "TDR-68 then hourly")
	r.flows.answers[deprovisionURL] = call.Reply{Status: 410}
	r.run(t, time.Hour)
	require.Equal(t, testdrive.Ended, r.session(t, s.ID).State)
}

func TestRunRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, step := range []string{testdrive.StepProvision, testdrive.StepExpire, testdrive.StepCleanup} {
		err := r.Run(t.Context(), testdrive.StepMessage{SessionID: "x", Step: step})
		require.True(t, fault.Is(err, fault.NotFound), step)
	}
	require.True(t, fault.Is(r.Run(t.Context(), testdrive.StepMessage{Step: "paint"}), fault.Invalid))
	_, err := testdrive.New(testdrive.Deps{})
	require.Error(t, err)
}
