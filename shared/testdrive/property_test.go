package testdrive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"stoa/shared/call"
	"stoa/shared/fault"
	"stoa/shared/message"
	"stoa/shared/offer"
	"stoa/shared/testdrive"
)

// moves are the edges of 5.3; staying is always allowed.
var moves = map[testdrive.State][]testdrive.State{
	testdrive.Provisioning: {testdrive.Active, testdrive.Failed, testdrive.Ending},
	testdrive.Active:       {testdrive.Ending},
	testdrive.Ending:       {testdrive.Ended},
}

// reach tells whether several steps may lead from one state to another.
func reach(from, to testdrive.State) bool {
	return from == to || slices.ContainsFunc(moves[from], func(next testdrive.State) bool { return reach(next, to) })
}

// Whatever customers, workflows and the clock do, in whatever order messages come and however often.
func TestSessionsHoldTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &world{rig: newRig(t), seen: map[string]testdrive.Session{}}
		t.Repeat(map[string]func(*rapid.T){
			"start": w.startAny, "end": w.endAny, "deliver": w.deliverAny, "clock": w.wait, "workflow": w.mood, "": w.check,
		})
		w.flows.answers = map[string]call.Reply{assignURL: {Status: 200}, deprovisionURL: {Status: 200}}
		for _, m := range w.pending {
			w.deliver(t, m)
		}
		for range 40 {
			w.clock.move(time.Hour)
			w.outbox.Advance(w.clock.now())
			w.deliverRest(t)
		}
		w.check(t)
		for id, s := range w.seen {
			require.True(t, s.State == testdrive.Ended || s.State == testdrive.Failed, "%s is %s in the end", id, s.State)
			require.False(t, s.CleanedAt.IsZero())
			require.Positive(t, w.leads.events["testdrive:"+id], "LED-12")
		}
		pool, err := w.store.Pool(context.Background(), w.pool())
		require.NoError(t, err)
		require.Empty(t, pool.Holders, "every slot is free in the end")
	})
}

type world struct {
	*rig
	seen    map[string]testdrive.Session // as they were last
	pending []message.Message            // messages that may still come, also again
}

func (w *world) pool() testdrive.PoolID {
	return testdrive.PoolID{PublisherID: "contoso", OfferID: "app", Slot: offer.Production}
}

func (w *world) startAny(t *rapid.T) {
	name := fmt.Sprint("p", rapid.IntRange(0, 3).Draw(t, "person"))
	s, err := w.Start(context.Background(), request(name))
	if err != nil {
		require.Equal(t, "TestDriveCapacityReached", fault.As(err).Code)
		return
	}
	if !s.Existing {
		w.seen[s.ID] = s.Session
	}
}

func (w *world) endAny(t *rapid.T) {
	name := fmt.Sprint("p", rapid.IntRange(0, 3).Draw(t, "person"))
	for id, s := range w.seen {
		if s.Customer == "t1/"+name && s.State.Unfinished() {
			_, err := w.End(context.Background(), person(name), id)
			require.NoError(t, err)
		}
	}
}

func (w *world) deliver(t *rapid.T, m message.Message) {
	var step testdrive.StepMessage
	require.NoError(t, json.Unmarshal(m.Body, &step))
	require.NoError(t, w.Run(context.Background(), step))
}

func (w *world) deliverAny(t *rapid.T) {
	w.outbox.Advance(w.clock.now())
	w.pending = append(w.pending, w.outbox.Take(message.TestDrives)...)
	if len(w.pending) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.pending)-1).Draw(t, "message")
	w.deliver(t, w.pending[i])
	if rapid.Bool().Draw(t, "settled") {
		w.pending = slices.Delete(w.pending, i, i+1)
	}
}

func (w *world) deliverRest(t *rapid.T) {
	for _, m := range w.outbox.Take(message.TestDrives) {
		w.deliver(t, m)
	}
}

func (w *world) wait(t *rapid.T) {
	w.clock.move(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
}

func (w *world) mood(t *rapid.T) {
	status := rapid.SampledFrom([]int{200, 200, 400, 500, 0})
	for _, url := range []string{assignURL, deprovisionURL} {
		delete(w.flows.answers, url)
		if s := status.Draw(t, url); s != 0 {
			w.flows.answers[url] = call.Reply{Status: s, Body: []byte(`{"outputs":{"password":"s3cret"}}`)}
		}
	}
}

func (w *world) check(t *rapid.T) {
	pool, err := w.store.Pool(context.Background(), w.pool())
	require.NoError(t, err)
	require.LessOrEqual(t, len(pool.Holders), 2, "TDR-57")
	unfinished := map[string]int{}
	for id, before := range w.seen {
		s := w.session(t, id)
		require.True(t, reach(before.State, s.State), "%s went from %s to %s", id, before.State, s.State)
		if !before.ExpiresAt.IsZero() {
			require.Equal(t, before.ExpiresAt, s.ExpiresAt, "TDR-59")
		}
		if s.State != testdrive.Active {
			require.Empty(t, s.Outputs, "TDR-65")
		}
		holds := slices.ContainsFunc(pool.Holders, func(h testdrive.Holder) bool { return h.SessionID == id })
		require.Equal(t, s.CleanedAt.IsZero(), holds, "a slot is held until the clean-up is done")
		if s.State.Unfinished() {
			unfinished[s.Customer]++
			require.Equal(t, 1, unfinished[s.Customer], "TDR-56")
		}
		w.seen[id] = s
	}
}
