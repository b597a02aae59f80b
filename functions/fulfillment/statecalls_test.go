package fulfillment_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"stoa/shared/subscription"
	"stoa/shared/subscription/subscriptiontest"
)

// stateCalls is testdata/statecalls.json: every call in every state.
type stateCalls struct {
	Columns []string
	Calls   []stateCall
}

type stateCall struct {
	Rule, By, Call, Body string
	Want, Current        map[string]string
}

func readStateCalls(t *testing.T) stateCalls {
	t.Helper()
	raw, err := os.ReadFile("testdata/statecalls.json")
	require.NoError(t, err)
	var table stateCalls
	require.NoError(t, json.Unmarshal(raw, &table))
	return table
}

// cell is what the call answers in the column: the most exact name counts.
func (c *stateCall) cell(column string, profile subscription.Profile) string {
	tables := []map[string]string{c.Want}
	if profile == subscription.Current {
		tables = []map[string]string{c.Current, c.Want}
	}
	for _, table := range tables {
		if cell, ok := table[column]; ok {
			return cell
		}
		best := ""
		for name := range table {
			if prefix, wild := strings.CutSuffix(name, "*"); wild && strings.HasPrefix(column, prefix) && len(name) > len(best) {
				best = name
			}
		}
		if best != "" {
			return table[best]
		}
	}
	return ""
}

// in makes a subscription as the column says, with the operation a call may name.
func (b *bench) in(column string) (subID, opID string) {
	b.t.Helper()
	state, with, _ := strings.Cut(column, ", ")
	action, status, _ := strings.Cut(with, " ")
	sub := b.In(subscription.Status(state))
	opID = uuid.NewString()
	var o subscription.Operation
	var err error
	switch {
	case with == "" && (state == "Suspended" || state == "Unsubscribed"):
		b.Work()
		opID = b.lastOperation(sub.ID)
	case with == "reseller":
		buy := subscriptiontest.Order("silver", 20)
		buy.Store, buy.Beneficiary = subscription.StorePartnerCenter, &subscription.Party{TenantID: subscriptiontest.Tim.TenantID, ObjectID: subscriptiontest.Tim.ObjectID}
		sub = b.Activate(b.BuyOrder(buy).ID)
	case with == "Reinstate done":
		_, err = b.Service.Suspend(ctx, sub.ID)
		require.NoError(b.t, err)
		o, err = b.Service.Reinstate(ctx, sub.ID)
	case action == "Reinstate":
		o, err = b.Service.Reinstate(ctx, sub.ID)
	case action == "ChangePlan":
		o, err = b.Service.Change(ctx, sub, subscription.Target{PlanID: "gold"})
	case with != "":
		if state == "Unsubscribed" {
			sub = b.In(subscription.Subscribed)
		}
		o, err = b.Service.ChangeByBuyer(ctx, subscriptiontest.Ada, sub.ID, subscription.Target{Seats: subscription.Seats{Given: true, Count: 25}})
	}
	require.NoError(b.t, err, column)
	if o.ID != "" {
		opID = o.ID
	}
	switch {
	case status == "InProgress":
		b.Work()
	case with == "Reinstate done" && !o.Pending(): // notify only, profile current
		require.Equal(b.t, subscription.Succeeded, o.Status)
	case with == "change done", with == "Reinstate done":
		b.Work()
		require.NoError(b.t, b.Service.Acknowledge(ctx, b.Read(sub.ID), opID, "Success"))
	case with == "change cancelled":
		_, err = b.Service.Cancel(ctx, b.Read(sub.ID))
		require.NoError(b.t, err)
	}
	require.Equal(b.t, state, string(b.Read(sub.ID).Status), column)
	if status != "" && status != "done" && with != "change cancelled" {
		o := b.Operation(sub.ID, opID)
		require.Equal(b.t, []string{action, status, sub.ID}, []string{string(o.Action), string(o.Status), o.SubscriptionID}, column)
		require.Equal(b.t, opID, b.Read(sub.ID).PendingOp, column)
	}
	return sub.ID, opID
}

// lastOperation is the operation that the publisher was last called for.
func (b *bench) lastOperation(subID string) string {
	b.t.Helper()
	bodies := b.Hook.Bodies(b.t)
	for i := len(bodies) - 1; i >= 0; i-- {
		if bodies[i]["subscriptionId"] == subID {
			return bodies[i]["id"].(string)
		}
	}
	b.t.Fatalf("the publisher was not called for %s", subID)
	return ""
}

