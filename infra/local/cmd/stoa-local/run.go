package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"stoa/infra/local/stack"
	"stoa/infra/local/tree"
)

// marketplace runs the stack until ctx ends. Its data stays in .local/.
func marketplace(ctx context.Context, host string) error {
	if host != "stand-in" && host != "func" {
		return fmt.Errorf("run: host %q must be stand-in or func", host)
	}
	root, err := tree.Root()
	if err != nil {
		return err
	}
	base, err := portBase()
	if err != nil {
		return err
	}
	dir := filepath.Join(root, ".local")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "stack.log"))
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	defer log.Close()
	s, err := stack.Start(ctx, stack.Options{
		Dir: dir, Keep: true, PortBase: base, Settings: passedOn(), Log: log, MaxRestarts: 1000, SkipHost: host == "func",
	})
	if err != nil {
		return err
	}
	defer s.Stop()
	welcome(s)
	if host == "func" {
		return realHost(ctx, s, base)
	}
	select {
	case <-ctx.Done():
		fmt.Println("stopping …")
		return nil
	case err := <-s.Host.Wait():
		return fmt.Errorf("run: the host ended: %w", err)
	}
}

// passedOn are the app settings that the environment of `make run` may give.
func passedOn() map[string]string {
	settings := map[string]string{}
	for _, name := range []string{"STOA_FULFILLMENT_PROFILE"} {
		if value := os.Getenv(name); value != "" {
			settings[name] = value
		}
	}
	return settings
}

const defaultPortBase = 7071

func portBase() (int, error) {
	text := os.Getenv("STOA_PORT_BASE")
	if text == "" {
		return defaultPortBase, nil
	}
	base, err := strconv.Atoi(text)
	if err != nil || base < 1024 || base > 60000 {
		return 0, fmt.Errorf("STOA_PORT_BASE is %q, a port from 1024 to 60000 is allowed", text)
	}
	return base, nil
}

func welcome(s *stack.Stack) {
	fmt.Printf(`Stoa runs on loopback.
  marketplace       %s
  issuer            %s
  sample publisher  %s
  log               .local/stack.log
Try:
  curl -s %s/healthz
  curl -s %s/storefront/v1/offers
The walk in README.md goes on from here. Ctrl-C stops everything.
`, s.Settings["STOA_PUBLIC_URL"], s.Identity.URL(), s.Sample.URL(), s.Settings["STOA_PUBLIC_URL"], s.Settings["STOA_PUBLIC_URL"])
}

// realHost hands the staged bundle to Azure Functions Core Tools.
func realHost(ctx context.Context, s *stack.Stack, port int) error {
	settings, err := json.Marshal(map[string]any{"IsEncrypted": false, "Values": s.Settings})
	if err != nil {
		return fmt.Errorf("run func: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.Root, "local.settings.json"), settings, 0o600); err != nil {
		return fmt.Errorf("run func: %w", err)
	}
	cmd := exec.CommandContext(ctx, "func", "start", "--script-root", s.Root, "--port", strconv.Itoa(port))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("run func: %w; is Azure Functions Core Tools installed?", err)
	}
	return nil
}
