package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"stoa/shared/blobs/blobstest"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/packages/assets"
	"stoa/shared/packages/managedapp"
	"stoa/shared/publish"
	"stoa/shared/store"
	"stoa/shared/store/storetest"
	"stoa/shared/store/table/tabletest"
)

// tb is what tests and properties have in common.
type tb interface {
	require.TestingT
	Helper()
}

// bench is the service over the in-memory twin, with a store that can come to harm.
type bench struct {
	*publish.Service
	offers *store.Offers // beside the service: comes to no harm
	db     *store.DB
	outbox *storetest.Outbox
	crash  *storetest.Crash
	blobs  *blobstest.Account
	ports  *ports

	mu  sync.Mutex
	now time.Time
}

// ports answers what the service asks of others.
type ports struct {
	result   publish.Result
	policies []publish.FailedPolicy
	versions map[string]string // accepted packages by name
	record   packages.Record   // what else is known of them
	secrets  map[string]string // plain texts by sealed ones
	to       []string
	noMail   error
}

func (p *ports) Certify(context.Context, publish.Submission, offer.Content) (publish.Report, error) {
	if p.result == "" {
		return publish.Report{}, fault.New(fault.Unavailable, "Away", "", "away")
	}
	return publish.Report{Result: p.result, FailedPolicies: p.policies, Notes: "a note"}, nil
}

func (p *ports) Accepted(_ context.Context, publisherID, offerID, name string) (packages.Record, string, error) {
	if p.versions[name] == "" {
		return packages.Record{}, "it was not validated yet", nil
	}
	r := p.record
	r.PublisherID, r.OfferID, r.Name, r.Type, r.ETag = publisherID, offerID, name, packages.AzureApplication, p.versions[name]
	return r, "", nil
}

func (p *ports) Open(sealed, where string) (string, error) {
	plain, ok := p.secrets[sealed]
	if !ok || where == "" {
		return "", errors.New("the key is not known")
	}
	return plain, nil
}

func (p *ports) Recipients(context.Context, string) ([]string, error) { return p.to, p.noMail }

