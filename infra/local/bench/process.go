package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Handler is a handler process under measurement, without a host above it.
type Handler struct {
	cmd *exec.Cmd
	URL string
}

// StartHandler runs the bundle's handler with the settings and returns how long its first answer on / took.
func StartHandler(ctx context.Context, bundle string, settings map[string]string) (*Handler, time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, 0, fmt.Errorf("start the handler: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	h := &Handler{cmd: exec.Command(filepath.Join(bundle, "handler")), URL: fmt.Sprintf("http://127.0.0.1:%d", port)}
	h.cmd.Dir = bundle
	h.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "FUNCTIONS_CUSTOMHANDLER_PORT=" + strconv.Itoa(port)}
	for name, value := range settings {
		h.cmd.Env = append(h.cmd.Env, name+"="+value)
	}
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := h.cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("start the handler: %w", err)
	}
	for {
		resp, err := http.Get(h.URL + "/")
		if err == nil {
			resp.Body.Close()
			return h, time.Since(start), nil
		}
		if time.Since(start) > 30*time.Second || ctx.Err() != nil {
			h.Stop()
			return nil, 0, fmt.Errorf("start the handler: no answer: %w", err)
		}
		time.Sleep(500 * time.Microsecond)
	}
}

// Stop ends the process as the host would, and waits.
func (h *Handler) Stop() {
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	_ = h.cmd.Wait()
}

// CPU is the processor time the process has used.
func (h *Handler) CPU() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the handler's processor time: %w", err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	const utime, stime, ticks = 11, 12, 100
	var total int64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the handler's processor time: %w", err)
		}
		total += n
	}
	return time.Duration(total) * time.Second / ticks, nil
}

// Rest waits until the process has used hardly any processor time for a while: what its last answers have begun,
// such as the delivery of messages, is done.
func (h *Handler) Rest(ctx context.Context) error {
	const moment, idle, patience = 200 * time.Millisecond, 20 * time.Millisecond, time.Minute
	before, err := h.CPU()
	for start := time.Now(); err == nil && time.Since(start) < patience; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(moment):
		}
		var now time.Duration
		if now, err = h.CPU(); now-before < idle {
			return err
		}
		before = now
	}
	return err
}

// RSS is the resident memory of the process in bytes.
func (h *Handler) RSS() (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the handler's memory: %w", err)
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("read the handler's memory: no VmRSS")
	}
	kb, err := strconv.ParseInt(fields[0], 10, 64)
	return kb << 10, err
}

// ownCPU is the processor time this process has used: the client side of the bare SDK.
func ownCPU() time.Duration {
	var u syscall.Rusage
	// It fails for a bad argument only.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
