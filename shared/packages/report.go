package packages

import (
	"time"

	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// Scan says what the malware scanner said (AZA-106).
type Scan string

// What a scan may come to.
const (
	NotScanned Scan = "not scanned" // no scanner is configured, or there was nothing that could be scanned
	Clean      Scan = "clean"
	Infected   Scan = "infected"
)

// Record links a report to the offer the package belongs to.
type Record struct {
	PublisherID string    `json:"publisherId"`
	OfferID     string    `json:"offerId"`
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	ETag        string    `json:"etag"` // of the blob that was looked at
	Report      string    `json:"report"`
	Blocking    bool      `json:"blocking"`
	Errors      int       `json:"errors"`
	Warnings    int       `json:"warnings"`
	Malware     Scan      `json:"malware"`
	TrackingID  string    `json:"trackingId,omitempty"` // in the main template of what is published (CUA-10)
	Processed   string    `json:"processed,omitempty"`  // blob of the stamped package; empty when it is published as it was uploaded
	LacksJIT    bool      `json:"lacksJit,omitempty"`   // a plan with just-in-time access cannot have it (AZA-154)
	AsksJIT     bool      `json:"asksJit,omitempty"`    // a plan without cannot (AZA-155)
	Beside      []string  `json:"beside,omitempty"`     // versions of the uploads it was validated together with
	Tries       int       `json:"tries,omitempty"`      // that failed for want of something else than the package
	At          time.Time `json:"at"`
}

// State is the state of the package in the words of the submission API (02, 5.1).
func (r *Record) State() string {
	switch {
	case r.Report == "":
		return "InProcessing"
	case r.Blocking:
		return "ProcessFailed"
	}
	return "Processed"
}

// Published is where the bytes are that customers get: container and blob.
func (r *Record) Published() (container, blob string) {
	if r.Processed != "" {
		return "processed", r.Processed
	}
	return "packages", r.PublisherID + "/" + r.OfferID + "/" + r.Name
}

// Entry is one file of a package, for later comparison.
type Entry struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Stored is what is kept of a validation: the report, and what the package holds.
type Stored struct {
	finding.Report
	Entries []Entry `json:"entries,omitempty"`
}

func entriesOf(tree *content.Tree) []Entry {
	if tree == nil {
		return nil
	}
	out := make([]Entry, len(tree.Files()))
	for i, f := range tree.Files() {
		out[i] = Entry{Path: f.Name, Size: f.Size, SHA256: f.SHA256}
	}
	return out
}
