package publish

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"stoa/shared/offer"
)

//go:embed phases.json
var phasesJSON []byte

// Phase is a stage of publishing.
type Phase struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// CPPStep is one of the six steps the portal API shows (CPP-47).
type CPPStep struct {
	ID          string `json:"id"`
	Name        string `json:"stepName"`
	Estimate    string `json:"estimatedTimeFrame"`
	Description string `json:"description"`
	Phase       string `json:"phase"`
}

type stepDefinition struct {
	ID          string            `json:"id"`
	Phase       string            `json:"phase"`
	Name        string            `json:"name"`
	Order       int               `json:"order"`
	Estimate    string            `json:"estimate"`
	ByType      map[string]string `json:"estimateByOfferType"`
	AppliesWhen string            `json:"appliesWhen"`
	Blocking    bool              `json:"blocking"`
}

type catalogue struct {
	Phases []Phase `json:"phases"`
	Flows  []struct {
		ID         string   `json:"id"`
		Phases     []string `json:"phases"`
		OfferTypes []string `json:"offerTypes"`
		Default    bool     `json:"default"`
	} `json:"flows"`
	Steps    []stepDefinition `json:"steps"`
	CPPSteps []CPPStep        `json:"cppSteps"`
}

var steps = loadCatalogue(phasesJSON)

func loadCatalogue(raw []byte) catalogue {
	var c catalogue
	if err := json.Unmarshal(raw, &c); err != nil {
		panic(fmt.Sprintf("phases.json: %v", err))
	}
	slices.SortStableFunc(c.Steps, func(a, b stepDefinition) int { return a.Order - b.Order })
	return c
}

// CPPSteps are the steps of the portal API in their order.
func CPPSteps() []CPPStep { return slices.Clone(steps.CPPSteps) }

// PhasesOf are the phases of an offer type in the order of its flow (PUB-19).
func PhasesOf(offerType string) []Phase {
	t, _ := offer.TypeOf(offerType)
	var order []string
	for _, f := range steps.Flows {
		if slices.Contains(f.OfferTypes, t.Phases) || f.Default && order == nil {
			order = f.Phases
		}
	}
	var out []Phase
	for _, id := range order {
		at := slices.IndexFunc(steps.Phases, func(p Phase) bool { return p.ID == id })
		out = append(out, steps.Phases[at])
	}
	return out
}

// StepsFor computes the steps of a content. A step that does not apply is absent (PUB-11).
func StepsFor(c *offer.Content) []Step {
	has := features(c)
	t, _ := offer.TypeOf(c.OfferType)
	var out []Step
	for _, phase := range PhasesOf(c.OfferType) {
		for _, s := range steps.Steps {
			if s.Phase != phase.ID || !has[s.AppliesWhen] || skipsLevel(t.Phases, s.ID) {
				continue
			}
			estimate := s.Estimate
			if own, ok := s.ByType[t.Phases]; ok {
				estimate = own
			}
			out = append(out, Step{ID: s.ID, Phase: s.Phase, Name: s.Name, Estimate: estimate, Status: NotStarted})
		}
	}
	return out
}

// skipsLevel leaves the three certification levels out where the one manual step stands for them.
func skipsLevel(phases, step string) bool {
	single := phases == "saas" || phases == "azureApplication"
	return single && (step == publisherEligibility || step == contentValidation || step == technicalValidation)
}

// features are the conditions of phases.json that hold for a content.
func features(c *offer.Content) map[string]bool {
	t, _ := offer.TypeOf(c.OfferType)
	d, _ := offer.DestinationOf(c.LeadDestination.Kind)
	azureApp := t.Phases == "azureApplication"
	return map[string]bool{
		"always":                                true,
		"sellThroughMicrosoft":                  t.ID == offer.TypeSaaS && c.Transactable(),
		"leadDestinationConfigured":             d.ID != "none" && d.ID != "",
		"testDriveEnabled":                      c.TestDrive.Enabled,
		"offerType=saas":                        t.Phases == "saas",
		"offerType=azureApplication":            azureApp,
		"offerType in (saas, azureApplication)": azureApp || t.Phases == "saas",
		"offerHasPackageOrBinary":               azureApp || slices.Contains([]string{"virtualMachine", "azureContainer", "iotEdgeModule", "powerBiApp"}, t.Phases),
		"standardContractAmendmentsPresent":     c.HasAmendments(), // SAS-63
	}
}

// Steps with a meaning of their own.
const (
	previewCreation         = "previewCreation"
	publisherSignoff        = "publisherSignoff"
	publisherEligibility    = "publisherEligibility"
	contentValidation       = "contentValidation"
	technicalValidation     = "technicalValidation"
	manualValidation        = "manualValidation"
	offerValidation         = "offerValidation"
	finalPublish            = "finalPublish"
	packageProvisioning     = "packageProvisioning"
	livePackageProvisioning = "livePackageProvisioning"
	cancelStep              = "cancel" // not a step of the catalogue: ends a cancelled submission
	stopStep                = "stop"   // nor this: ends the distribution of an offer
)
