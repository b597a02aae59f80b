// Package packages validates the deployment package of an Azure application plan and keeps its report (rules
// AZA-100 to AZA-124, AZA-150 and some of the toolkit rules AZA-200 to AZA-246).
//
// A package is foreign bytes: it is read through an io.ReaderAt, with limits on entries, sizes, ratio and depth
// that are counted while reading and never taken from a header. Findings of a stage are collected; the run stops
// after the archive when that is broken, and after the files when a root file is missing or unreadable. Findings
// sort by file, line and code, so that two runs give the same list. Validate is pure and safe for concurrent use.
//
// Not looked at: nested and linked templates, artifacts, usage attribution, the elements of the UI definition,
// and the toolkit rules that are not in codes.json.
package packages
