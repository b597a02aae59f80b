package main

import (
	"crypto/sha256"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"stoa/functions/offers"
	packagesfn "stoa/functions/packages"
	"stoa/functions/publishing"
	"stoa/shared/functionshost"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/packages"
	"stoa/shared/publish"
	"stoa/shared/store"
	"stoa/shared/web"
)

// triggerKind is what starts a function.
type triggerKind int

const (
	httpTrigger triggerKind = iota
	queueTrigger
	timerTrigger
	blobTrigger
)

// function is one row of the bundle: a folder with its function.json.
type function struct {
	name    string
	trigger triggerKind
	source  string // route or queue; schedules and the blob path stand in infra/resources.json
}

// functions are all functions. Every HTTP function's routes are served by the one router; a queue function
// settles its message with nil and gets it back after an error (HST-24).
var functions = []function{
	{"offers", httpTrigger, "api/publishers/{*rest}"},
	{"offersoperations", httpTrigger, "api/operations/{*rest}"},
	{"offertypes", httpTrigger, "api/offerTypes/{*rest}"},
	{"portal", httpTrigger, "portal/v1/{*rest}"},
	{"storefront", httpTrigger, "storefront/v1/{*rest}"},
	{"operator", httpTrigger, "operator/v1/{*rest}"},
	{"fulfillment", httpTrigger, "api/saas/{*rest}"},
	{"metering", httpTrigger, "api/usageEvent/{*rest}"},
	{"meteringbatch", httpTrigger, "api/batchUsageEvent/{*rest}"},
	{"meteringusage", httpTrigger, "api/usageEvents/{*rest}"},
	{"health", httpTrigger, "healthz"},
	{"dev", httpTrigger, "dev/{*rest}"},
	{"publishing", queueTrigger, message.PublishSteps},
	{"webhooks", queueTrigger, message.Webhooks},
	{"rating", queueTrigger, message.LedgerEvents},
	{"leads", queueTrigger, message.Leads},
	{"testdrives", queueTrigger, message.TestDrives},
	{"payoutitems", queueTrigger, message.PayoutItems},
	{"notifications", queueTrigger, message.Notifications},
	{"agenda", timerTrigger, ""},
	{"conversions", timerTrigger, ""},
	{"payouts", timerTrigger, ""},
	{"packages", blobTrigger, ""},
}

// Limits of one invocation, below the host's own and the bus's lock renewal of five minutes.
const (
	queueLimit = 2 * time.Minute
	blobLimit  = 4 * time.Minute
)

// marketplaceAudience is the resource publishers ask tokens for, and that of our own prefixes.
const marketplaceAudience = "20e940b3-4c77-4b0b-9a53-9e16a1b010a7"

// mount wires the services and mounts every function.
func mount(c config, a adapters, log *slog.Logger) (*functionshost.Mux, error) {
	router, accounts, err := newRouter(c, a, log)
	if err != nil {
		return nil, err
	}
	audiences := append([]string{marketplaceAudience}, c.audiences...)
	portal := router.API(web.API{Prefix: "/portal/v1", Audiences: audiences})
	storefront := router.API(web.API{Prefix: "/storefront/v1", Audiences: audiences})
	operator := router.API(web.API{Prefix: "/operator/v1", Audiences: audiences})
	mux := &functionshost.Mux{HTTP: router, Log: log, Context: correlated}
	dead := a.db.DeadLetters()

	snapshots := store.NewSnapshots(a.files)
	catalogue := store.NewOffers(a.db, snapshots)
	uploaded := &packages.Service{Uploads: uploads{a.files}, Reports: store.NewReports(a.files), Store: catalogue, Now: c.now}
	publisher := &publish.Service{Store: catalogue, Snapshots: snapshots, Contacts: contacts{accounts}, Packages: uploaded, Now: c.now}
	page := sha256.Sum256(append([]byte("continuation tokens "), c.sealKeys[c.sealKey]...))
	pages := web.Pages{Key: page[:]}
	offering := offers.New(offers.Deps{
		Offers:  &offer.Service{Store: catalogue, Sealer: a.box, Now: c.now},
		Publish: publisher, Packages: uploaded, Catalogue: catalogue, Links: a.files, Files: a.files,
		Accounts: accounts, Pages: pages, Now: c.now, NewID: uuid.NewString,
	})
	offering.Routes(router)
	offering.Portal(portal)
	offering.Storefront(storefront)
	offering.Operator(operator)
	publishes := &publishing.Handler{Publishing: publisher, Parked: dead}
	mux.Mount("publishing", publishes.Run, queueLimit)
	validates := &packagesfn.Handler{Packages: uploaded}
	mux.Mount("packages", validates.Run, blobLimit)
	return mux, nil
}
