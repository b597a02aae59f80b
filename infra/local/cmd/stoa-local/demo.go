package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"stoa/infra/local/demo"
	"stoa/infra/local/stack"
)

// walk runs the demo against a stack of its own, on free ports and in a throw-away folder.
func walk(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "stoa-demo-*")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(dir)
	log, err := os.Create(filepath.Join(dir, "stack.log"))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer log.Close()
	s, err := stack.Start(ctx, stack.Options{Dir: dir, Log: log, MaxRestarts: 1000})
	if err != nil {
		return err
	}
	defer s.Stop()
	return demo.New(s, os.Stdout).Run(ctx)
}
