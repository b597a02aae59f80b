package offer

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stoa/shared/dimension"
	"stoa/shared/fault"
	"stoa/shared/packages/managedapp"
)

// Slot is where a version of an offer can be read (guide:22956).
type Slot string

// The slots.
const (
	Draft      Slot = "Draft"
	Preview    Slot = "Preview"
	Production Slot = "Production"
)

// ParseSlot reads the slot that a customer asks for, in any case of letters: preview, or live, which is also called
// production and is meant by nothing at all.
func ParseSlot(text string) (Slot, error) {
	switch strings.ToLower(text) {
	case "", "live", "production":
		return Production, nil
	case "preview":
		return Preview, nil
	}
	return "", fault.New(fault.Invalid, CodeInvalid, "slot", "must be preview or live")
}

// Offer types of the slice; the full list is data.
const (
	TypeSaaS             = "SaaS"
	TypeAzureApplication = "AzureApplication"
	TypeVirtualMachine   = "VirtualMachine"
)

// Listing options of SaaS offers (3.2).
const (
	SellThroughMicrosoft = "SellThroughMicrosoft"
	ContactMe            = "ContactMe"
	FreeTrial            = "FreeTrial"
	GetItNowFree         = "GetItNowFree"
)

// Content is everything a publisher says about an offer: the draft, or the frozen copy of a version.
type Content struct {
	PublisherID     string          `json:"publisherId"`
	OfferID         string          `json:"offerId"`
	OfferType       string          `json:"offerType"`
	Alias           string          `json:"alias"`
	TestOffer       bool            `json:"isTestOffer,omitempty"`
	ListingOption   string          `json:"listingOption"`
	Listing         Listing         `json:"listing"`
	Technical       Technical       `json:"technicalConfiguration"`
	LeadDestination LeadDestination `json:"leadDestination"`
	TestDrive       TestDrive       `json:"testDrive"`
	Legal           Legal           `json:"legal,omitzero"`
	M365            M365            `json:"m365,omitzero"`
	ResellThrough   string          `json:"resellThroughCsp,omitempty"` // none, selected or any partners
	PreviewAudience []string        `json:"previewAudience,omitempty"`  // UPNs, compared without case
	Dimensions      []Dimension     `json:"dimensions,omitempty"`
	Plans           []Plan          `json:"plans"`
	OfferURL        string          `json:"offerUrl,omitempty"` // where a GetItNowFree offer leads
	TrialURL        string          `json:"trialUrl,omitempty"` // where a FreeTrial offer leads
	// Definition holds the keys of an offer type that the portal API writes, as given but for secrets:
	// {"offer":{…},"plans":[…]}. For these types it is the truth and the other members are read from it.
	Definition json.RawMessage `json:"definition,omitempty"`
	// LinksRecorded is when each link to a virtual machine's disk was first given (VMO-75).
	LinksRecorded map[string]time.Time `json:"linksRecorded,omitempty"`
}

// Listing is the page customers see (3.5).
type Listing struct {
	Name          string   `json:"name"`
	Summary       string   `json:"searchResultsSummary"`
	Description   string   `json:"description"`
	Keywords      []string `json:"searchKeywords,omitempty"`
	PrivacyPolicy string   `json:"privacyPolicyUrl"`
	Terms         string   `json:"termsAndConditions,omitempty"`
	Categories    []string `json:"categories,omitempty"`
	LargeLogo     string   `json:"largeLogo,omitempty"` // blob name in container media
	Documents     []File   `json:"documents,omitempty"`

	MediumLogo string `json:"mediumLogo,omitempty"` // made of the large one, or the publisher's own
	OwnMedium  bool   `json:"ownMediumLogo,omitempty"`
	SmallLogo  string `json:"smallLogo,omitempty"`
	OwnSmall   bool   `json:"ownSmallLogo,omitempty"`

	Industries   []Industry   `json:"industries,omitempty"`
	AppVersion   string       `json:"appVersion,omitempty"`
	Start        string       `json:"gettingStarted,omitempty"`
	UsefulLinks  []UsefulLink `json:"usefulLinks,omitempty"`
	Support      *Contact     `json:"supportContact,omitempty"`
	Engineering  *Contact     `json:"engineeringContact,omitempty"`
	CSP          *Contact     `json:"cspContact,omitempty"`
	CSPMaterials string       `json:"cspMarketingMaterialsUrl,omitempty"`
	Screenshots  []Screenshot `json:"screenshots,omitempty"`
	Videos       []Video      `json:"videos,omitempty"`
}

