// Package servicebus starts the local Service Bus stand-in, the AMQP 1.0 broker in main.js, as a
// child process. It never speaks AMQP itself; what the broker does not do is listed at the head
// of main.js. A Broker may be used from several goroutines.
package servicebus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyPrefix = "listening 127.0.0.1:"
	stopTimeout = 10 * time.Second

	complaintLimit = 4096 // bytes of a broken start's stderr that its error tells
)

// Options of a broker. The zero value takes a free port, the queues of infra/resources.json and
// their lock durations, and keeps messages in memory only.
type Options struct {
	Port         int           // port on 127.0.0.1, 0 takes a free one
	Config       string        // path of resources.json; default: infra/resources.json of the module
	DataFile     string        // file that keeps the messages across restarts; none: memory only
	LockDuration time.Duration // replaces every queue's lock duration; 0 leaves them
	Output       io.Writer     // what the broker reports; none: discarded
}

// Broker is a running stand-in.
type Broker struct {
	port    int
	command *exec.Cmd
	stdin   io.Closer
	stop    sync.Once
	exited  chan struct{}
}

// Start starts a broker and returns when it accepts connections, or with an error when the
// context ends before. The context bounds the start only; Stop ends the broker, and so does the
// end of this process.
func Start(ctx context.Context, opts Options) (*Broker, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, fmt.Errorf("start servicebus: %w", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("start servicebus: %w", err)
	}
	if opts.Output == nil {
		opts.Output = io.Discard
	}
	// The command must outlive ctx, which only bounds the start.
	command := exec.Command(node, arguments(root, opts)...)
	complaint := &head{limit: complaintLimit}
	command.Stderr = io.MultiWriter(complaint, opts.Output)
	// The broker ends when its input closes, so it never outlives this process.
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start servicebus: %w", err)
	}
	// Wait closes a StdoutPipe while it may still be read, so the pipe is our own.
	stdout, output := io.Pipe()
	command.Stdout = output
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start servicebus: %w", err)
	}
	b := &Broker{command: command, stdin: stdin, exited: make(chan struct{})}
	go func() {
		_ = command.Wait() // the state is in command.ProcessState; what went wrong is on stderr
		output.Close()
		close(b.exited)
	}()
	if err := b.awaitReady(ctx, stdout, opts.Output); err != nil {
		b.Stop()
		return nil, fmt.Errorf("start servicebus: %w: %s", err, complaint.text)
	}
	return b, nil
}

// head keeps the first bytes written to it. What it has may be read once the broker is gone.
type head struct {
	text  []byte
	limit int
}

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), h.limit-len(h.text))]...)
	return len(p), nil
}

func arguments(root string, opts Options) []string {
	config := opts.Config
	if config == "" {
		config = filepath.Join(root, "infra", "resources.json")
	}
	args := []string{
		filepath.Join(root, "infra", "local", "servicebus", "main.js"),
		"--port", strconv.Itoa(opts.Port),
		"--config", config,
		"--exit-with-stdin",
	}
	if opts.DataFile != "" {
		args = append(args, "--data", opts.DataFile)
	}
	if opts.LockDuration > 0 {
		args = append(args, "--lock-duration", isoDuration(opts.LockDuration))
	}
	return args
}

// isoDuration writes a duration as ISO 8601 seconds, to the millisecond.
func isoDuration(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("PT%d.%03dS", ms/1000, ms%1000)
}

// awaitReady waits for the line with the port and passes every other line on to output.
func (b *Broker) awaitReady(ctx context.Context, stdout io.Reader, output io.Writer) error {
	ready := make(chan string, 1)
	go func() {
		defer close(ready)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if port, ok := strings.CutPrefix(lines.Text(), readyPrefix); ok {
				ready <- port
				continue
			}
			fmt.Fprintln(output, lines.Text())
		}
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case text, ok := <-ready:
		if !ok {
			return errors.New("it ended before it was ready")
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("read its port: %w", err)
		}
		b.port = port
		return nil
	}
}

// Port is the port on 127.0.0.1 where the broker listens.
func (b *Broker) Port() int { return b.port }

// ConnectionString connects azservicebus.NewClientFromConnectionString to the broker.
func (b *Broker) ConnectionString() string { return ConnectionStringAt(b.port) }

// ConnectionStringAt connects to the broker through another port, such as that of a proxy.
func ConnectionStringAt(port int) string {
	return fmt.Sprintf("Endpoint=sb://127.0.0.1:%d;SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true", port)
}

// Stop ends the broker and returns when it is gone. Later calls do nothing.
func (b *Broker) Stop() {
	b.stop.Do(func() {
		_ = b.command.Process.Signal(syscall.SIGTERM) // fails only when it is gone already
		b.stdin.Close()
		select {
		case <-b.exited:
		case <-time.After(stopTimeout):
			_ = b.command.Process.Kill()
			<-b.exited
		}
	})
}

// moduleRoot walks up from the working directory to the folder with go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