func newBench(t tb) *bench {
	t.Helper()
	b := &bench{
		blobs: &blobstest.Account{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		ports: &ports{result: publish.Passed, versions: map[string]string{"app.zip": "v1"}, to: []string{"owner@contoso.com"},
			secrets: map[string]string{"sealed-url": "https://contoso.com/leads?key=s3cret"}},
	}
	var tables tabletest.Account
	b.outbox = storetest.NewOutbox(b.clock)
	b.crash = storetest.NewCrash(tables.Table, b.outbox)
	beside := store.New(store.Deps{Tables: tables.Table, Sender: b.outbox, Now: b.clock, NewID: storetest.Counter("beside")})
	b.offers = store.NewOffers(beside, store.NewSnapshots(b.blobs))
	b.open("first")
	return b
}

// open is a new process over the same tables and blobs.
func (b *bench) open(prefix string) {
	b.db = store.New(store.Deps{Tables: b.crash.Table, Sender: b.crash, Now: b.clock, NewID: storetest.Counter(prefix)})
	snapshots := store.NewSnapshots(b.blobs)
	b.Service = &publish.Service{
		Store: store.NewOffers(b.db, snapshots), Snapshots: snapshots, Certifier: b.ports, Contacts: b.ports, Packages: b.ports, Secrets: b.ports, Now: b.clock,
		Defined:  store.NewDefinitions(b.blobs),
		Machines: &assets.Checker{Clouds: []string{"blob.core.windows.net"}, Offline: true, Now: b.clock},
	}
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(time.Second)
	return b.now
}

func (b *bench) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

const (
	contoso = "contoso"
	app     = "app"
	owner   = "owner@contoso.com"
)

func request() publish.Request {
	return publish.Request{PublisherID: contoso, OfferID: app, By: owner}
}

// saas is a complete SaaS offer that is sold, with a lead destination and, as wanted, a test drive.
func saas(drive bool) offer.Content {
	c := offer.Content{
		PublisherID: contoso, OfferID: app, OfferType: "SaaS", Alias: "Contoso", ListingOption: offer.SellThroughMicrosoft,
		Listing: offer.Listing{Name: "Contoso", Summary: "One line", Description: "short", PrivacyPolicy: "https://contoso.com/p",
			Categories: []string{"analytics"}, LargeLogo: "logo.png", Documents: []offer.File{{Name: "Guide", Blob: "guide.pdf"}}, Start: "Sign up.",
			Screenshots: []offer.Screenshot{{Blob: "s.png", Caption: "A view"}},
			Support:     &offer.Contact{Name: "Eva", Email: "eva@contoso.com", Phone: "+49 30 123456", SupportURL: "https://contoso.com/help"},
			Engineering: &offer.Contact{Name: "Adam", Email: "adam@contoso.com", Phone: "+49 30 123457"}},
		Technical: offer.Technical{LandingPageURL: "https://contoso.com/l", ConnectionWebhook: "https://contoso.com/w",
			TenantID: "11111111-1111-1111-1111-111111111111", AppID: "22222222-2222-2222-2222-222222222222"},
		LeadDestination: offer.LeadDestination{Kind: "httpsEndpoint", ContactEmail: []string{"leads@contoso.com"},
			SealedSecrets: map[string]string{"httpsEndpointUrl": "sealed-url"}},
		PreviewAudience: []string{"eva@contoso.com"},
		Plans: []offer.Plan{{ID: "basic", Name: "Basic", Description: "d", PricingModel: offer.FlatRate, Markets: []string{"US"},
			Terms: []offer.PlanTerm{{Unit: "P1M", PriceUSD: decimal.RequireFromString("10.25")}}}},
	}
	if drive {
		c.TestDrive = offer.TestDrive{Enabled: true, Kind: "logicApp", DurationHours: 2, MaxConcurrent: 3, AccessInfo: "Open {{url}}",
			Settings: map[string]string{"assignUrl": "https://contoso.com/a", "deprovisionUrl": "https://contoso.com/d"}}
	}
	return c
}

// azure is a complete Azure application.
func azure() offer.Content {
	c := saas(false)
	c.OfferType, c.ListingOption, c.PreviewAudience, c.Technical = "AzureApplication", "", nil, offer.Technical{}
	c.LeadDestination = offer.LeadDestination{Kind: "none"}
	c.Plans[0].PackageBlob, c.Plans[0].Technical = "contoso/app/app.zip", &managedapp.Configuration{Version: "1.0.0"}
	return c
}

// disk is a link to a disk.
func disk(name string) string {
	return "https://contoso.blob.core.windows.net/vhds/" + name + ".vhd?sv=2020-08-04&st=2025-12-30T00%3A00%3A00Z&se=2028-01-01T00%3A00%3A00Z&sr=c&sp=rl&sig=x"
}

// machine is a complete virtual machine offer.
func machine() offer.Content {
	return offer.Content{
		PublisherID: contoso, OfferID: app, OfferType: "VirtualMachine", Alias: "Contoso", Plans: []offer.Plan{{ID: "basic"}},
		Definition: json.RawMessage(`{"offer":{"microsoft-azure-marketplace.title":"T","microsoft-azure-marketplace.summary":"S",
			"microsoft-azure-marketplace.categoryMap":[{"categoryL1":"analytics"}]},
			"plans":[{"planId":"basic","virtualMachinePricing":{"isByol":true},"microsoft-azure-virtualmachines.operatingSystemFamily":"Linux",
			"microsoft-azure-virtualmachines.vmImages":{"1.0.0":{"osVhdUrl":"` + disk("os") + `"}}}]}`),
	}
}

// create stores an offer with the draft.
func (b *bench) create(t tb, c offer.Content) {
	t.Helper()
	alias := c.Alias
	o, err := offer.New(offer.NewOffer{PublisherID: contoso, OfferID: app, OfferType: c.OfferType, Alias: alias}, b.clock())
	require.NoError(t, err)
	o.Content = c
	require.NoError(t, b.offers.Create(context.Background(), o, offer.NewEvent(offer.OfferCreated, owner, "", b.clock())))
}

// edit changes the draft.
func (b *bench) edit(t tb, change func(c *offer.Content)) {
	t.Helper()
	o := b.offer(t)
	change(&o.Content)
	require.NoError(t, b.offers.Save(context.Background(), o))
}

func (b *bench) offer(t tb) offer.Offer {
	t.Helper()
	o, err := b.offers.Offer(context.Background(), contoso, app)
	require.NoError(t, err)
	return o
}

func (b *bench) submission(t tb, number int) publish.Submission {
	t.Helper()
	sub, err := b.offers.Submission(context.Background(), contoso, app, number)
	require.NoError(t, err)
	return sub
}

func (b *bench) newest(t tb) publish.Submission {
	t.Helper()
	return b.submission(t, b.offer(t).Submission)
}

// steps are the messages for steps that came since the last call.
func (b *bench) steps(t tb) []publish.StepMessage {
	t.Helper()
	require.NoError(t, b.db.Flush(context.Background()))
	var out []publish.StepMessage
	for _, m := range b.outbox.Take(message.PublishSteps) {
		var step publish.StepMessage
		require.NoError(t, json.Unmarshal(m.Body, &step))
		out = append(out, step)
	}
	return out
}

// run works the queue off, each message twice.
func (b *bench) run(t tb) {
	t.Helper()
	for msgs := b.steps(t); len(msgs) > 0; msgs = b.steps(t) {
		for _, m := range msgs {
			require.NoError(t, b.RunStep(context.Background(), m))
			require.NoError(t, b.RunStep(context.Background(), m))
		}
	}
}

func (b *bench) publish(t tb) publish.Submission {
	t.Helper()
	sub, err := b.Publish(context.Background(), request())
	require.NoError(t, err)
	return sub
}

func (b *bench) goLive(t tb) {
	t.Helper()
	_, err := b.GoLive(context.Background(), request())
	require.NoError(t, err)
}

// live publishes and goes live.
func (b *bench) live(t tb) {
	t.Helper()
	b.publish(t)
	b.run(t)
	b.goLive(t)
	b.run(t)
	require.Equal(t, offer.StatusLive, b.offer(t).Status)
}

// mails are the kinds of mail sent so far.
func (b *bench) mails(t tb) []string {
	t.Helper()
	require.NoError(t, b.db.Flush(context.Background()))
	var out []string
	for _, m := range b.outbox.Messages(message.Notifications) {
		var mail struct{ Kind string }
		require.NoError(t, json.Unmarshal(m.Body, &mail))
		out = append(out, mail.Kind)
	}
	return out
}

// history are the labels of the offer's events, the oldest first.
func (b *bench) history(t tb) []offer.Event {
	t.Helper()
	newestFirst, next, err := b.offers.History(context.Background(), contoso, app, "", 1000)
	require.NoError(t, err)
	require.Empty(t, next)
	out := make([]offer.Event, len(newestFirst))
	for i, e := range newestFirst {
		out[len(out)-1-i] = e
	}
	return out
}

func requireFault(t tb, err error, kind fault.Kind, code string) {
	t.Helper()
	f := fault.As(err)
	require.Error(t, err)
	require.Equal(t, []any{kind, code}, []any{f.Kind, f.Code}, "%v", err)
}
