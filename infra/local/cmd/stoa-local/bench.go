package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"stoa/infra/local/bench"
	"stoa/infra/local/stack"
	"stoa/infra/local/tree"
)

// measure prints the figures and writes bench.json. A figure that falls short is reported and is no error.
func measure(ctx context.Context) error {
	root, err := tree.Root()
	if err != nil {
		return err
	}
	report := &bench.Report{Out: os.Stdout}
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
