package publicclient_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/infra/local/publicclient"
)

// The whole life of a subscription, as the documentation tells it.
func TestLifeOfASubscription(t *testing.T) {
	p := newPublisher(t)
	bought, err := p.store.Buy(t.Context(), p.plan, 20)
	must(t, "buy", err)
	id := bought.SubscriptionID
	for _, step := range []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"the customer lands and the publisher resolves", func(t *testing.T, id string) { p.landsAndResolves(t, id, bought.LandingURL) }},
		{"the publisher activates", p.activates},
		{"the wire shapes are those of the profile", p.shapes},
		{"the publisher lists", p.lists},
		{"the publisher changes the plan", p.changesPlan},
		{"the customer changes the plan", p.customerChangesPlan},
		{"seats change, from both sides", p.changesSeats},
		{"a change waits for a late acknowledgement", p.acknowledgesLate},
		{"a webhook that answers 400", p.rejects},
		{"the payment fails and is made up for", p.suspendsAndReinstates},
		{"the publisher unsubscribes", p.unsubscribes},
		{"the customer cancels another one", p.customerCancels},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, id) }) {
			return
		}
	}
}

func (p *publisher) landsAndResolves(t *testing.T, id, address string) {
	parsed, err := url.Parse(address)
	must(t, "landing address", err)
	token := parsed.Query().Get("token")
	status, page, err := landing(t.Context(), address)
	must(t, "open the landing page", err)
	equal(t, "landing page: "+page+" status", status, http.StatusOK)

	r, err := p.Resolve(t.Context(), token) // a second time
	must(t, "resolve", err)
	equal(t, "id", r.ID, id)
	equal(t, "offer", r.OfferID, p.store.OfferID)
	equal(t, "plan", r.PlanID, p.plan)
	equal(t, "quantity", r.Quantity, "20")
	equal(t, "name of the subscription", r.SubscriptionName, r.Subscription.Name)
	equal(t, "nested id", r.Subscription.ID, id)
	equal(t, "status", r.Subscription.SaasSubscriptionStatus, "PendingFulfillmentStart")
	equal(t, "start of a term that has not begun", r.Subscription.Term.StartDate, "")
	for what, wrong := range map[string]string{"no token": "", "an unknown token": "ab+cd/ef", "a longer token": token + "A"} {
		_, err := p.Resolve(t.Context(), wrong)
		refused(t, what, err, http.StatusBadRequest)
	}
	if encoded := url.QueryEscape(token); encoded != token {
		_, err := p.Resolve(t.Context(), encoded)
		refused(t, "a token that is still encoded", err, http.StatusBadRequest)
	}
	status, _, err = landing(t.Context(), strings.Replace(address, "token=", "token=x", 1))
	must(t, "open the landing page", err)
	equal(t, "landing page of a wrong token", status, http.StatusBadRequest)
}

func (p *publisher) activates(t *testing.T, id string) {
	refused(t, "activate another plan", p.Activate(t.Context(), id, p.other, "20"), http.StatusBadRequest)
	refused(t, "activate other seats", p.Activate(t.Context(), id, p.plan, "21"), http.StatusBadRequest)
	_, err := p.ChangePlan(t.Context(), id, p.other)
	refused(t, "change what is not active", err, http.StatusBadRequest)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+os.Getenv("PUBLISHER_LISTEN")+"/activate", strings.NewReader("id="+id))
	must(t, "activate", err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, text, err := browse(r)
	must(t, "activate", err)
	equal(t, "answer "+text, status, http.StatusOK)
	p.isOn(t, id, "Subscribed", p.plan, 20)
	refused(t, "activate again", p.Activate(t.Context(), id, p.plan, "20"), http.StatusBadRequest)
}

// The two versions of the documentation differ in how things are written.
func (p *publisher) shapes(t *testing.T, id string) {
	raw, err := p.Raw(t.Context(), id)
	must(t, "read", err)
	_, isNumber := raw["quantity"].(float64)
	equal(t, "quantity is a number", isNumber, p.current)
	beneficiary, _ := raw["beneficiary"].(map[string]any)
	_, hasPid := beneficiary["pid"]
	equal(t, "beneficiary has pid", hasPid, !p.current)
	_, hasRenew := raw["autoRenew"].(bool)
	equal(t, "has autoRenew", hasRenew, p.current)
	layout := time.DateOnly
	if p.current {
		layout = time.RFC3339
	}
	term, _ := raw["term"].(map[string]any)
	for _, date := range []string{"startDate", "endDate"} {
		text, _ := term[date].(string)
		_, err := time.Parse(layout, text)
		must(t, date, err)
	}
	equal(t, "term", term["termUnit"], any("P1M"))
	s, err := p.Subscription(t.Context(), id)
	must(t, "read", err)
	slices.Sort(s.AllowedCustomerOperations)
	equal(t, "allowed operations", fmt.Sprint(s.AllowedCustomerOperations), "[Delete Read Update]")
}

