package selftest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Verdict is the result of one test.
type Verdict string

// The verdicts.
const (
	Passed  Verdict = "Passed"
	Warning Verdict = "Warning"
	Failed  Verdict = "Failed"
)

// What every report says of itself.
const (
	schemaVersion = 1
	category      = "Microsoft Single VM Certification"
	providerID    = "050DE427-2A99-46D4-817C-5354D3BF2AE8"
	apiVersion    = "1.5"
	createdFormat = "01/02/2006 15:04:05" // UTC
)

// Report is the document of a run, its members in the order of the contract.
type Report struct {
	SchemaVersion            int    `json:"SchemaVersion"`
	AppCertificationCategory string `json:"AppCertificationCategory"`
	ProviderID               string `json:"ProviderID"`
	OSName                   string `json:"OSName"`
	OSDistro                 string `json:"OSDistro,omitempty"`          // Linux only
	KernelVersion            string `json:"KernelVersion,omitempty"`     // Linux only
	KernelFullVersion        string `json:"KernelFullVersion,omitempty"` // Linux only
	OSVersion                string `json:"OSVersion"`
	CreatedDate              string `json:"CreatedDate"`
	TestResult               string `json:"TestResult"` // Pass or Fail
	APIVersion               string `json:"APIVersion"`
	Tests                    []Test `json:"Tests"`
}

// Test is the result of one test, its members in the order of the contract.
type Test struct {
	TestID        string  `json:"TestID"`
	TestCaseName  string  `json:"TestCaseName"`
	Description   string  `json:"Description"`
	Result        Verdict `json:"Result"`
	ActualValue   string  `json:"ActualValue"`
	RequiredValue string  `json:"RequiredValue"`
}

// Answer is what a run gives its caller: the report as a string that holds JSON.
type Answer struct {
	TrackingID string `json:"TrackingId"`
	Response   string `json:"Response"`
}

// facts are what the head of a report says of the machine.
type facts struct {
	name, version              string
	distro, kernel, kernelFull string
}

// newReport puts a report together. It passes unless a test failed; a warning never fails it (VMO-90).
func newReport(f facts, tests []Test, now time.Time) Report {
	result := "Pass"
	for _, t := range tests {
		if t.Result == Failed {
			result = "Fail"
		}
	}
	return Report{
		SchemaVersion: schemaVersion, AppCertificationCategory: category, ProviderID: providerID,
		OSName: f.name, OSDistro: f.distro, KernelVersion: f.kernel, KernelFullVersion: f.kernelFull, OSVersion: f.version,
		CreatedDate: now.UTC().Format(createdFormat), TestResult: result, APIVersion: apiVersion, Tests: tests,
	}
}

// hiding is the report without the secret, wherever the machine repeated it (VMO-102).
func (r Report) hiding(s Secret) Report {
	for _, text := range []*string{&r.OSName, &r.OSDistro, &r.KernelVersion, &r.KernelFullVersion, &r.OSVersion} {
		*text = s.hide(*text)
	}
	tests := make([]Test, len(r.Tests))
	for i, t := range r.Tests {
		t.ActualValue = s.hide(t.ActualValue)
		tests[i] = t
	}
	r.Tests = tests
	return r
}

// encode writes the report as JSON, with < and > as they are.
func (r Report) encode() (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return "", fmt.Errorf("encode the report: %w", err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