// File is an uploaded file with the name customers see.
type File struct {
	Name string `json:"name"`
	Blob string `json:"file"` // blob name in container media
}

// Technical is the technical configuration of a transactable offer (3.7).
type Technical struct {
	LandingPageURL    string `json:"landingPageUrl"`
	ConnectionWebhook string `json:"connectionWebhook"`
	TenantID          string `json:"aadTenantId"`
	AppID             string `json:"aadApplicationId"`
}

// LeadDestination is the lead connection of the offer (08 3.4). Secrets are sealed, never plain text.
type LeadDestination struct {
	Kind          string            `json:"leadDestination"` // id of lead-destinations.json, "none" or "" when there is none
	ContactEmail  []string          `json:"contactEmail,omitempty"`
	Settings      map[string]string `json:"settings,omitempty"`
	SealedSecrets map[string]string `json:"sealedSecrets,omitempty"`
}

// TestDrive is the test drive of the offer (09 3.2, 3.7).
type TestDrive struct {
	Enabled       bool              `json:"enabled"`
	Kind          string            `json:"type,omitempty"` // id of test-drive-types.json, such as "logicApp"
	DurationHours int               `json:"durationHours,omitempty"`
	MaxConcurrent int               `json:"maxConcurrentTestDrives,omitempty"`
	AccessInfo    string            `json:"accessInformation,omitempty"` // with {{outputName}} placeholders
	Settings      map[string]string `json:"settings,omitempty"`          // assignUrl and deprovisionUrl of a Logic App
}

// Dimension is a billable unit of the offer (07 3.1).
type Dimension = dimension.Dimension

// Meter is a dimension on a plan (07 3.2).
type Meter = dimension.Meter

// Plan is a priced variant of the offer (05 3.8).
type Plan struct {
	ID              string     `json:"planId"`
	Name            string     `json:"name"`
	Description     string     `json:"description"`
	PricingModel    string     `json:"pricingModel"` // flatRate or perUser
	Markets         []string   `json:"markets"`
	Terms           []PlanTerm `json:"terms"`
	SeatsMin        int        `json:"seatsMin,omitempty"`
	SeatsMax        int        `json:"seatsMax,omitempty"` // 0 is unlimited
	FreeTrial       bool       `json:"freeTrial"`
	Private         bool       `json:"isPrivate"`
	PrivateAudience []string   `json:"privateAudience,omitempty"` // tenant ids
	Meters          []Meter    `json:"meters,omitempty"`
	Stopped         bool       `json:"stopped,omitempty"`
	PackageBlob     string     `json:"packageFile,omitempty"` // Azure application package, in container packages
	Type            string     `json:"planType,omitempty"`    // of an Azure application: solution-template or managed-application
	Clouds          []string   `json:"clouds,omitempty"`      // of an Azure application: AzureGlobal, AzureGovernment; none is AzureGlobal
	// Technical is the technical configuration of an Azure application (02, 3.3).
	Technical *managedapp.Configuration `json:"technicalConfiguration,omitempty"`
}

// Types of an Azure application's plans (02 3.2).
const (
	SolutionTemplate   = "solution-template"
	ManagedApplication = "managed-application"
)

// AzureGovernment is the cloud where nothing is metered (MTR-5).
const AzureGovernment = "AzureGovernment"

// Pricing models.
const (
	FlatRate = "flatRate"
	PerUser  = "perUser"
)

// PlanTerm is one billing term of a plan with its prices.
type PlanTerm struct {
	Unit     string                     `json:"termUnit"` // P1M or P1Y
	PriceUSD decimal.Decimal            `json:"priceUSD"`
	Prices   map[string]decimal.Decimal `json:"marketPrices,omitempty"` // by market, in the market's currency
}

// Version is a frozen copy of an offer's content that others can see: the preview, or what is live.
type Version struct {
	Slot        Slot      `json:"slot"`
	Number      int       `json:"version"` // counts publishes that reached production
	Submission  string    `json:"submissionId"`
	PublishedAt time.Time `json:"publishedAt"`
	Withdrawn   bool      `json:"withdrawn,omitempty"` // not distributed any more: nobody new finds or buys it (PUB-53)
	Content
}

// Plan finds a plan by its exact id.
func (c *Content) Plan(id string) (Plan, bool) {
	for _, p := range c.Plans {
		if p.ID == id {
			return p, true
		}
	}
	return Plan{}, false
}
