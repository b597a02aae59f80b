package main

import (
	"time"

	"stoa/shared/message"
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
	{"selftest", httpTrigger, "selftest-vm"},
	{"health", httpTrigger, "healthz"},
	{"dev", httpTrigger, "dev/{*rest}"},
	{"publishing", queueTrigger, message.PublishSteps},
	{"webhooks", queueTrigger, message.Webhooks},
	{"rating", queueTrigger, message.LedgerEvents},
	{"leads", queueTrigger, message.Leads},
	{"testdrives", queueTrigger, message.TestDrives},
	{"payoutitems", queueTrigger, message.PayoutItems},
	{"notifications", queueTrigger, message.Notifications},
	{"usage", queueTrigger, message.UsageAccepted},
	{"usagereviews", queueTrigger, message.UsageReviews},
	{"agenda", timerTrigger, ""},
	{"conversions", timerTrigger, ""},
	{"payouts", timerTrigger, ""},
	{"reconciliation", timerTrigger, ""},
	{"anomalytraining", timerTrigger, ""},
	{"anomalyexpiry", timerTrigger, ""},
	{"packages", blobTrigger, ""},
}

// Limits of one invocation, below the host's own and the bus's lock renewal of five minutes.
const (
	queueLimit = 2 * time.Minute
	blobLimit  = 4 * time.Minute
)
