package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"stoa/infra/local/demo"
	"stoa/infra/local/stack"
)

const version = "?api-version=2018-08-31"

// subject is what the figures are taken of: a handler of its own, and the bare SDK beside it.
type subject struct {
	handler *Handler
	http    *http.Client
	token   string
	walk    *demo.Walk
	bare    *aztables.ServiceClient
	now     func() time.Time // the moved clock

	connection string       // of the storage
	crowded    int          // copies of subscriptions made
	bareRuns   atomic.Int64 // tells the rows of bare runs apart
}

// bareService is the SDK as it comes, but for as many connections as there are callers, so that it does not lose
// for want of those.
func bareService(s *stack.Stack) (*aztables.ServiceClient, error) {
	return aztables.NewServiceClientFromConnectionString(s.Storage.ConnectionString(), &aztables.ClientOptions{
		ClientOptions: policy.ClientOptions{Transport: client()},
	})
}

// ownSubject starts a handler of its own, once. The figures are of the request path. What consumes its messages is
// another handler's work and would share the one storage stand-in with both sides, so the host and its handler rest;
// messages still go to the bus.
func (s *session) ownSubject(ctx context.Context) (*subject, error) {
	if s.subject != nil {
		return s.subject, nil
	}
	walk := demo.New(s.Stack, io.Discard)
	if err := walk.Live(ctx); err != nil {
		return nil, err
	}
	bare, err := bareService(s.Stack)
	if err != nil {
		return nil, err
	}
	handler, _, err := StartHandler(ctx, s.Root, s.Settings)
	if err != nil {
		return nil, err
	}
	s.subject = &subject{
		handler: handler, http: client(), token: walk.PublisherToken(), walk: walk, bare: bare, now: s.Clock.Now, connection: s.Storage.ConnectionString(),
	}
	if err := s.Host.Stop(ctx); err != nil {
		return nil, err
	}
	walk.Through(handler.URL)
	return s.subject, nil
}

// send makes a request to the handler and fails unless the status is as wanted. Header is names and values.
func (u *subject) send(ctx context.Context, method, path string, body any, want int, header ...string) ([]byte, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.handler.URL+path, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+u.token)
	req.Header.Set("Content-Type", "application/json")
	for i := 1; i < len(header); i += 2 {
		req.Header.Set(header[i-1], header[i])
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		return nil, fmt.Errorf("%s %s = %d, want %d: %s", method, path, resp.StatusCode, want, raw)
	}
	return raw, nil
}

// purchases buys n subscriptions, several at a time.
func (u *subject) purchases(ctx context.Context, name string, n int) ([]string, error) {
	ids := make([]string, n)
	_, err := rate(ctx, n, func(ctx context.Context, i int) (err error) {
		ids[i], err = u.walk.Purchase(ctx, "metered", fmt.Sprintf("%s %d", name, i))
		return err
	})
	return ids, err
}

// reads compares get subscription with a bare point read of the same row.
func (u *subject) reads(ctx context.Context, r *Report) error {
	ids, err := u.purchases(ctx, "read", 100)
	if err != nil {
		return err
	}
	table := u.bare.NewClient("subscriptions")
	ours := func(ctx context.Context, i int) error {
		_, err := u.send(ctx, http.MethodGet, "/api/saas/subscriptions/"+ids[i%len(ids)]+version, nil, http.StatusOK)
		return err
	}
	bare := func(ctx context.Context, i int) error {
		id := ids[i%len(ids)]
		_, err := table.GetEntity(ctx, partition(id), "sub|"+id, nil)
		return err
	}
	const n = 3000
	ratio, err := u.compare(ctx, n, fixed(ours), fixed(bare))
	if err != nil {
		return err
	}
	r.atLeast("get subscription, 16 callers ÷ bare point read", ratio, "ratio", 0.70, 1.0)
	return u.cpu(ctx, r, "handler CPU ÷ client CPU of the bare SDK, reads", n, ours, bare)
}

func fixed(work func(context.Context, int) error) side {
	return func(context.Context, int, int) (func(context.Context, int) error, error) { return work, nil }
}

// cpu compares the processor time of the handler with that of the bare SDK's process for the same storage calls.
func (u *subject) cpu(ctx context.Context, r *Report, name string, n int, ours, bare func(context.Context, int) error) error {
	if err := u.handler.Rest(ctx); err != nil {
		return err
	}
	before, err := u.handler.CPU()
	if err != nil {
		return err
	}
	if _, err := rate(ctx, n, ours); err != nil {
		return err
	}
	if err := u.handler.Rest(ctx); err != nil { // what follows the answers counts as well
		return err
	}
	after, err := u.handler.CPU()
	if err != nil {
		return err
	}
	own := ownCPU()
	if _, err := rate(ctx, n, bare); err != nil {
		return err
	}
	r.atMost(name, float64(after-before)/float64(ownCPU()-own), "ratio", 2.0, 1.2)
	return nil
}

// act is something a publisher does to a subscription.
type act struct {
	name  string
	ready func(ctx context.Context, id string) (string, error) // brings a new one so far and returns what do needs
	do    func(ctx context.Context, id, with string) error
}

