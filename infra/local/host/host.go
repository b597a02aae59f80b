package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Options says what a Host runs.
type Options struct {
	ScriptRoot string            // the folder with host.json and <Function>/function.json
	Port       int               // public port on 127.0.0.1; 0 takes a free one
	Settings   map[string]string // app settings: the handler's environment, %SETTING%s and connections
	Now        func() time.Time  // the clock timers follow; it may be moved. Default time.Now
	Log        func(Line)        // receives every log line, from several goroutines. Default none
	Keys       Keys              // for authLevel function and admin; without keys those answer 401

	TimerTick        time.Duration // how often Now is compared with the timers' next runs. Default 100 ms
	BlobPollInterval time.Duration // how often blob containers are listed. Default 1 s
	StopGrace        time.Duration // how long Stop waits for work in flight. Default 10 s
	MaxRestarts      int           // the exit of the handler after which the host shuts down. Default 3 (HST-3)
}

// Keys are the access keys of a function app.
type Keys struct {
	Master    string              // opens everything, and alone opens authLevel admin
	Host      string              // opens every function of authLevel function
	Functions map[string][]string // further keys of single functions
}

// Host is a running stand-in host and its handler.
type Host struct {
	opts      Options
	config    hostConfig
	functions []function
	faults    map[string]error
	router    *router
	bodyLimit int64

	transport *http.Transport
	listener  net.Listener
	server    *http.Server
	handler   *handlerProcess
	storage   *storage // nil without AzureWebJobsStorage
	schedules map[string]*timer
	started   time.Time

	work     work
	triggers sync.WaitGroup
	halt     context.CancelFunc // ends the triggers' intake
	running  context.Context    // of trigger invocations: outlives halt by the grace
	abort    context.CancelFunc
	stopOnce sync.Once
	stopErr  error
	done     chan error
}

// Start reads the script root, starts the handler, waits until it is ready (HST-2) and starts the
// triggers. A function in error is logged and left out, as the host does (see FunctionErrors); a bad
// host.json and a handler that never becomes ready are errors.
func Start(ctx context.Context, opts Options) (*Host, error) {
	h := &Host{opts: withDefaults(opts), done: make(chan error, 1), transport: newTransport(), started: time.Now()}
	var err error
	if h.config, err = readHostConfig(opts.ScriptRoot); err != nil {
		return nil, err
	}
	if h.functions, h.faults, err = readFunctions(opts.ScriptRoot, opts.Settings); err != nil {
		return nil, err
	}
	var routeFaults map[string]error
	h.router, routeFaults = newRouter(h.config.routePrefix, h.functions)
	for name, fault := range routeFaults {
		h.faults[name] = fault
	}
	for name, fault := range h.faults {
		h.logFunction(Error, name, "The '%s' function is in error: %v", name, fault)
	}
	h.bodyLimit = bodyLimit(opts.Settings)
	h.listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(opts.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", opts.Port, err)
	}
	h.handler = newHandlerProcess(h)
	go h.watchHandler()
	if err := h.handler.awaitReady(ctx); err != nil {
		_ = h.listener.Close()
		h.handler.stop(0)
		return nil, fmt.Errorf("start handler: %w", err)
	}
	h.serve()
	return h, nil
}

func withDefaults(o Options) Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.TimerTick = orDefault(o.TimerTick, 100*time.Millisecond)
	o.BlobPollInterval = orDefault(o.BlobPollInterval, time.Second)
	o.StopGrace = orDefault(o.StopGrace, 10*time.Second)
	if o.MaxRestarts <= 0 {
		o.MaxRestarts = 3
	}
	return o
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

// serve opens the public port and starts the triggers.
func (h *Host) serve() {
	h.server = &http.Server{Handler: http.HandlerFunc(h.serveHTTP), ReadHeaderTimeout: 30 * time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	h.halt = cancel
	h.running, h.abort = context.WithCancel(context.Background())
	var err error
	if h.storage, err = openStorage(h.opts.Settings); err != nil {
		h.logf(Warning, "%v: timers are kept in memory", err)
	}
	h.startTimers(ctx)
	for i := range h.functions {
		f := &h.functions[i]
		if f.disabled {
			h.logFunction(Information, f.name, "Function '%s' is disabled", f.name)
			continue
		}
		var err error
		switch f.trigger.kind() {
		case triggerServiceBus:
			err = h.startServiceBus(ctx, f)
		case triggerBlob:
			err = h.startBlob(ctx, f)
		}
		if err != nil {
			h.logFunction(Error, f.name, "The listener for function 'Functions.%s' was unable to start: %v", f.name, err)
		}
	}
	go func() { _ = h.server.Serve(h.listener) }()
	h.logf(Information, "Job host started: %d functions on http://%s", len(h.functions), h.Addr())
}

// watchHandler ends the host when the handler exited too often (HST-3).
func (h *Host) watchHandler() {
	if err := h.handler.supervise(); err != nil {
		h.logf(Error, "%v. Shutting down Functions Host", err)
		h.done <- err
		close(h.done)
	}
}

// Addr returns the public address, host:port.
func (h *Host) Addr() string { return h.listener.Addr().String() }

// FunctionErrors returns why functions were left out, by name.
func (h *Host) FunctionErrors() map[string]error { return h.faults }

// HandlerPID returns the process id of the handler, 0 while there is none.
func (h *Host) HandlerPID() int { return h.handler.pid() }

// KillHandler ends the handler at once (SIGKILL). The host restarts it as after any exit (HST-3).
func (h *Host) KillHandler() { h.handler.kill() }

// Wait returns a channel that yields the reason when the host shuts itself down because the handler
// exited MaxRestarts times (HST-3). Such a host still has to be stopped.
func (h *Host) Wait() <-chan error { return h.done }

// Stop ends the host: no new work is taken, the handler gets SIGTERM, work in flight may finish within
// the grace (or until ctx ends), then the handler is killed (HST-4). Further calls return the first
// one's result.
func (h *Host) Stop(ctx context.Context) error {
	h.stopOnce.Do(func() { h.stopErr = h.stop(ctx) })
	return h.stopErr
}

func (h *Host) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.opts.StopGrace)
	defer cancel()
	h.halt()
	finished := h.work.close()
	_ = h.listener.Close()
	h.transport.CloseIdleConnections()
	h.handler.terminate()
	var err error
	select {
	case <-finished:
	case <-ctx.Done():
		err = errors.New("stop host: work was still in flight when the grace ended")
	}
	h.transport.CloseIdleConnections()
	deadline, _ := ctx.Deadline()
	h.handler.stop(time.Until(deadline))
	_ = h.server.Close()
	h.abort()
	h.triggers.Wait()
	return err
}

// work counts what is in flight, and refuses new work once closed.
type work struct {
	mu     sync.Mutex
	count  int
	closed chan struct{} // nil until close
}

func (w *work) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil {
		return false
	}
	w.count++
	return true
}

func (w *work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count--
	if w.closed != nil && w.count == 0 {
		close(w.closed)
	}
}

// close refuses further work and returns a channel that is closed when the last is done.
func (w *work) close() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = make(chan struct{})
	if w.count == 0 {
		close(w.closed)
	}
	return w.closed
}
