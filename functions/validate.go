package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stoa/shared/packages"
	"stoa/shared/packages/content"
	"stoa/shared/packages/finding"
	"stoa/shared/packages/rendering"
)

// What the command validate ends with.
const (
	exitAccepted = 0
	exitBlocked  = 1
	exitNotRun   = 2
)

// validateArgs are the arguments of handler validate.
type validateArgs struct {
	offerType, planType, visual string
	asJSON                      bool
	path                        string
}

const validateUsage = "usage: handler validate [--type T] [--plan-type P] [--visual FILE] [--json] FILE|DIR"

func parseValidateArgs(args []string) (validateArgs, error) {
	var a validateArgs
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&a.offerType, "type", "", "")
	flags.StringVar(&a.planType, "plan-type", "", "")
	flags.StringVar(&a.visual, "visual", "", "")
	flags.BoolVar(&a.asJSON, "json", false, "")
	if err := flags.Parse(args); err != nil {
		return a, fmt.Errorf("%w\n%s", err, validateUsage)
	}
	known := func(t string) bool { return strings.EqualFold(t, a.offerType) }
	switch {
	case flags.NArg() != 1:
		return a, errors.New(validateUsage)
	case a.offerType != "" && !slices.ContainsFunc(packages.Types(), known):
		return a, fmt.Errorf("--type must be one of %s, found %q", strings.Join(packages.Types(), ", "), a.offerType)
	case a.planType != "" && !slices.Contains(packages.PlanTypes, a.planType):
		return a, fmt.Errorf("--plan-type must be one of %s, found %q", strings.Join(packages.PlanTypes, ", "), a.planType)
	}
	a.path = flags.Arg(0)
	return a, nil
}

// validate is handler validate: it writes what it finds in a package to out, and returns how the process ends: 0, 1 when
// a finding blocks, 2 when it could not run.
func validate(ctx context.Context, args []string, out, problems io.Writer) int {
	a, err := parseValidateArgs(args)
	if err != nil {
		fmt.Fprintln(problems, err)
		return exitNotRun
	}
	report, err := a.run(ctx)
	if err == nil {
		err = a.write(out, report)
	}
	switch {
	case err != nil:
		fmt.Fprintln(problems, err)
		return exitNotRun
	case report.Blocking:
		return exitBlocked
	}
	return exitAccepted
}

func (a validateArgs) run(ctx context.Context) (*finding.Report, error) {
	p, done, err := openPackage(a.path)
	if err != nil {
		return nil, err
	}
	defer done()
	o := packages.Options{PlanType: a.planType, Now: time.Now()}
	if a.visual != "" {
		visual, done, err := openPackage(a.visual)
		if err != nil {
			return nil, err
		}
		defer done()
		o.Beside = map[packages.Slot]packages.Package{packages.VisualPackage: visual}
	}
	return packages.Validate(ctx, a.offerType, p, o)
}

// openPackage opens a file, or a folder as an unpacked package.
func openPackage(path string) (packages.Package, func(), error) {
	f, err := os.Open(path)
	if err != nil {
		return packages.Package{}, nil, err
	}
	closed := func() { _ = f.Close() }
	info, err := f.Stat()
	if err != nil {
		closed()
		return packages.Package{}, nil, err
	}
	if !info.IsDir() {
		return packages.Package{Name: filepath.Base(path), Bytes: f, Size: info.Size()}, closed, nil
	}
	closed()
	tree, err := content.Folder(os.DirFS(path))
	return packages.Package{Name: filepath.Base(path), Tree: tree}, func() {}, err
}

func (a validateArgs) write(out io.Writer, report *finding.Report) error {
	if !a.asJSON {
		return rendering.Text(out, filepath.Base(a.path), report)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}
