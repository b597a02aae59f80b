package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	agendafn "stoa/functions/agenda"
	anomalyexpiryfn "stoa/functions/anomalyexpiry"
	anomalytrainingfn "stoa/functions/anomalytraining"
	conversionsfn "stoa/functions/conversions"
	devfn "stoa/functions/dev"
	fulfillmentfn "stoa/functions/fulfillment"
	healthfn "stoa/functions/health"
	leadsfn "stoa/functions/leads"
	meteringfn "stoa/functions/metering"
	notificationsfn "stoa/functions/notifications"
	offersfn "stoa/functions/offers"
	operatorfn "stoa/functions/operator"
	packagesfn "stoa/functions/packages"
	payoutitemsfn "stoa/functions/payoutitems"
	payoutsfn "stoa/functions/payouts"
	portalfn "stoa/functions/portal"
	publishingfn "stoa/functions/publishing"
	ratingfn "stoa/functions/rating"
	reconciliationfn "stoa/functions/reconciliation"
	selftestfn "stoa/functions/selftest"
	testdrivesfn "stoa/functions/testdrives"
	usagefn "stoa/functions/usage"
	usagereviewsfn "stoa/functions/usagereviews"
	webhooksfn "stoa/functions/webhooks"
	"stoa/shared/account"
	"stoa/shared/anomaly"
	"stoa/shared/billing"
	"stoa/shared/correction"
	"stoa/shared/dimension/draft"
	"stoa/shared/functionshost"
	"stoa/shared/identity"
	"stoa/shared/lead"
	"stoa/shared/mail"
	"stoa/shared/malware"
	"stoa/shared/message"
	"stoa/shared/metering"
	"stoa/shared/offer"
	"stoa/shared/outbound"
	"stoa/shared/packages"
	"stoa/shared/packages/assets"
	"stoa/shared/packages/container"
	"stoa/shared/payout"
	"stoa/shared/publish"
	"stoa/shared/registry"
	"stoa/shared/remoteblob"
	"stoa/shared/remoteshell"
	"stoa/shared/selftest"
	"stoa/shared/store"
	"stoa/shared/subscription"
	"stoa/shared/testdrive"
	"stoa/shared/web"
)

// marketplaceAudience is the resource publishers ask tokens for, and that of our own prefixes.
const marketplaceAudience = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"

// identityAudience is the resource that managed identities inside applications ask tokens for.
const identityAudience = "https://management.azure.com/"

// wiring is what the areas share while they are mounted.
type wiring struct {
	config
	adapters
	log                          *slog.Logger
	mux                          *functionshost.Mux
	router                       *web.Router
	portal, storefront, operator *web.Group
	audiences                    []string
	accounts                     *account.Service
	pages                        web.Pages
	dead                         *store.DeadLetters
	offers                       *store.Offers
	subscriptions                *store.Subscriptions
	selling                      *subscription.Service
	usage                        *store.Usage
	ledger                       *store.Ledger
	anomalies                    *anomaly.Service
}

