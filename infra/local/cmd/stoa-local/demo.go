package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"stoa/infra/local/demo"
	"stoa/infra/local/stack"
)

// walk runs the demo.
func walk(ctx context.Context) error {
	return withStack(ctx, func(s *stack.Stack) error { return demo.New(s, os.Stdout).Run(ctx) })
}

// withStack runs something against a stack of its own, on free ports and in a throw-away folder. When it fails
// the end of the stack's log is printed.
func withStack(ctx context.Context, use func(*stack.Stack) error) error {
	dir, err := os.MkdirTemp("", "stoa-*")
	if err != nil {
		return fmt.Errorf("start the stack: %w", err)
	}
	defer os.RemoveAll(dir)
	log, err := os.Create(filepath.Join(dir, "stack.log"))
	if err != nil {
		return fmt.Errorf("start the stack: %w", err)
	}
	defer log.Close()
	s, err := stack.Start(ctx, stack.Options{Dir: dir, Log: log, MaxRestarts: 1000})
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := use(s); err != nil {
		printEnd(log.Name())
		return err
	}
	return nil
}

func printEnd(path string) {
	const shown = 8 << 10
	data, err := os.ReadFile(path)
	if err != nil {
		return // the failure itself is reported
	}
	if len(data) > shown {
		data = data[len(data)-shown:]
	}
	fmt.Fprintf(os.Stderr, "the end of the stack's log:\n%s\n", data)
}
