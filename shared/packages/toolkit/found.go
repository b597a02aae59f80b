package toolkit

import (
	"fmt"

	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
)

// Found records what one test finds. The code is the test's.
type Found struct {
	code   string
	report *finding.Report
}

// Add records a finding with the severity that the table gives the test. The pointer and the offset are those of the
// value it is about.
func (f *Found) Add(d *content.Document, pointer string, offset int, format string, args ...any) {
	f.put("", d, pointer, offset, fmt.Sprintf(format, args...))
}

// Warn records a finding that does not block, whatever the table says of the test.
func (f *Found) Warn(d *content.Document, pointer string, offset int, format string, args ...any) {
	f.put(finding.Warning, d, pointer, offset, fmt.Sprintf(format, args...))
}

// On records a finding about a value of a template.
func (f *Found) On(t *armtemplate.Template, v *armtemplate.Value, format string, args ...any) {
	f.about("", t, v, fmt.Sprintf(format, args...))
}

// Note records what is no fault, about a value of a template.
func (f *Found) Note(t *armtemplate.Template, v *armtemplate.Value, format string, args ...any) {
	f.about(finding.Info, t, v, fmt.Sprintf(format, args...))
}

func (f *Found) about(s finding.Severity, t *armtemplate.Template, v *armtemplate.Value, message string) {
	if f.report.Full() { // only its severity counts
		f.report.Put(finding.Finding{Code: f.code, Severity: s})
		return
	}
	f.at(s, t.Place(v), message)
}

// Missing records that a value has no member of a name.
func (f *Found) Missing(t *armtemplate.Template, v *armtemplate.Value, name, format string, args ...any) {
	if f.report.Full() { // only its severity counts
		f.report.Put(finding.Finding{Code: f.code})
		return
	}
	f.at("", t.PlaceOf(v, name), fmt.Sprintf(format, args...))
}

func (f *Found) at(s finding.Severity, at finding.Place, message string) {
	f.report.Put(finding.Finding{Code: f.code, Severity: s, File: at.File, Path: at.Path, Line: at.Line, Column: at.Column, Message: message})
}

func (f *Found) put(s finding.Severity, d *content.Document, pointer string, offset int, message string) {
	f.at(s, d.At(pointer, offset), message)
}
