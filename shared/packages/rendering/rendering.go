// Package rendering writes a report for people: as text for a terminal, as a page for a browser. The machine's form is
// the report's own JSON.
package rendering

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"stoa/shared/packages/finding"
)

// Text writes the report as lines: one for each finding with its place, then what to do about it, then a summary.
func Text(w io.Writer, name string, r *finding.Report) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", Place(f), f.Severity, f.Message, strings.Join(labels(f), ", "))
		if f.Path != "" {
			fmt.Fprintf(&b, "    at %s\n", f.Path)
		}
		if f.Fix != "" {
			fmt.Fprintf(&b, "    fix: %s\n", f.Fix)
		}
	}
	fmt.Fprintf(&b, "%s\n", Summary(name, r))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the report on %s: %w", name, err)
	}
	return nil
}

// Summary is the report in one sentence.
func Summary(name string, r *finding.Report) string {
	verdict := "accepted"
	if r.Blocking {
		verdict = "blocked"
	}
	return fmt.Sprintf("%s (%s, %s): %s, %s, %s", name, r.Type, count(r.Files, "file"), verdict,
		count(r.Count(finding.Error), "error"), count(r.Count(finding.Warning), "warning"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Place is where the finding is, as editors write it: file:line:column.
func Place(f finding.Finding) string {
	switch {
	case f.Line == 0:
		return f.File
	case f.Column == 0:
		return fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

func labels(f finding.Finding) []string {
	out := []string{f.Code}
	if f.Rule != "" {
		out = append(out, f.Rule)
	}
	for _, planType := range f.PlanTypes {
		out = append(out, "only "+planType)
	}
	return out
}

//go:embed report.html
var pageHTML string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"place": Place, "labels": func(f finding.Finding) string { return strings.Join(labels(f), " · ") },
}).Parse(pageHTML))

// HTML writes the report as one page that needs nothing else.
func HTML(w io.Writer, name string, r *finding.Report) error {
	err := page.Execute(w, map[string]any{"Name": name, "Summary": Summary(name, r), "Report": r})
	if err != nil {
		return fmt.Errorf("write the report on %s: %w", name, err)
	}
	return nil
}
