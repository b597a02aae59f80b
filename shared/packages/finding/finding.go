// Package finding is the vocabulary of package validation: what was found, where, and what the code of a finding
// means (the tables in codes/, one file for each kind of package).
//
// A validator adds findings by code and place; severity, rule, toolkit test and the advice how to fix it come from
// the table, so that a verdict is data. Reports are sorted by severity, file and place before they are shown.
package finding

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Severity says whether a finding blocks.
type Severity string

// The severities. An error blocks the package.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Finding is one thing that is wrong with a package.
type Finding struct {
	Code      string   `json:"code"`
	Test      string   `json:"test,omitempty"` // of the public toolkit, where one looks for the same
	Rule      string   `json:"rule"`
	Severity  Severity `json:"severity"`
	File      string   `json:"file"`             // path inside the package, "." for the package itself
	Path      string   `json:"path,omitempty"`   // JSON pointer inside the file
	Line      int      `json:"line,omitempty"`   // from 1
	Column    int      `json:"column,omitempty"` // from 1, in characters
	Message   string   `json:"message"`
	Fix       string   `json:"fix,omitempty"`
	PlanTypes []string `json:"planTypes,omitempty"` // AZA-107: the only plan types it concerns
}

// Place is where something was found. The zero place is the package itself.
type Place struct {
	File   string
	Path   string
	Line   int
	Column int
}

// Report is what validation found.
type Report struct {
	Type     string    `json:"type"`     // offer type whose rules were applied
	Blocking bool      `json:"blocking"` // whether one of the findings is an error
	Files    int       `json:"files"`    // files looked at
	Findings []Finding `json:"findings"`
}

// New is an empty report.
func New(offerType string) *Report { return &Report{Type: offerType, Findings: []Finding{}} }

// Code is what a table says of a code.
type Code struct {
	Code     string   `json:"code"`
	Test     string   `json:"test"`
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`
	Message  string   `json:"message"` // where the contract has one text for the code
	Fix      string   `json:"fix"`
	Off      bool     `json:"off"` // the public toolkit switched the test off; it is never found
}

//go:embed codes/*.json
var tables embed.FS

var codes = load()

func load() map[string]Code {
	out := map[string]Code{}
	files, err := tables.ReadDir("codes")
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		raw, err := tables.ReadFile(path.Join("codes", f.Name()))
		if err != nil {
			panic(err)
		}
		var table struct {
			Codes []Code `json:"codes"`
		}
		if err := json.Unmarshal(raw, &table); err != nil {
			panic(fmt.Sprintf("%s: %v", f.Name(), err))
		}
		for _, c := range table.Codes {
			if _, twice := out[c.Code]; twice {
				panic(fmt.Sprintf("%s: the code %s stands twice", f.Name(), c.Code))
			}
			out[c.Code] = c
		}
	}
	return out
}

// Lookup is what the tables say of a code.
func Lookup(code string) (Code, bool) {
	c, ok := codes[code]
	return c, ok
}

// Codes are all codes, sorted.
func Codes() []Code {
	out := make([]Code, 0, len(codes))
	for _, c := range codes {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Code) int { return cmp.Compare(a.Code, b.Code) })
	return out
}

// MaxFindings bounds a report; what comes behind is dropped, though it still blocks.
const MaxFindings = 1000

// Full reports whether further findings are dropped, so that a validator need not look up their place.
func (r *Report) Full() bool { return len(r.Findings) >= MaxFindings }

// Add records a finding under a code of the tables. It panics on an unknown one, which is a broken program. A code
// that is switched off is not recorded.
func (r *Report) Add(code string, at Place, format string, args ...any) {
	r.Put(Finding{Code: code, File: at.File, Path: at.Path, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...)})
}

// Say records a finding with the one text the contract has for its code; the details stand before the advice.
func (r *Report) Say(code string, at Place, format string, args ...any) {
	c := codes[code]
	fix := strings.TrimSpace(fmt.Sprintf(format, args...) + " " + c.Fix)
	r.Put(Finding{Code: code, File: at.File, Path: at.Path, Line: at.Line, Column: at.Column, Message: c.Message, Fix: fix})
}

// Put records a finding whose code, place and message are given; a severity that is given replaces the table's.
func (r *Report) Put(f Finding) {
	c, ok := codes[f.Code]
	if !ok {
		panic("no table has the code " + f.Code)
	}
	if c.Off {
		return
	}
	f.Rule, f.Test = c.Rule, c.Test
	f.Fix = cmp.Or(f.Fix, c.Fix)
	f.Severity = cmp.Or(f.Severity, c.Severity)
	f.File = cmp.Or(f.File, ".")
	r.Blocking = r.Blocking || f.Severity == Error && len(f.PlanTypes) == 0
	if !r.Full() {
		f.Path, f.Message = clip(f.Path), clip(f.Message)
		r.Findings = append(r.Findings, f)
	}
}

// maxText bounds a path and a message, since strangers choose what stands in them.
const maxText = 2000

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

var rank = map[Severity]int{Error: 0, Warning: 1, Info: 2}

// Sort orders the findings by severity, file and place, so that two runs give the same list.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
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
