package packages

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Severity says whether a finding blocks.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with a package.
type Finding struct {
	Code     string   `json:"code"`
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`             // path inside the archive, "." for the archive itself
	Path     string   `json:"path,omitempty"`   // JSON pointer inside the file
	Line     int      `json:"line,omitempty"`   // from 1
	Column   int      `json:"column,omitempty"` // from 1, in characters
	Message  string   `json:"message"`
}

// Report is what validation found.
type Report struct {
	Findings []Finding `json:"findings"`
	Blocking bool      `json:"blocking"` // whether one of the findings is an error
}

// Record links a report to the offer the package belongs to.
type Record struct {
	PublisherID string    `json:"publisherId"`
	OfferID     string    `json:"offerId"`
	Name        string    `json:"name"`
	ETag        string    `json:"etag"` // of the blob that was looked at
	Report      string    `json:"report"`
	Blocking    bool      `json:"blocking"`
	Errors      int       `json:"errors"`
	Warnings    int       `json:"warnings"`
	At          time.Time `json:"at"`
}

//go:embed codes.json
var codesJSON []byte

type code struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
}

var codes = loadCodes(codesJSON)

func loadCodes(raw []byte) map[string]code {
	var file struct {
		Codes []code `json:"codes"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		panic(fmt.Sprintf("codes.json: %v", err))
	}
	out := map[string]code{}
	for _, c := range file.Codes {
		out[c.Code] = c
	}
	return out
}

// maxFindings bounds a report; what comes behind is dropped.
const maxFindings = 1000

// add records a finding with the severity and the rule of its code.
func (r *Report) add(f Finding) {
	c, ok := codes[f.Code]
	if !ok {
		panic("codes.json: no code " + f.Code)
	}
	f.Rule, f.Severity = c.Rule, c.Severity
	r.Blocking = r.Blocking || f.Severity == Error
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}

func (r *Report) archive(code, format string, args ...any) {
	r.add(Finding{Code: code, File: ".", Message: fmt.Sprintf(format, args...)})
}

func (r *Report) file(code, file, format string, args ...any) {
	r.add(Finding{Code: code, File: file, Message: fmt.Sprintf(format, args...)})
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path))
	})
}

// Count is the number of findings of a severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}