// mount wires the services and mounts every function, area by area.
func mount(c config, a adapters, log *slog.Logger) (*wiring, error) {
	router, accounts, err := newRouter(c, a, log)
	if err != nil {
		return nil, err
	}
	// The key of continuation tokens is made of the secrets' key, so that all instances share it.
	page := sha256.Sum256(append([]byte("continuation tokens "), c.sealKeys[c.sealKey]...))
	w := &wiring{
		config: c, adapters: a, log: log, router: router, accounts: accounts, pages: web.Pages{Key: page[:]},
		audiences: append([]string{marketplaceAudience}, c.audiences...), dead: a.db.DeadLetters(), ledger: store.NewLedger(a.db), subscriptions: store.NewSubscriptions(a.db),
		mux: &functionshost.Mux{HTTP: router, Log: log, Context: caused},
	}
	w.portal = router.API(web.API{Prefix: "/portal/v1", Audiences: w.audiences})
	w.storefront = router.API(web.API{Prefix: "/storefront/v1", Audiences: w.audiences})
	w.operator = router.API(web.API{Prefix: "/operator/v1", Audiences: w.audiences})
	for _, area := range []func() error{w.mountOffers, w.mountSubscriptions, w.mountMoney, w.mountLeads, w.mountUpkeep} {
		if err := area(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *wiring) mountOffers() error {
	snapshots := store.NewSnapshots(w.files)
	w.offers = store.NewOffers(w.db, snapshots)
	uploaded := &packages.Service{
		Uploads: uploads{w.files}, Reports: store.NewReports(w.files), Store: w.offers, Offers: w.offers, Processed: store.NewProcessed(w.files),
		Secrets: w.box, Links: remoteblob.New(w.elsewhere()), Now: w.now,
	}
	if w.clamd != "" {
		uploaded.Scanner = malware.New(w.clamd)
	}
	checker := w.assets()
	publishing := &publish.Service{
		Store: w.offers, Snapshots: snapshots, Contacts: contacts{w.accounts}, Packages: uploaded, Defined: store.NewDefinitions(w.files), Machines: checker,
		Secrets: w.box, Calls: w.calls, Proof: w.subscriptions, Now: w.now,
	}
	drafts := &offer.Service{Store: w.offers, Sealer: w.box, Registrations: w.offers, Rates: w.ledger, Now: w.now}
	if err := w.mountDimensions(drafts); err != nil {
		return err
	}
	h := offersfn.New(offersfn.Deps{
		Offers:  drafts,
		Publish: publishing, Catalogue: w.offers, Links: w.files, Files: w.files,
		Accounts: w.accounts, Pages: w.pages, Now: w.now, NewID: uuid.NewString,
		Alerts: func(ctx context.Context, publisherID, offerID string) (int, error) {
			return w.anomalies.Alerts(ctx, publisherID, offerID) // mounted later
		},
	})
	h.Routes(w.router)
	h.Portal(w.portal)
	h.Storefront(w.storefront)
	h.Operator(w.operator)
	steps := &publishingfn.Handler{Publishing: publishing, Parked: w.dead}
	w.mux.Mount("publishing", steps.Run, queueLimit)
	w.mountPackages(uploaded, checker)
	return w.mountSelfTest()
}

// elsewhere makes the guarded requests to the storage and the registries of publishers.
func (w *wiring) elsewhere() http.RoundTripper {
	return outbound.Transport(outbound.Options{AllowLoopback: w.dev})
}

// assets looks at what offers leave with their publisher. No cloud's storage is in reach of the local stack, so there
// the disks of virtual machines are not read when their offer is published.
func (w *wiring) assets() *assets.Checker {
	elsewhere := w.elsewhere()
	return &assets.Checker{
		Storage: remoteblob.New(elsewhere), Clouds: w.clouds, Offline: w.dev, Tier1: w.tier1, Now: w.now,
		Registries: func(l assets.Login) container.Registry {
			return registry.New(registry.Options{
				Server: cmp.Or(w.registry, l.Registry+".azurecr.io"), User: l.User, Password: l.Password, Transport: elsewhere, Insecure: w.registry != "",
			})
		},
	}
}

// mountPackages mounts the validation of packages, and of what offers leave with their publisher.
func (w *wiring) mountPackages(uploaded *packages.Service, checker *assets.Checker) {
	w.mux.Mount("packages", (&packagesfn.Handler{Packages: uploaded}).Run, blobLimit)
	packagesfn.NewReports(uploaded, w.files, w.now, uuid.NewString).Portal(w.portal)
	(&packagesfn.Assets{Checker: checker}).Portal(w.portal)
	(&packagesfn.Definitions{Store: store.NewDefinitions(w.files)}).Portal(w.portal)
}

// mountSelfTest mounts the self-test of virtual machine images.
func (w *wiring) mountSelfTest() error {
	machines, err := remoteshell.New(remoteshell.Options{Allowed: outbound.Allowed(w.dev)})
	if err != nil {
		return err
	}
	runs, err := selftest.New(selftest.Deps{Machines: machines, Now: w.now, NewID: uuid.NewString})
	if err != nil {
		return err
	}
	h, err := selftestfn.New(runs)
	if err != nil {
		return err
	}
	h.Routes(w.router)
	return nil
}

// mountDimensions mounts what defines meters and their prices.
func (w *wiring) mountDimensions(drafts *offer.Service) error {
	dimensions, err := draft.New(draft.Deps{Drafts: drafts, Offers: w.offers, Rates: w.ledger, Now: w.now})
	if err != nil {
		return err
	}
	(&portalfn.Meters{Dimensions: dimensions}).Portal(w.portal)
	return nil
}

func (w *wiring) mountSubscriptions() error {
	profile := subscription.Profile(w.profile)
	subscriptions, err := subscription.New(subscription.Deps{
		Store: w.subscriptions, Offers: w.offers, Publishers: w.accounts, Calls: outbound.NewReceivers(w.calls), Random: rand.Reader,
		Now: w.now, NewID: uuid.NewString, Profile: profile, PendingLife: w.pendingLife,
		Sign: func(ctx context.Context, appID, tenantID string) (string, error) {
			return w.signer.Sign(ctx, identity.WebhookClaims{Audience: appID, TenantID: tenantID})
		},
	})
	if err != nil {
		return err
	}
	w.selling = subscriptions
	h, err := fulfillmentfn.New(fulfillmentfn.Deps{
		Subscriptions: subscriptions, Pages: w.pages, Audiences: w.audiences, PublicURL: w.publicURL, Profile: profile,
	})
	if err != nil {
		return err
	}
	h.Routes(w.router)
	h.Storefront(w.storefront)
	h.Operator(w.operator)
	deliveries, err := subscription.NewDeliveries(subscriptions, store.NewDeliveries(w.db))
	if err != nil {
		return err
	}
	told := &fulfillmentfn.Deliveries{Webhooks: deliveries, Pages: w.pages, Keys: w.signer.JWKS(), PublicURL: w.publicURL}
	told.Portal(w.portal)
	calls := &webhooksfn.Handler{Subscriptions: deliveries, Parked: w.dead}
	w.mux.Mount("webhooks", calls.Run, queueLimit)
	missed := &conversionsfn.Handler{Subscriptions: deliveries, Log: w.log}
	w.mux.Mount("conversions", missed.Run, timerLimit)
	return nil
}

// mountMetering mounts what takes usage and what counts and compares it; it returns what usage is reported for.
func (w *wiring) mountMetering() (*metering.Directory, error) {
	w.usage = store.NewUsage(w.db, message.UsageAccepted)
	apps := metering.NewApplications(store.NewApplications(w.db), w.offers, w.now)
	resources, err := metering.NewDirectory(metering.NewSaaS(w.subscriptions, w.offers, w.now), apps)
	if err != nil {
		return nil, err
	}
	meters, err := metering.New(metering.Deps{Resources: resources, Store: w.usage, Now: w.now, NewID: uuid.NewString})
	if err != nil {
		return nil, err
	}
	throttle, err := metering.NewThrottle(w.meteringPace, w.now)
	if err != nil {
		return nil, err
	}
	report, err := meteringfn.New(meteringfn.Deps{
		Metering: meters, Audiences: w.audiences, IdentityAudiences: []string{identityAudience}, Tokens: w.verifier, Throttle: throttle, Log: w.log,
	})
	if err != nil {
		return nil, err
	}
	report.Routes(w.router)
	(&operatorfn.ManagedApplications{Applications: apps}).Operator(w.operator)

	events := store.NewUsageEvents(w.usage)
	counter, err := metering.NewCounter(events)
	if err != nil {
		return nil, err
	}
	w.mux.Mount("usage", (&usagefn.Handler{Usage: counter, Parked: w.dead}).Run, queueLimit)
	recon, err := metering.NewReconciliation(metering.ReconDeps{Store: events, Ledger: store.Taken{Ledger: w.ledger}, Offers: w.offers, Now: w.now})
	if err != nil {
		return nil, err
	}
	w.mux.Mount("reconciliation", (&reconciliationfn.Handler{Usage: recon, Log: w.log}).Run, timerLimit)
	return resources, w.mountAnomalies(events)
}

// mountAnomalies mounts what looks for unusual usage, what publishers say of it, and corrections.
func (w *wiring) mountAnomalies(events *store.UsageEvents) error {
	catalogue := offer.NewCatalogue(w.offers, w.now)
	corrections, err := correction.New(correction.Deps{
		Store: store.NewCorrections(w.db), Events: events, Ledger: w.ledger, Offers: catalogue, Contacts: contacts{w.accounts}, Staff: w.staff, Now: w.now,
	})
	if err != nil {
		return err
	}
	w.anomalies, err = anomaly.New(anomaly.Deps{
		Store: store.NewAnomalies(w.db), Usage: store.NewUsageSums(w.usage), Offers: catalogue, Contacts: contacts{w.accounts}, Corrections: corrections,
		Staff: w.staff, Now: w.now,
	})
	if err != nil {
		return err
	}
	(&portalfn.Anomalies{Anomalies: w.anomalies, Corrections: corrections, Pages: w.pages, Now: w.now}).Portal(w.portal)
	(&operatorfn.Corrections{Corrections: corrections, Pages: w.pages}).Operator(w.operator)
	w.mux.Mount("anomalytraining", (&anomalytrainingfn.Handler{Anomalies: w.anomalies}).Run, timerLimit)
	w.mux.Mount("anomalyexpiry", (&anomalyexpiryfn.Handler{Anomalies: w.anomalies}).Run, timerLimit)
	w.mux.Mount("usagereviews", (&usagereviewsfn.Handler{Anomalies: w.anomalies, Corrections: corrections, Parked: w.dead}).Run, queueLimit)
	return nil
}

// mountMoney mounts metering, billing and payouts.
func (w *wiring) mountMoney() error {
	resources, err := w.mountMetering()
	if err != nil {
		return err
	}
	instruments := store.NewInstruments(w.db)
	charges, err := billing.New(billing.Deps{Ledger: w.ledger, Subscriptions: resources, Resources: resources, Usage: w.usage, Rates: w.ledger, Instrument: instruments, Now: w.now})
	if err != nil {
		return err
	}
	(&operatorfn.Billing{Billing: charges, Cards: instruments}).Operator(w.operator)
	rate := &ratingfn.Handler{Billing: charges, Parked: w.dead, Rates: w.ledger, Pages: w.pages}
	rate.Operator(w.operator)
	(&ratingfn.Previews{Changes: w.selling, Billing: charges}).Storefront(w.storefront)
	w.mux.Mount("rating", rate.Run, queueLimit)

	runs, err := payout.New(payout.Deps{Store: store.NewPayouts(w.db), Ledger: w.ledger, Billing: charges, Statements: w.files, Now: w.now})
	if err != nil {
		return err
	}
	monthly := &payoutsfn.Handler{Payouts: runs, Links: w.files, Pages: w.pages, Now: w.now}
	monthly.Portal(w.portal)
	monthly.Operator(w.operator)
	w.mux.Mount("payouts", monthly.Run, timerLimit)
	items := &payoutitemsfn.Handler{Payouts: runs, Parked: w.dead}
	w.mux.Mount("payoutitems", items.Run, queueLimit)
	return nil
}

func (w *wiring) mountLeads() error {
	leads, err := lead.New(lead.Deps{
		Store: store.NewLeads(w.db), Offers: w.offers, Publishers: w.accounts, Secrets: w.box, Calls: w.calls,
		Tables: store.NewLeadTables(store.LeadTableOptions{AllowLocal: w.dev}), Now: w.now, PublicURL: w.publicURL,
	})
	if err != nil {
		return err
	}
	deliver := &leadsfn.Handler{Leads: leads, Accounts: w.accounts, Parked: w.dead, Pages: w.pages}
	deliver.Portal(w.portal)
	deliver.Storefront(w.storefront)
	deliver.Operator(w.operator)
	w.mux.Mount("leads", deliver.Run, queueLimit)

	drives, err := testdrive.New(testdrive.Deps{
		Store: store.NewTestDrives(w.db), Offers: w.offers, Leads: leads, Calls: w.calls, Now: w.now, NewID: uuid.NewString, PublicURL: w.publicURL,
	})
	if err != nil {
		return err
	}
	drive := &testdrivesfn.Handler{TestDrives: drives, Parked: w.dead, Pages: w.pages, Now: w.now}
	drive.Portal(w.portal)
	drive.Storefront(w.storefront)
	w.mux.Mount("testdrives", drive.Run, queueLimit)
	return nil
}

// mountUpkeep mounts what keeps the rest going: mail, the agenda, dead letters, health, and the local stack's own.
func (w *wiring) mountUpkeep() error {
	letters := store.NewNotifications(w.db)
	post := &mail.Post{Mailbox: letters, Now: w.now}
	if w.smtp != "" {
		relay, err := mail.NewSMTP(mail.SMTPOptions{Address: w.smtp})
		if err != nil {
			return err
		}
		post.Sender = relay
	}
	notify := &notificationsfn.Handler{Post: post, Parked: w.dead, Later: w.db, Now: w.now}
	w.mux.Mount("notifications", notify.Run, queueLimit)
	due := &agendafn.Handler{Due: upkeep{w.db, w.usage}, Now: w.now, DrainDeadLetters: func(ctx context.Context) (int, error) { return w.dead.Drain(ctx, w.bus) }}
	w.mux.Mount("agenda", due.Run, timerLimit)
	staff := &operatorfn.Handler{DeadLetters: deadLetters{w.dead}, Pages: w.pages}
	staff.Operator(w.operator)
	health := &healthfn.Handler{Checks: w.checks()}
	health.Routes(w.router)
	if w.moved != nil {
		local := &devfn.Handler{Clock: w.moved, Accounts: w.accounts, Subscriptions: w.selling, Reader: w.subscriptions, Mail: func(ctx context.Context, limit int) ([]devfn.Letter, error) {
			kept, err := letters.Letters(ctx, limit)
			shown := make([]devfn.Letter, len(kept))
			for i, l := range kept {
				shown[i] = devfn.Letter(l)
			}
			return shown, err
		}}
		local.Routes(w.router)
	}
	return nil
}

// timerLimit bounds one run of a timer; the next one goes on.
const timerLimit = 3 * time.Minute
