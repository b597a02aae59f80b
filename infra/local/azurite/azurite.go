// Package azurite starts the real Azurite for the local stack and for tests: Blob and Table storage on loopback.
//
// It needs the npm packages of infra/local. Azurite answers before a row is on disk, so a test that kills
// processes kills ours and never this one.
package azurite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"stoa/infra/local/tree"
)

// The development account of Azurite, known to everyone.
const (
	Account    = "devstoreaccount1"
	AccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// ErrNotInstalled says that the npm packages are missing; `make deps` installs them.
var ErrNotInstalled = errors.New("azurite is not installed: run make deps")

// Options of a storage stand-in.
type Options struct {
	Dir       string // folder of the data; empty keeps it in memory
	BlobPort  int    // 0 picks a free one
	TablePort int    // 0 picks a free one
	Output    io.Writer
}

// Azurite is a running storage stand-in.
type Azurite struct {
	blobPort, tablePort int
	cmd                 *exec.Cmd
	stop                sync.Once
}

// Start runs Azurite and waits until both services answer.
func Start(ctx context.Context, o Options) (*Azurite, error) {
	root, err := tree.Root()
	if err != nil {
		return nil, err
	}
	script := filepath.Join(root, "infra", "local", "node_modules", "azurite", "dist", "src", "azurite.js")
	if _, err := os.Stat(script); err != nil {
		return nil, ErrNotInstalled
	}
	a := &Azurite{blobPort: o.BlobPort, tablePort: o.TablePort}
	ports, err := freePorts(3)
	if err != nil {
		return nil, fmt.Errorf("start azurite: %w", err)
	}
	if a.blobPort == 0 {
		a.blobPort = ports[0]
	}
	if a.tablePort == 0 {
		a.tablePort = ports[1]
	}
	args := []string{script, "--silent", "--skipApiVersionCheck", "--disableTelemetry",
		"--blobHost", "127.0.0.1", "--blobPort", fmt.Sprint(a.blobPort),
		"--tableHost", "127.0.0.1", "--tablePort", fmt.Sprint(a.tablePort),
		"--queueHost", "127.0.0.1", "--queuePort", fmt.Sprint(ports[2])}
	if o.Dir == "" {
		args = append(args, "--inMemoryPersistence")
	} else {
		args = append(args, "--location", o.Dir)
	}
	var output bytes.Buffer
	a.cmd = exec.Command("node", args...)
	a.cmd.Stdout, a.cmd.Stderr = &output, &output
	if o.Output != nil {
		a.cmd.Stdout, a.cmd.Stderr = o.Output, o.Output
	}
	// A stack that dies takes its parts with it.
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start azurite: %w", err)
	}
	for _, port := range []int{a.blobPort, a.tablePort} {
		if err := waitFor(ctx, port); err != nil {
			a.Stop()
			return nil, fmt.Errorf("start azurite: %w: %s", err, output.String())
		}
	}
	return a, nil
}

// ConnectionString reaches both services.
func (a *Azurite) ConnectionString() string { return ConnectionStringAt(a.blobPort, a.tablePort) }

// ConnectionStringAt reaches the services through other ports, such as those of a proxy.
func ConnectionStringAt(blobPort, tablePort int) string {
	return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://127.0.0.1:%d/%s;TableEndpoint=http://127.0.0.1:%d/%s;",
		Account, AccountKey, blobPort, Account, tablePort, Account)
}

// BlobPort is where the Blob service listens on 127.0.0.1.
func (a *Azurite) BlobPort() int { return a.blobPort }

// TablePort is where the Table service listens on 127.0.0.1.
func (a *Azurite) TablePort() int { return a.tablePort }

// Stop ends the process and waits for it.
func (a *Azurite) Stop() {
	a.stop.Do(func() {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
	})
}

func waitFor(ctx context.Context, port int) error {
	deadline := time.Now().Add(60 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("port %d does not answer: %w", port, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freePorts holds the ports open together, so that they differ.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