func (p *publisher) lists(t *testing.T, id string) {
	if p.page > 0 {
		for range p.page + 1 {
			_, err := p.store.Buy(t.Context(), p.plan, 1)
			must(t, "buy", err)
		}
	}
	all, pages, err := p.Subscriptions(t.Context())
	must(t, "list", err)
	if p.page > 0 && pages < 2 {
		t.Fatalf("%d subscriptions on %d page, want more pages", len(all), pages)
	}
	times := map[string]int{}
	for _, s := range all {
		times[s.ID]++
		equal(t, "times "+s.ID+" is listed", times[s.ID], 1)
	}
	equal(t, "times the subscription is listed", times[id], 1)

	plans, err := p.AvailablePlans(t.Context(), id)
	must(t, "list plans", err)
	for _, planID := range []string{p.plan, p.other} {
		at := slices.IndexFunc(plans, func(plan publicclient.Plan) bool { return plan.PlanID == planID })
		if at < 0 || plans[at].DisplayName == "" || plans[at].IsPrivate {
			t.Fatalf("plans are %+v, want %s, public and with a name", plans, planID)
		}
	}
}

func (p *publisher) changesPlan(t *testing.T, id string) {
	p.site.Answers(publicclient.Refuse)
	location, err := p.ChangePlan(t.Context(), id, p.other)
	must(t, "change the plan", err)
	p.told(t, id, "ChangePlan", 1)
	p.ended(t, location, "Failed")
	p.isOn(t, id, "Subscribed", p.plan, 20)

	p.site.Answers(publicclient.Agree)
	location, err = p.ChangePlan(t.Context(), id, p.other)
	must(t, "change the plan", err)
	n := p.told(t, id, "ChangePlan", 2)
	equal(t, "requested plan", n.PlanID, p.other)
	equal(t, "status of the call", n.Status, "InProgress")
	p.ended(t, location, "Succeeded")
	p.isOn(t, id, "Subscribed", p.other, 20)
	_, err = p.ChangePlan(t.Context(), id, p.other)
	refused(t, "change to the plan it is on", err, http.StatusBadRequest)
	refused(t, "acknowledge again", p.Acknowledge(t.Context(), n.Operation, "Success"), http.StatusConflict)
}

func (p *publisher) customerChangesPlan(t *testing.T, id string) {
	must(t, "the customer changes", p.store.Does(t.Context(), "changePlan", id, map[string]string{"planId": p.plan}))
	n := p.told(t, id, "ChangePlan", 3)
	equal(t, "requested plan", n.PlanID, p.plan)
	p.becomes(t, id, "back on the first plan", func(s publicclient.Subscription) bool { return s.PlanID == p.plan })
	if p.current {
		equal(t, "source", n.Raw["operationRequestSource"], any("Azure"))
		told, _ := n.Raw["subscription"].(map[string]any)
		equal(t, "subscription of the call", told["id"], any(id))
	}
}

func (p *publisher) changesSeats(t *testing.T, id string) {
	location, err := p.ChangeQuantity(t.Context(), id, 25)
	must(t, "change the seats", err)
	n := p.told(t, id, "ChangeQuantity", 1)
	equal(t, "requested seats", n.Quantity, "25")
	p.ended(t, location, "Succeeded")
	p.isOn(t, id, "Subscribed", p.plan, 25)

	must(t, "the customer changes", p.store.Does(t.Context(), "changeQuantity", id, map[string]int{"quantity": 30}))
	n = p.told(t, id, "ChangeQuantity", 2)
	equal(t, "requested seats", n.Quantity, "30")
	p.becomes(t, id, "30 seats", func(s publicclient.Subscription) bool { return s.Quantity == "30" })
	for _, seats := range []int{0, 30} {
		_, err := p.ChangeQuantity(t.Context(), id, seats)
		refused(t, fmt.Sprintf("change to %d seats", seats), err, http.StatusBadRequest)
	}
}