func (u *subject) acts() []act {
	return []act{
		{"activate", func(context.Context, string) (string, error) { return "", nil },
			func(ctx context.Context, id, _ string) error { return u.activate(ctx, id) }},
		{"resolve new", u.walk.LandingToken, u.resolve},
		{"change plan", func(ctx context.Context, id string) (string, error) { return "plus", u.activate(ctx, id) }, u.changePlan},
	}
}

func (u *subject) activate(ctx context.Context, id string) error {
	_, err := u.send(ctx, http.MethodPost, "/api/saas/subscriptions/"+id+"/activate"+version, map[string]string{"planId": "metered"}, http.StatusOK)
	return err
}

func (u *subject) changePlan(ctx context.Context, id, plan string) error {
	_, err := u.send(ctx, http.MethodPatch, "/api/saas/subscriptions/"+id+version, map[string]string{"planId": plan}, http.StatusAccepted)
	return err
}

func (u *subject) resolve(ctx context.Context, id, token string) error {
	raw, err := u.send(ctx, http.MethodPost, "/api/saas/subscriptions/resolve"+version, nil, http.StatusOK, "x-ms-marketplace-token", token)
	if err == nil && !bytes.Contains(raw, []byte(id)) {
		err = fmt.Errorf("resolve %s: %.300s", id, raw)
	}
	return err
}

// side makes n subscriptions ready for the act.
func (u *subject) side(a act) side {
	return func(ctx context.Context, round, n int) (func(context.Context, int) error, error) {
		ids, err := u.purchases(ctx, fmt.Sprintf("%s %d", a.name, round), n)
		if err != nil {
			return nil, err
		}
		with := make([]string, n)
		_, err = rate(ctx, n, func(ctx context.Context, i int) (err error) {
			with[i], err = a.ready(ctx, ids[i])
			return err
		})
		return func(ctx context.Context, i int) error { return a.do(ctx, ids[i], with[i]) }, err
	}
}

const writesOfRound = 300

// writes compares what publishers do with a bare read and a transaction of three entities.
func (u *subject) writes(ctx context.Context, r *Report) error {
	acts := u.acts()
	for _, a := range acts {
		ratio, err := u.compare(ctx, writesOfRound, u.side(a), u.bareWrites)
		if err != nil {
			return err
		}
		r.atLeast(a.name+", 16 callers ÷ bare read + 3-entity transaction", ratio, "ratio", 0.60, 0.85)
	}
	own, err := u.side(acts[0])(ctx, rounds, writesOfRound)
	if err != nil {
		return err
	}
	bare, err := u.bareWrites(ctx, rounds, writesOfRound)
	if err != nil {
		return err
	}
	return u.cpu(ctx, r, "handler CPU ÷ client CPU of the bare SDK, writes", writesOfRound, own, bare)
}

// bareWrites makes n rows and returns the bare act on them: read one, replace it and insert two.
func (u *subject) bareWrites(ctx context.Context, round, n int) (func(context.Context, int) error, error) {
	table := u.bare.NewClient("subscriptions") // where the other side's rows are, because its size matters to the stand-in
	batch := u.bareRuns.Add(1)
	key := func(i int) string { return fmt.Sprintf("bench-%d-%d-%d", batch, round, i) }
	entity := func(i int, row string) []byte {
		raw, err := json.Marshal(map[string]string{"PartitionKey": key(i), "RowKey": row, "Data": string(bytes.Repeat([]byte("x"), 1200))})
		if err != nil {
			panic(err) // text always marshals
		}
		return raw
	}
	_, err := rate(ctx, n, func(ctx context.Context, i int) error {
		_, err := table.AddEntity(ctx, entity(i, "subscription"), nil)
		return err
	})
	return func(ctx context.Context, i int) error {
		read, err := table.GetEntity(ctx, key(i), "subscription", nil)
		if err != nil {
			return err
		}
		etag := azcore.ETag(read.ETag)
		_, err = table.SubmitTransaction(ctx, []aztables.TransactionAction{
			{ActionType: aztables.TransactionTypeUpdateReplace, Entity: entity(i, "subscription"), IfMatch: &etag},
			{ActionType: aztables.TransactionTypeAdd, Entity: entity(i, "operation")},
			{ActionType: aztables.TransactionTypeAdd, Entity: entity(i, "outbox")},
		}, nil)
		return err
	}, err
}

// subscriptionFigures measures reads and writes of subscriptions.
func subscriptionFigures(ctx context.Context, s *session, r *Report) error {
	u, err := s.ownSubject(ctx)
	if err != nil {
		return err
	}
	if err := u.reads(ctx, r); err != nil {
		return err
	}
	few, err := u.writeRate(ctx, "few")
	if err != nil {
		return err
	}
	if err := u.crowd(ctx, 2_000); err != nil {
		return err
	}
	if err := u.writes(ctx, r); err != nil {
		return err
	}
	if err := u.pages(ctx, r); err != nil {
		return err
	}
	return u.growth(ctx, r, few)
}
