package outbound_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/outbound"
)

func receivers() *outbound.Receivers {
	return outbound.NewReceivers(outbound.New(outbound.Options{AllowLoopback: true}))
}

// receiver answers as the handler says, over plain http.
func receiver(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices a caller that hangs up
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// hanging holds every call until the caller gives up, and counts those it holds.
func hanging(t *testing.T) (*httptest.Server, *atomic.Int32) {
	var held atomic.Int32
	release := make(chan struct{})
	s := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		held.Add(1)
		defer held.Add(-1)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	t.Cleanup(func() { close(release) })
	return s, &held
}

func post(ctx context.Context, rs *outbound.Receivers, url string) error {
	_, err := rs.Do(ctx, call.Request{Method: "POST", URL: url, Body: []byte("{}"), Timeout: 2200 * time.Millisecond})
	return err
}

// A receiver that hangs has a few calls under way; the next is refused at once and not when one of those is over.
func TestAHangingReceiverHoldsFewCalls(t *testing.T) {
	t.Parallel()
	s, held := hanging(t)
	rs := receivers()
	var group sync.WaitGroup
	hang := func(n int) {
		for range n {
			group.Go(func() { requireFault(t, post(t.Context(), rs, s.URL), fault.Unavailable, "CallTimeout") })
		}
		require.Eventually(t, func() bool { return int(held.Load()) == n }, 10*time.Second, time.Millisecond)
	}
	hang(outbound.NewReceiver)
	began := time.Now()
	for range 8 {
		err := post(t.Context(), rs, s.URL)
		requireFault(t, err, fault.Throttled, "ReceiverBusy")
		require.Positive(t, fault.As(err).RetryAfter)
	}
	require.Less(t, time.Since(began), time.Second, "one waits a moment, the others do not wait")
	group.Wait()

	hang(2) // known to be slow
	requireFault(t, post(t.Context(), rs, s.URL), fault.Throttled, "ReceiverBusy")
	group.Wait()
}

// However many receivers hang, a proven one is called without delay: those that are new have a bounded number of
// calls together, those that are known to be slow fewer.
func TestHangingReceiversLeaveRoom(t *testing.T) {
	t.Parallel()
	rs := receivers()
	good := receiver(t, func(http.ResponseWriter, *http.Request) {})
	require.NoError(t, post(t.Context(), rs, good.URL))
	var held, peak atomic.Int32
	var all []string
	for range 8 {
		s := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
			held.Add(1)
			defer held.Add(-1)
			select { // a caller that has given up is noticed a moment later
			case <-r.Context().Done():
				return
			case <-time.After(300 * time.Millisecond):
			}
			n := held.Load()
			for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
			}
			<-r.Context().Done()
		})
		all = append(all, s.URL)
	}
	hang := func(each int) {
		var group sync.WaitGroup
		for _, url := range all {
			for range each {
				group.Go(func() {
					if err := post(t.Context(), rs, url); !fault.Is(err, fault.Throttled) && !fault.Is(err, fault.Unavailable) {
						t.Errorf("a call that hangs = %v", err)
					}
				})
			}
		}
		require.Eventually(t, func() bool { return held.Load() > 0 }, 10*time.Second, time.Millisecond)
		for range 20 {
			require.NoError(t, post(t.Context(), rs, good.URL), "beside those that hang")
		}
		group.Wait()
		require.Eventually(t, func() bool { return held.Load() == 0 }, 10*time.Second, time.Millisecond)
	}
	hang(outbound.NewReceiver)
	require.LessOrEqual(t, peak.Swap(0), int32(outbound.Unproven))
	for range 3 { // until each of them is known to be slow
		hang(1)
	}
	peak.Store(0)
	hang(outbound.NewReceiver)
	require.LessOrEqual(t, peak.Load(), int32(outbound.SlowReceivers))
}

// A receiver that was slow and is well again is trusted step by step.
func TestASlowReceiverGetsWell(t *testing.T) {
	t.Parallel()
	var slow atomic.Bool
	slow.Store(true)
	var now, most atomic.Int32
	s := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			<-r.Context().Done()
			return
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
	})
	rs := receivers()
	require.Error(t, post(t.Context(), rs, s.URL))
	slow.Store(false)
	require.NoError(t, post(t.Context(), rs, s.URL))
	for range 40 {
		require.NoError(t, post(t.Context(), rs, s.URL))
	}
	var group sync.WaitGroup
	for range 3 * outbound.PerReceiver {
		group.Go(func() { _ = post(t.Context(), rs, s.URL) }) // refused when it comes to no turn
	}
	group.Wait()
	require.EqualValues(t, outbound.PerReceiver, most.Load())
}

// An answer counts when its head is there, however slowly its body drips; what came of it is given.
func TestTheHeadOfAnAnswerIsTheReceipt(t *testing.T) {
	t.Parallel()
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "thanks")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	began := time.Now()
	reply, err := receivers().Do(t.Context(), call.Request{Method: "POST", URL: s.URL, Timeout: 20 * time.Second})
	require.NoError(t, err)
	require.Equal(t, "202 thanks", fmt.Sprint(reply.Status, " ", string(reply.Body)))
	require.Less(t, time.Since(began), 10*time.Second)

	huge := receiver(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1<<20)) })
	reply, err = receivers().Do(t.Context(), call.Request{Method: "POST", URL: huge.URL, MaxReply: 1024})
	require.NoError(t, err)
	require.Len(t, reply.Body, 1024)
}

func TestReceiversAreGuarded(t *testing.T) {
	t.Parallel()
	strict := outbound.NewReceivers(outbound.New(outbound.Options{}))
	for _, url := range []string{"https://127.0.0.1:9/", "http://example.com/", "https://169.254.169.254/", "https://u:p@example.com/", ""} {
		requireFault(t, post(t.Context(), strict, url), fault.Invalid, "AddressNotAllowed")
	}
	var followed atomic.Int32
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		followed.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	reply, err := receivers().Do(t.Context(), call.Request{Method: "POST", URL: s.URL})
	require.NoError(t, err)
	require.Equal(t, []int{http.StatusTemporaryRedirect, 1}, []int{reply.Status, int(followed.Load())})

	gone := receiver(t, func(http.ResponseWriter, *http.Request) {})
	gone.Close()
	err = post(t.Context(), receivers(), gone.URL)
	requireFault(t, err, fault.Unavailable, "CallFailed")
	require.Equal(t, "The address refused the connection.", fault.As(err).Message)
}

// A caller who gives up says nothing about the receiver, and gives its turn back.
func TestACallerThatGivesUp(t *testing.T) {
	t.Parallel()
	s, held := hanging(t)
	rs := receivers()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range outbound.NewReceiver {
		group.Go(func() { require.Error(t, post(ctx, rs, s.URL)) })
	}
	require.Eventually(t, func() bool { return held.Load() == outbound.NewReceiver }, 10*time.Second, time.Millisecond)
	cancel()
	group.Wait()
	for range outbound.NewReceiver {
		group.Go(func() { require.False(t, fault.Is(post(t.Context(), rs, s.URL), fault.Throttled)) })
	}
	group.Wait()
}