func (p *publisher) acknowledgesLate(t *testing.T, id string) {
	p.site.Answers(publicclient.Later)
	location, err := p.ChangeQuantity(t.Context(), id, 31)
	must(t, "change the seats", err)
	n := p.told(t, id, "ChangeQuantity", 3)
	waiting, err := p.Outstanding(t.Context(), id)
	must(t, "list operations", err)
	if len(waiting) != 1 || waiting[0].ID != n.ID || waiting[0].Status != "InProgress" {
		t.Fatalf("outstanding are %+v, want %s in progress", waiting, n.ID)
	}
	_, err = p.ChangePlan(t.Context(), id, p.other)
	refused(t, "change while another one is pending", err, http.StatusBadRequest)
	must(t, "acknowledge", p.Acknowledge(t.Context(), n.Operation, "Success"))
	p.ended(t, location, "Succeeded")
	p.isOn(t, id, "Subscribed", p.plan, 31)
	waiting, err = p.Outstanding(t.Context(), id)
	must(t, "list operations", err)
	equal(t, "outstanding operations", len(waiting), 0)
	p.site.Answers(publicclient.Agree)
}

// Today's documentation takes a 4xx for a no. That of 2021 takes it for a failed call, so that the change is still
// to be acknowledged.
func (p *publisher) rejects(t *testing.T, id string) {
	p.site.Answers(publicclient.Reject)
	location, err := p.ChangeQuantity(t.Context(), id, 40)
	must(t, "change the seats", err)
	n := p.told(t, id, "ChangeQuantity", 4)
	p.site.Answers(publicclient.Agree)
	if p.current {
		p.ended(t, location, "Failed")
		p.isOn(t, id, "Subscribed", p.plan, 31)
		return
	}
	o, err := p.At(t.Context(), location)
	must(t, "read the operation", err)
	equal(t, "status", o.Status, "InProgress")
	must(t, "acknowledge", p.Acknowledge(t.Context(), n.Operation, "Failure"))
	p.ended(t, location, "Failed")
	p.isOn(t, id, "Subscribed", p.plan, 31)
}

// happened is the status of calls that only tell.
func (p *publisher) happened() string {
	if p.current {
		return "Succeeded"
	}
	return "Success"
}

func (p *publisher) suspendsAndReinstates(t *testing.T, id string) {
	must(t, "the payment fails", p.store.Does(t.Context(), "suspend", id, nil))
	n := p.told(t, id, "Suspend", 1)
	equal(t, "status of the call", n.Status, p.happened())
	p.isOn(t, id, "Suspended", p.plan, 31)
	_, err := p.ChangePlan(t.Context(), id, p.other)
	refused(t, "change what is suspended", err, http.StatusBadRequest)
	refused(t, "activate what is suspended", p.Activate(t.Context(), id, p.plan, "31"), http.StatusBadRequest)
	refused(t, "acknowledge a call that only tells", p.Acknowledge(t.Context(), n.Operation, "Success"), http.StatusBadRequest)

	must(t, "it is paid", p.store.Does(t.Context(), "reinstate", id, nil))
	n = p.told(t, id, "Reinstate", 1)
	want := "InProgress"
	if p.current {
		want = p.happened()
	}
	equal(t, "status of the call", n.Status, want)
	p.becomes(t, id, "subscribed again", func(s publicclient.Subscription) bool { return s.SaasSubscriptionStatus == "Subscribed" })
	p.isOn(t, id, "Subscribed", p.plan, 31)
}

func (p *publisher) unsubscribes(t *testing.T, id string) {
	location, err := p.Unsubscribe(t.Context(), id)
	must(t, "unsubscribe", err)
	n := p.told(t, id, "Unsubscribe", 1)
	equal(t, "status of the call", n.Status, p.happened())
	p.ended(t, location, "Succeeded")
	p.isOn(t, id, "Unsubscribed", p.plan, 31)
	refused(t, "activate what has ended", p.Activate(t.Context(), id, p.plan, "31"), http.StatusNotFound)
	_, err = p.ChangeQuantity(t.Context(), id, 5)
	refused(t, "change what has ended", err, http.StatusBadRequest)
}

func (p *publisher) customerCancels(t *testing.T, _ string) {
	bought, err := p.store.Buy(t.Context(), p.other, 2)
	must(t, "buy", err)
	must(t, "activate", p.Activate(t.Context(), bought.SubscriptionID, p.other, "2"))
	must(t, "the customer cancels", p.store.Does(t.Context(), "cancel", bought.SubscriptionID, nil))
	p.told(t, bought.SubscriptionID, "Unsubscribe", 1)
	p.isOn(t, bought.SubscriptionID, "Unsubscribed", p.other, 2)
}
