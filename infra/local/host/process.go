package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
)

const (
	readyTimeout  = 30 * time.Second      // HST-2
	readyInterval = 10 * time.Millisecond // the real host polls every 25 ms
	exitThreshold = 5 * time.Minute       // exits further apart than this clear the counter (HST-3)
)

// handlerProcess keeps one handler running: it starts it, waits for it to be ready and restarts it.
type handlerProcess struct {
	host *Host

	mu       sync.Mutex
	process  *os.Process
	base     string        // http://127.0.0.1:port, empty until ready
	ready    chan struct{} // closed when base is set
	stopping bool
	failure  error
	ended    chan struct{} // closed when the last process is gone for good
}

func newHandlerProcess(h *Host) *handlerProcess {
	return &handlerProcess{host: h, ready: make(chan struct{}), ended: make(chan struct{})}
}

var errStopped = errors.New("the host is stopping")

// supervise runs the handler until the host stops (nil) or it exited too often (HST-3).
func (p *handlerProcess) supervise() error {
	// A child dies with the thread that started it (Pdeathsig), so this one is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	exits, last := 0, time.Time{}
	for {
		err := p.runOnce()
		p.mu.Lock()
		stopping := p.stopping
		if !stopping {
			if now := time.Now(); now.Sub(last) > exitThreshold {
				exits, last = 1, now
			} else {
				exits, last = exits+1, now
			}
			if exits >= p.host.opts.MaxRestarts {
				p.failure = fmt.Errorf("the handler exited %d times, the last time: %w", exits, err)
				close(p.ready)
			}
		}
		failure := p.failure
		p.mu.Unlock()
		if stopping || failure != nil {
			return failure
		}
		p.host.logf(Error, "The handler exited (%v), exit %d of %d: restarting it", err, exits, p.host.opts.MaxRestarts)
	}
}

// runOnce starts the handler and returns when it is gone.
func (p *handlerProcess) runOnce() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	cmd, outputs := p.command(port)
	p.mu.Lock()
	if p.stopping {
		p.mu.Unlock()
		return errStopped
	}
	if err := cmd.Start(); err != nil {
		p.mu.Unlock()
		return err
	}
	p.process = cmd.Process
	p.mu.Unlock()
	gone := make(chan struct{})
	go p.awaitListener(cmd.Process, "http://127.0.0.1:"+port, gone)
	err = cmd.Wait()
	close(gone)
	for _, o := range outputs {
		o.flush()
	}
	p.mu.Lock()
	p.process = nil
	if p.base != "" {
		p.base = ""
		p.ready = make(chan struct{})
	}
	p.mu.Unlock()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return err
}

func (p *handlerProcess) command(port string) (*exec.Cmd, []*lineWriter) {
	h := p.host
	cmd := exec.Command(h.config.executable, h.config.arguments...)
	cmd.Dir = h.opts.ScriptRoot
	cmd.Env = environment(h.opts, port)
	cmd.SysProcAttr = dieWithParent()
	cmd.WaitDelay = time.Second
	level := Error
	if !h.config.stderrIsErrors {
		level = Information
	}
	stdout := &lineWriter{emit: func(s string) { h.emit(Line{Level: Information, Source: "handler", Text: s}) }}
	stderr := &lineWriter{emit: func(s string) { h.emit(Line{Level: level, Source: "handler", Text: s}) }}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, []*lineWriter{stdout, stderr}
}

// environment is every app setting, the host's own variables (HST-1) and what a process cannot do without.
func environment(o Options, port string) []string {
	vars := map[string]string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			vars[name] = v
		}
	}
	for name, value := range o.Settings {
		vars[name] = value
	}
	vars["FUNCTIONS_CUSTOMHANDLER_PORT"] = port
	vars["FUNCTIONS_HTTPWORKER_PORT"] = port
	vars["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"] = uuid.NewString()
	vars["FUNCTIONS_APP_ROOT_PATH"] = o.ScriptRoot
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return env
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), l.Close()
}

// awaitListener polls GET / until any HTTP response comes, 30 s at most, then kills the process (HST-2).
func (p *handlerProcess) awaitListener(process *os.Process, base string, gone <-chan struct{}) {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       readyTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	deadline := time.Now().Add(readyTimeout)
	for time.Now().Before(deadline) {
		reply, err := client.Get(base + "/")
		if err == nil {
			_ = reply.Body.Close()
			p.setReady(process, base)
			return
		}
		select {
		case <-gone:
			return
		case <-time.After(readyInterval):
		}
	}
	p.host.logf(Error, "The handler did not answer on %s within %s", base, readyTimeout)
	_ = process.Kill()
}

func (p *handlerProcess) setReady(process *os.Process, base string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != process || p.base != "" {
		return
	}
	p.base = base
	close(p.ready)
}

func (p *handlerProcess) awaitReady(ctx context.Context) error {
	_, err := p.url(ctx)
	return err
}

// url returns where the handler listens. While it is being restarted the call waits.
func (p *handlerProcess) url(ctx context.Context) (string, error) {
	for {
		p.mu.Lock()
		base, ready, failure := p.base, p.ready, p.failure
		p.mu.Unlock()
		if failure != nil {
			return "", failure
		}
		if base != "" {
			return base, nil
		}
		select {
		case <-ready:
		case <-p.ended:
			return "", errStopped
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func (p *handlerProcess) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return 0
	}
	return p.process.Pid
}

func (p *handlerProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil {
		_ = p.process.Kill()
	}
}

// terminate asks the handler to end (SIGTERM) and forbids a restart.
func (p *handlerProcess) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
	if p.process != nil {
		_ = p.process.Signal(syscall.SIGTERM)
	}
}

// stop waits for the end of the handler, at most grace, then kills it.
func (p *handlerProcess) stop(grace time.Duration) {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	timer := time.NewTimer(max(grace, 0))
	defer timer.Stop()
	select {
	case <-p.ended:
		return
	case <-timer.C:
	}
	p.kill()
	<-p.ended
}
