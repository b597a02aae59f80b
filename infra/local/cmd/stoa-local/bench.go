package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stoa/infra/local/bench"
	"stoa/infra/local/stack"
	"stoa/infra/local/tree"
)

// Parts that have a stack of their own.
const (
	killPart = "kill"
	soakPart = "soak"
)

// benchmark says what is measured.
type benchmark struct {
	only string // the part that is measured alone, and bench.json stays as it is; empty: everything
	kill bench.KillOptions
	soak bench.SoakOptions
}

// parseBenchmark reads the flags of bench.
func parseBenchmark(args []string) (b benchmark, err error) {
	parts := append(bench.PartNames(), killPart, soakPart)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.only, "only", "", "measure one part alone: "+strings.Join(parts, ", "))
	flags.IntVar(&b.kill.Kills, "kills", 0, "how often the handler is killed; 0 is 200")
	flags.DurationVar(&b.soak.For, "for", 0, "how long metering is under load, with two kills; 0 is 3 minutes")
	flags.Uint64Var(&b.kill.Seed, "seed", 0, "the seed of an earlier run of kills")
	if err := flags.Parse(args); err != nil {
		return b, err
	}
	if b.only != "" && !slices.Contains(parts, b.only) {
		return b, fmt.Errorf("bench: there is no part %q; there are %s", b.only, strings.Join(parts, ", "))
	}
	return b, nil
}

// measure prints the figures and, of a whole run, writes bench.json. A figure that falls short is reported and is
// no error.
func measure(ctx context.Context, b benchmark) error {
	root, err := tree.Root()
	if err != nil {
		return err
	}
	report := &bench.Report{Out: os.Stdout}
	var failed error
	if b.only != killPart && b.only != soakPart {
		failed = withStack(ctx, func(s *stack.Stack) error { return bench.Run(ctx, s, report, b.only) })
	}
	if b.only == "" || b.only == killPart {
		failed = errors.Join(failed, bench.Kill(ctx, report, b.kill))
	}
	if b.only == "" || b.only == soakPart {
		failed = errors.Join(failed, bench.Soak(ctx, report, b.soak))
	}
	if b.only != "" {
		return failed
	}
	raw, err := report.JSON()
	if err != nil {
		return errors.Join(failed, err)
	}
	if err := os.WriteFile(filepath.Join(root, "bench.json"), raw, 0o644); err != nil {
		return errors.Join(failed, fmt.Errorf("write bench.json: %w", err))
	}
	return failed
}
