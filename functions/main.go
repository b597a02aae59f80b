// Command functions is the custom handler: one binary that serves every function of Stoa on one port.
//
// It reads its settings, opens the adapters, wires the services and mounts the functions of mount.go. It has no
// rules of its own. With the argument validate it looks at a package and ends: see validate.go.
package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/google/uuid"

	"stoa/shared/functionshost"
)

// garbage is how much the heap may grow between two collections, in percent. What lives is a few megabytes, so
// that at Go's usual 100 the collector would run many times a second under load to save memory nobody misses.
const garbage = 400

func main() {
	debug.SetGCPercent(garbage)
	uuid.EnableRandPool() // two ids are made for each request
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "validate" {
		os.Exit(validate(ctx, os.Args[2:], os.Stdout, os.Stderr))
	}
	if err := run(ctx, os.Environ()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// drain is how long messages of finished acts may still go out after the last request; what is left then is
// found by the next sweep.
const drain = 10 * time.Second

// run listens before anything slow (HST-2), wires, serves until ctx ends, and lets what was begun finish (HST-4).
func run(ctx context.Context, environ []string) error {
	server, err := functionshost.Listen(environ)
	if err != nil {
		return err
	}
	// Lines on the standard error stream are errors to the host, so the log goes to the other one.
	lines := newLogBuffer(os.Stdout, func(line []byte) bool { return !bytes.Contains(line, []byte(`"level":"INFO"`)) })
	defer func() { _ = lines.Flush() }()
	log := slog.New(slog.NewJSONHandler(lines, nil))
	app, err := open(environ, log)
	if err != nil {
		server.Close()
		return err
	}
	serveErr := server.Serve(ctx, app.mux)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := app.close(closing); err != nil {
		log.Warn("messages are left for the sweep", "error", err)
	}
	return serveErr
}
