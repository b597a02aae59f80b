package metering

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"stoa/shared/fault"
)

//go:embed metering-statuses.json
var statusesJSON []byte

// Status is what became of an event, as the API spells it.
type Status string

// The statuses (6.2).
const (
	Accepted              Status = "Accepted"
	Expired               Status = "Expired"
	Duplicate             Status = "Duplicate"
	Failed                Status = "Error" // our own failure; nothing is wrong with the event
	ResourceNotFound      Status = "ResourceNotFound"
	ResourceNotAuthorized Status = "ResourceNotAuthorized"
	ResourceNotActive     Status = "ResourceNotActive"
	InvalidDimension      Status = "InvalidDimension"
	InvalidQuantity       Status = "InvalidQuantity"
	BadArgument           Status = "BadArgument"
)

// Recon is how far analytics has come with reported usage (MTR-88).
type Recon string

// The recon statuses.
const (
	Submitted     Recon = "Submitted"   // not yet processed
	ReconAccepted Recon = "Accepted"    // the ledger took what was submitted
	Mismatch      Recon = "Mismatch"    // it took another quantity
	Rejected      Recon = "Rejected"    // it took nothing, and will not any more
	TestHeaders   Recon = "TestHeaders" // of a resource that exists for tests
	DryRun        Recon = "DryRun"      // sent to be checked only
)

// Info is what the table says of a status.
type Info struct {
	Status  Status `json:"status"`
	HTTP    int    `json:"singleCallHttpStatus"` // answer of the single call
	Target  string `json:"detailTarget"`
	Message string `json:"detailMessage"`
	Code    string `json:"errorCode"`
}

// Envelope is the fixed part of an error body.
type Envelope struct {
	Message string `json:"message"`
	Target  string `json:"target"`
	Code    string `json:"code"`
}

type statusTable struct {
	statuses  map[Status]Info
	required  map[string]fault.Detail // by member
	envelopes map[string]Envelope
	limits    struct {
		MaxBatch    int `json:"maxBatch"`
		WindowHours int `json:"windowHours"`
	}
	recons  []Recon
	noTime  string
	version string
}

var facts = mustReadStatuses(statusesJSON)

func mustReadStatuses(data []byte) statusTable {
	var file struct {
		EventStatuses        []Info
		RequiredFieldDetails []struct{ Field, Target, Message string }
		Envelopes            map[string]Envelope
		ReconStatuses        []struct{ Status Recon }
		NonAccepted          string `json:"nonAcceptedMessageTime"`
		Limits               json.RawMessage
		IDs                  struct {
			APIVersion string `json:"apiVersion"`
		} `json:"ids"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		panic(fmt.Sprintf("metering-statuses.json: %v", err))
	}
	t := statusTable{
		statuses: map[Status]Info{}, required: map[string]fault.Detail{}, envelopes: file.Envelopes,
		noTime: file.NonAccepted, version: file.IDs.APIVersion,
	}
	if err := json.Unmarshal(file.Limits, &t.limits); err != nil {
		panic(fmt.Sprintf("metering-statuses.json: limits: %v", err))
	}
	for _, s := range file.EventStatuses {
		t.statuses[s.Status] = s
	}
	for _, r := range file.ReconStatuses {
		t.recons = append(t.recons, r.Status)
	}
	for _, r := range file.RequiredFieldDetails {
		t.required[r.Field] = fault.Detail{Code: string(BadArgument), Target: r.Target, Message: r.Message}
	}
	return t
}

// InfoOf is what the table says of a status.
func InfoOf(s Status) Info { return facts.statuses[s] }

// EnvelopeOf is the fixed part of an error body: badRequest, batchTooLarge, forbidden or conflict.
func EnvelopeOf(name string) Envelope { return facts.envelopes[name] }

// MaxBatch is the most events of one batch (MTR-56).
func MaxBatch() int { return facts.limits.MaxBatch }

// NoTime is the message time of an item that was not accepted (MTR-62).
func NoTime() string { return facts.noTime }

// APIVersion is the version every call must name (MTR-21).
func APIVersion() string { return facts.version }