// stateOf is a subscription as the table writes it.
func (b *bench) stateOf(id string) string {
	b.t.Helper()
	s := b.Read(id)
	text := fmt.Sprintf("%s %s %d", s.Status, s.PlanID, s.Quantity)
	if s.PendingOp != "" {
		o := b.Operation(id, s.PendingOp)
		require.True(b.t, o.Pending())
		text += " " + string(o.Action)
	}
	return text
}

// code is the word of a refusal, of the details first.
func (a answer) code(t *testing.T) string {
	t.Helper()
	if a.status < 400 {
		return ""
	}
	var v struct {
		Code    string
		Details []struct{ Code string }
		Error   struct{ Code string }
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &v), a.body)
	switch {
	case v.Error.Code != "":
		return v.Error.Code
	case len(v.Details) > 0:
		return v.Details[0].Code
	}
	return v.Code
}

// TestEveryCallInEveryState drives the table through the API, in both profiles (5.1, 6.1).
func TestEveryCallInEveryState(t *testing.T) {
	t.Parallel()
	table := readStateCalls(t)
	for _, profile := range []subscription.Profile{subscription.Guide, subscription.Current} {
		for _, call := range table.Calls {
			t.Run(fmt.Sprintf("%s %s %s %s", profile, call.Rule, call.Call, call.Body), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, profile)
				for _, column := range table.Columns {
					if profile == subscription.Current && strings.HasPrefix(column, "Suspended, Reinstate") {
						continue // it is done at once
					}
					b.drive(&call, column, profile)
				}
			})
		}
	}
}

func (b *bench) drive(call *stateCall, column string, profile subscription.Profile) {
	b.t.Helper()
	want := call.cell(column, profile)
	require.NotEmpty(b.t, want, "the table does not say what %s does in %s", call.Call, column)
	id, op := b.in(column)
	before := b.stateOf(id)
	answered, leaves, moves := strings.Cut(want, " > ")
	if !moves {
		leaves = before
	}
	sub := b.Read(id)
	fill := strings.NewReplacer("{id}", id, "{op}", op, "{new}", uuid.NewString(), "{plan}", sub.PlanID, "{seats}", fmt.Sprint(sub.Quantity))
	method, path, _ := strings.Cut(call.Call, " ")
	q := request{method: method, path: fill.Replace(path), body: fill.Replace(call.Body), token: call.By, wrong: true}
	if strings.HasSuffix(path, "/resolve") {
		q.header = map[string]string{"x-ms-marketplace-token": b.tokenOf(&sub)}
	}
	a := b.do(q)
	got := strings.TrimSpace(fmt.Sprintf("%d %s", a.status, a.code(b.t)))
	require.Equal(b.t, answered, got, "%s in %s: %s", call.Call, column, a.body)
	require.Equal(b.t, leaves, b.stateOf(id), "%s in %s", call.Call, column)
	if a.status >= 400 && a.status != 409 {
		require.Equal(b.t, sub.ETag, b.Read(id).ETag, "FUL-11 %s in %s: a refusal saves nothing", call.Call, column)
	}
	require.NotEmpty(b.t, a.header.Get("x-ms-requestid"))
	require.NotEmpty(b.t, a.header.Get("x-ms-correlationid"))
	if strings.HasPrefix(path, "/api/") {
		require.Equal(b.t, a.status == 202, a.header.Get("Operation-Location") != "", column)
		if a.status < 300 && method != "GET" && !strings.HasSuffix(path, "/resolve") {
			require.Empty(b.t, a.body, column)
		}
	}
}

// tokenOf is a landing token of the subscription, issued whatever its status.
func (b *bench) tokenOf(sub *subscription.Subscription) string {
	b.t.Helper()
	if sub.Status != subscription.Unsubscribed {
		return b.landing(sub.ID)
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	token := base64.StdEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(token))
	require.NoError(b.t, b.Store.AddToken(ctx, subscription.LandingToken{
		Hash: hex.EncodeToString(sum[:]), SubscriptionID: sub.ID, PublisherID: sub.PublisherID,
		IssuedAt: b.Now(), ExpiresAt: b.Now().Add(1e9),
	}))
	return token
}
