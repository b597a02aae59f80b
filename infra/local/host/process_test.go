package host

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHandlerEnvironment(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{"echo": httpFunction(anonymous)})
	a.opts.Settings["My.Setting"] = "mine"
	h := a.start()
	a.mu.Lock()
	b := a.begun[0]
	a.mu.Unlock()
	env := map[string]string{}
	for _, line := range b.Env {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	require.Equal(t, a.root, b.Dir, "HST-1: the script root is the working directory")
	require.NotEmpty(t, env["FUNCTIONS_CUSTOMHANDLER_PORT"], "HST-1")
	require.Equal(t, env["FUNCTIONS_CUSTOMHANDLER_PORT"], env["FUNCTIONS_HTTPWORKER_PORT"], "HST-1")
	require.NotEmpty(t, env["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"], "HST-1")
	require.Equal(t, a.root, env["FUNCTIONS_APP_ROOT_PATH"], "HST-1")
	require.Equal(t, "mine", env["My.Setting"], "HST-3: every app setting is a variable")
	require.Equal(t, b.PID, h.HandlerPID())
	require.True(t, strings.HasPrefix(h.Addr(), "127.0.0.1:"), "loopback only")
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{"echo": httpFunction(anonymous)})
	a.opts.Settings["HOST_TEST_MODE"] = "late"
	a.start() // the handler's GET / answers 418: any answer is ready
	reply, _ := a.do("GET", "/echo", "")
	require.Equal(t, 200, reply.StatusCode, "HST-2: nothing is invoked before the handler listens")
}

func TestRestart(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{"echo": httpFunction(anonymous)})
	h := a.start()
	for n := 1; n <= 2; n++ {
		old := h.HandlerPID()
		h.KillHandler()
		require.Eventually(t, func() bool { p := h.HandlerPID(); return p != 0 && p != old }, 10*time.Second, time.Millisecond)
		reply, _ := a.do("GET", "/echo", "")
		require.Equal(t, 200, reply.StatusCode, "HST-3: restarted, and requests wait for it")
	}
	h.KillHandler()
	select {
	case err := <-h.Wait():
		require.ErrorContains(t, err, "exited 3 times", "HST-3")
	case <-time.After(10 * time.Second):
		t.Fatal("HST-3: the host went on after 3 exits")
	}
	reply, _ := a.do("GET", "/echo", "")
	require.Equal(t, 500, reply.StatusCode)
}

func TestHandlerThatCannotStart(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", nil)
	a.opts.Settings["HOST_TEST_MODE"] = "exit"
	_, err := Start(t.Context(), a.opts)
	require.ErrorContains(t, err, "exited 3 times", "HST-3")
	require.True(t, a.logged(Error, "cannot go on"), "HST-4: stderr lines are errors")
}

func TestStop(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{"echo": httpFunction(anonymous)})
	entered, release := make(chan struct{}), make(chan struct{})
	a.onCall = func(seen) answer { close(entered); <-release; return answer{Status: 201} }
	h := a.start()
	pid := h.HandlerPID()
	got := make(chan int, 1)
	go func() {
		reply, err := a.client.Get("http://" + h.Addr() + "/echo")
		if err != nil {
			got <- 0
			return
		}
		_ = reply.Body.Close()
		got <- reply.StatusCode
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- h.Stop(context.Background()) }()
	a.awaitLog(Information, "handler got SIGTERM")
	close(release)
	require.NoError(t, <-stopped)
	require.Equal(t, 201, <-got, "HST-4: work in flight is finished")
	require.True(t, a.logged(Information, "handler is done"), "HST-4: stdout lines are information")
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "the handler is gone")
}

func TestStopKillsAfterTheGrace(t *testing.T) {
	t.Parallel()
	a := newApp(t, "", map[string]string{"echo": httpFunction(anonymous)})
	a.opts.StopGrace = 100 * time.Millisecond
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	a.onCall = func(seen) answer { close(entered); <-release; return answer{} }
	h := a.start()
	pid := h.HandlerPID()
	go func() {
		if reply, err := a.client.Get("http://" + h.Addr() + "/echo"); err == nil {
			_ = reply.Body.Close()
		}
	}()
	<-entered
	require.Error(t, h.Stop(context.Background()))
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}
