// Command stoa-local runs the local stack and what is done with it: run, demo, bench, package.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"stoa/infra/local/bench"
	"stoa/infra/local/bundle"
	"stoa/infra/local/tree"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "stoa-local:", err)
		os.Exit(1)
	}
}

const usage = "usage: stoa-local run [-host stand-in|func] | demo | bench [-only part] [-kills n] [-seed n] | package"

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s", usage)
	}
	switch args[0] {
	case "run":
		flags := flag.NewFlagSet("run", flag.ContinueOnError)
		host := flags.String("host", "stand-in", "stand-in, or func for the real Functions host")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return marketplace(ctx, *host)
	case "demo":
		return walk(ctx)
	case "bench":
		b, err := parseBenchmark(args[1:])
		if err != nil {
			return err
		}
		return measure(ctx, b)
	case "validate": // of the measurement of packages at once
		return bench.ValidateAtOnce(ctx, args[1:], os.Stdout)
	case "package":
		return pack(ctx)
	}
	return fmt.Errorf("%s", usage)
}

// pack stages dist/ and writes dist.zip beside it.
func pack(ctx context.Context) error {
	root, err := tree.Root()
	if err != nil {
		return err
	}
	dist := filepath.Join(root, "dist")
	if err := bundle.Stage(ctx, bundle.Options{Root: root, Dir: dist}); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(root, "dist.zip"))
	if err != nil {
		return fmt.Errorf("write dist.zip: %w", err)
	}
	if err := bundle.Zip(dist, file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
