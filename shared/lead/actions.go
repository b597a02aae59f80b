package lead

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stoa/shared/fault"
)

//go:embed actions.json
var actionsJSON []byte

// Source is the storefront a lead comes from.
type Source string

// Action is an action code: what the customer did, as destinations read it.
type Action string

// CallToAction is the button the customer used.
type CallToAction string

// Kind says what a lead is worth.
type Kind string

// The storefronts, action codes, buttons and kinds.
const (
	AzureMarketplace Source = "AzureMarketplace"
	AzurePortal      Source = "AzurePortal"
	AppSource        Source = "AppSource"

	Install        Action = "INS"
	PartnerTrial   Action = "PLT"
	DoNotContact   Action = "DNC"
	Create         Action = "Create"
	StartTestDrive Action = "StartTestDrive"

	ContactMe    CallToAction = "ContactMe"
	GetItNow     CallToAction = "GetItNow"
	CreateButton CallToAction = "Create"
	FreeTrial    CallToAction = "FreeTrial"
	TestDrive    CallToAction = "TestDrive"

	InitialInterest Kind = "initialInterest"
	Active          Kind = "active"
	Trial           Kind = "trial"
	Notification    Kind = "notification"
)

type matrixRow struct {
	CallToAction CallToAction `json:"callToAction"`
	Source       Source       `json:"source"`
	Action       Action       `json:"action"`
	Kind         Kind         `json:"kind"`
	CrossListed  bool         `json:"crossListed"`
}

type sourceRow struct {
	ID    Source `json:"id"`
	Token string `json:"token"`
	Name  string `json:"name"`
}

type actionRow struct {
	Code    Action `json:"code"`
	Name    string `json:"name"`
	Contact bool   `json:"contact"` // whether the customer wants to hear from the publisher
}

type actionTable struct {
	Sources        []sourceRow `json:"sources"`
	ReadableTokens []string    `json:"readableTokens"` // of older lead sources: read, never written
	Actions        []actionRow `json:"actions"`
	Matrix         []matrixRow `json:"matrix"`
}

var actions = mustReadActions(actionsJSON)

func mustReadActions(data []byte) actionTable {
	var t actionTable
	if err := json.Unmarshal(data, &t); err != nil {
		panic(fmt.Sprintf("actions.json: %v", err))
	}
	for _, row := range t.Matrix {
		_, known := t.action(row.Action)
		if t.source(row.Source).Token == "" || !known {
			panic(fmt.Sprintf("actions.json: row %+v names an unknown source or action", row))
		}
	}
	return t
}

func (t *actionTable) source(id Source) sourceRow {
	i := slices.IndexFunc(t.Sources, func(s sourceRow) bool { return s.ID == id })
	if i < 0 {
		return sourceRow{ID: id, Name: string(id)}
	}
	return t.Sources[i]
}

func (t *actionTable) action(code Action) (actionRow, bool) {
	i := slices.IndexFunc(t.Actions, func(a actionRow) bool { return a.Code == code })
	if i < 0 {
		return actionRow{}, false
	}
	return t.Actions[i], true
}

// match finds the row of the matrix for a call to action in a storefront (LED-2).
func (t *actionTable) match(cta CallToAction, s Source, crossListed bool) (matrixRow, bool) {
	for _, row := range t.Matrix {
		if row.CrossListed == crossListed && strings.EqualFold(string(row.CallToAction), string(cta)) &&
			strings.EqualFold(string(row.Source), string(s)) {
			return row, true
		}
	}
	return matrixRow{}, false
}

// checkSource is Invalid "InvalidLeadAction" for what is no storefront.
func (t *actionTable) checkSource(s Source) error {
	var names []string
	for _, row := range t.Sources {
		if strings.EqualFold(string(row.ID), string(s)) {
			return nil
		}
		names = append(names, string(row.ID))
	}
	return fault.New(fault.Invalid, "InvalidLeadAction", "source", "must be one of %s", strings.Join(names, ", "))
}

// TestDriveSource is the storefront a test drive may be started in, by its name in any case of letters. Invalid
// "InvalidLeadAction" for another.
func TestDriveSource(s Source) (Source, error) {
	row, ok := actions.match(TestDrive, s, false)
	if !ok {
		return "", fault.New(fault.Invalid, "InvalidLeadAction", "storefront", "must be AzureMarketplace or AppSource")
	}
	return row.Source, nil
}
