package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"stoa/infra/local/bench"
	"stoa/infra/local/stack"
	"stoa/infra/local/tree"
)

// benchmark says what is measured.
type benchmark struct {
	only string // "kill": the kills alone, and bench.json stays as it is; empty: everything
	kill bench.KillOptions
}

// parseBenchmark reads the flags of bench.
func parseBenchmark(args []string) (b benchmark, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.only, "only", "", "kill: only kill the handler under writers")
	flags.IntVar(&b.kill.Kills, "kills", 0, "with -only kill: how often; 0 is 200")
	flags.Uint64Var(&b.kill.Seed, "seed", 0, "with -only kill: the seed of an earlier run")
	if err := flags.Parse(args); err != nil {
		return b, err
	}
	if b.only != "" && b.only != "kill" {
		return b, fmt.Errorf("bench: there is no part %q, only kill runs alone", b.only)
	}
	return b, nil
}

// measure prints the figures and writes bench.json. A figure that falls short is reported and is no error.
func measure(ctx context.Context, b benchmark) error {
	root, err := tree.Root()
	if err != nil {
		return err
	}
	report := &bench.Report{Out: os.Stdout}
	if b.only == "kill" {
		return bench.Kill(ctx, report, b.kill)
	}
	err = withStack(ctx, func(s *stack.Stack) error { return bench.Run(ctx, s, report) })
	if err != nil {
		return err
	}
	raw, err := report.JSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "bench.json"), raw, 0o644); err != nil {
		return fmt.Errorf("write bench.json: %w", err)
	}
	return nil
}
