// Package azureapp validates the deployment package of an Azure application plan: its files, its templates, the files
// they refer to and its UI definition (rules AZA-107 to AZA-163), and runs the tests of the public toolkit over it
// (AZA-200 to AZA-252).
//
// The stages run one after the other and collect what they find. A root file with a wrong name is looked at like one
// with the right name; when one is missing or unreadable, the tests of the toolkit alone run over the rest. Validate has
// no state and is safe for concurrent use.
package azureapp

import (
	"context"
	"time"

	"stoa/shared/packages/armexpr"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/toolkit"
)

// The types of plans (AZA-107).
const (
	SolutionTemplate   = "solution-template"
	ManagedApplication = "managed-application"
)

// Options say for what a package is validated.
type Options struct {
	// PlanType is the type of the plan, when it is known. Without it the package is judged for both, and findings that
	// depend on the type name it and do not block (AZA-107).
	PlanType string
	// Now is the time from which ages of API versions are counted back; without it they are not judged.
	Now time.Time
	// TrackingID is that of the offer; without it the tracking resources are not looked at.
	TrackingID string
	// JIT is whether the plan allows just-in-time access; without it the UI definition is not compared with that.
	JIT *bool
}

// Facts are what a package is like beside what is wrong with it.
type Facts struct {
	Stamp    bool // the main template is to get the tracking resource (CUA-4)
	LacksJIT bool // a plan with just-in-time access cannot have the package (AZA-154)
	AsksJIT  bool // a plan without cannot (AZA-155)
}

// app is a package that is being validated.
type app struct {
	*toolkit.Input
	tree    *content.Tree
	options Options
	report  *finding.Report
	left    int // steps that may still be taken to compute constants
}

// Validate looks at an open package. The error is that of the source or of the context.
func Validate(ctx context.Context, tree *content.Tree, options Options, report *finding.Report) (Facts, error) {
	var facts Facts
	checkRootFiles(tree, report)
	docs, err := readDocuments(ctx, tree, report)
	if err != nil {
		return facts, err
	}
	a := &app{Input: toolkit.NewInput(docs, options.Now), tree: tree, options: options, report: report, left: armexpr.Budget}
	stages := []func(){
		a.checkFolders, a.checkTemplates, a.checkResources, a.checkArtifacts, a.checkSecrets,
		a.checkUI, a.checkView,
		func() { facts.LacksJIT, facts.AsksJIT = a.checkJIT() },
	}
	if a.Main == nil || a.UI == nil {
		stages = nil
	}
	stages = append(stages, func() { toolkit.Run(a.Input, report) }, func() { facts.Stamp = a.checkTracking() })
	for _, stage := range stages {
		if err := ctx.Err(); err != nil {
			return facts, err
		}
		stage()
	}
	return facts, nil
}

// forPlan records a finding that concerns plans of one type only (AZA-107).
func (a *app) forPlan(planType string, f finding.Finding) {
	switch a.options.PlanType {
	case planType:
	case "":
		f.PlanTypes = []string{planType}
	default:
		return
	}
	a.report.Put(f)
}
