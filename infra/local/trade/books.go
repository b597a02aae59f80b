package trade

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"stoa/infra"
	"stoa/shared/store/table"
)

// Posting is a posting on an account.
type Posting struct {
	Key    string `json:"idempotencyKey"`
	Event  string `json:"event"`
	LineID string `json:"lineId"`
	Side   string `json:"side"`
	Amount int64  `json:"amount"` // minor units
}

// Account is an account with all its postings.
type Account struct {
	Debit    int64     `json:"debit"`
	Credit   int64     `json:"credit"`
	Postings []Posting `json:"postings"`
}

// Account reads an account in USD, as staff. One without postings is empty.
func (c *Client) Account(ctx context.Context, name string) (Account, error) {
	var all Account
	after := ""
	for {
		path := "/operator/v1/ledger/accounts/" + url.PathEscape(name) + "?currency=USD&limit=1000&continuation=" + url.QueryEscape(after)
		a, err := c.Do(ctx, Request{As: Operator, Method: http.MethodGet, Path: path}, http.StatusOK, http.StatusNotFound)
		if err != nil || a.Status == http.StatusNotFound {
			return all, err
		}
		var page struct {
			Account
			Continuation string `json:"continuation"`
		}
		if err := a.Decode(&page); err != nil {
			return all, err
		}
		all.Debit, all.Credit, all.Postings = page.Debit, page.Credit, append(all.Postings, page.Postings...)
		if after = page.Continuation; after == "" {
			return all, nil
		}
	}
}

// Cycle is the metered use of a dimension in a month.
type Cycle struct {
	Dimension  string                 `json:"dimensionId"`
	Month      string                 `json:"cycle"`
	State      string                 `json:"state"`
	Quantities map[string]json.Number `json:"quantities"`
}

// Cycles reads the metered cycles of a resource, as staff. There are none before usage has arrived.
func (c *Client) Cycles(ctx context.Context, resourceID string) ([]Cycle, error) {
	a, err := c.Do(ctx, Request{As: Operator, Method: http.MethodGet, Path: "/operator/v1/ledger/cycles/" + resourceID}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	var got struct {
		Value []Cycle `json:"value"`
	}
	return got.Value, a.Decode(&got)
}

// Failure is something that waits for staff: a dead letter, or a parked lead.
type Failure struct {
	ID        string          `json:"id"`
	Queue     string          `json:"queue"`
	MessageID string          `json:"messageId"`
	LeadID    string          `json:"leadId"` // of a parked lead
	Reason    string          `json:"reason"`
	Body      json.RawMessage `json:"body"`
}

// String says what it is, and why.
func (f Failure) String() string {
	return fmt.Sprintf("%s %s%s: %s %.300s", f.Queue, f.MessageID, f.LeadID, f.Reason, f.Body)
}

// Failures reads all that waits for staff.
func (c *Client) Failures(ctx context.Context) ([]Failure, error) {
	var found []Failure
	for _, list := range []string{"/operator/v1/deadletters", "/operator/v1/leads/parked"} {
		for after := ""; ; {
			a, err := c.Do(ctx, Request{As: Operator, Method: http.MethodGet, Path: list + "?top=200&continuation=" + url.QueryEscape(after)}, http.StatusOK)
			if err != nil {
				return nil, err
			}
			var page struct {
				Value        []Failure `json:"value"`
				Continuation string    `json:"continuation"`
			}
			if err := a.Decode(&page); err != nil {
				return nil, err
			}
			found = append(found, page.Value...)
			if after = page.Continuation; after == "" {
				break
			}
		}
	}
	return found, nil
}

// Replay sends a dead letter again, as staff does once what stood in its way is mended.
func (c *Client) Replay(ctx context.Context, f Failure) error {
	_, err := c.Do(ctx, Request{As: Operator, Method: http.MethodPost, Path: "/operator/v1/deadletters/" + f.ID + "/replay"}, http.StatusAccepted)
	return err
}

// Tables reads the marketplace's tables past the marketplace.
type Tables struct{ account *table.Account }

// OpenTables connects to a storage account.
func OpenTables(connectionString string) (*Tables, error) {
	account, err := table.Open(table.Options{ConnectionString: connectionString})
	return &Tables{account}, err
}

// The bounds of every key.
const (
	lowest  = " "
	highest = "~"
)

// Rows reads the rows of a table whose partitions and keys begin as given; empty is any.
func (t *Tables) Rows(ctx context.Context, name, partition, key string) ([]table.Row, error) {
	q := table.Query{Partition: lowest, PartitionEnd: highest, From: key}
	if partition != "" {
		q.Partition, q.PartitionEnd = partition, table.PrefixEnd(partition)
	}
	if key != "" {
		q.Until = table.PrefixEnd(key)
	}
	var rows []table.Row
	for {
		page, err := t.account.Table(name).Query(ctx, q)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.Rows...)
		if page.Next == "" {
			return rows, nil
		}
		q.After = page.Next
	}
}

// Line is a charge of a subscription.
type Line struct {
	ID             string `json:"lineId"`
	SubscriptionID string `json:"subscriptionId"`
	Kind           string `json:"kind"`
	Dimension      string `json:"dimensionId"`
	State          string `json:"state"`
	Net            int64  `json:"net"`
}

// Lines are the charges of a subscription, or of all when the id is empty.
func (t *Tables) Lines(ctx context.Context, subscriptionID string) ([]Line, error) {
	rows, err := t.Rows(ctx, "ledger", "journal|"+PublisherID, "line|")
	if err != nil {
		return nil, err
	}
	var found []Line
	for _, r := range rows {
		var l Line
		if err := json.Unmarshal(r.Data, &l); err != nil {
			return nil, fmt.Errorf("read line %s: %w", r.Key, err)
		}
		if subscriptionID == "" || l.SubscriptionID == subscriptionID {
			found = append(found, l)
		}
	}
	return found, nil
}

// Traces are what unfinished acts have left, by table and key: outbox rows, markers and intents. With work that is
// due at now, they are all that a sweep and a release would still find.
func (t *Tables) Traces(ctx context.Context, now time.Time) ([]string, error) {
	traces, err := t.Pending(ctx, now)
	if err != nil {
		return nil, err
	}
	for _, name := range infra.All.Tables {
		rows, err := t.Rows(ctx, name, "", "outbox|")
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			traces = append(traces, fmt.Sprintf("%s %s/%s", name, r.Partition, r.Key))
		}
	}
	return traces, nil
}

// Pending are the traces in the agenda alone, which every other one has a part in.
func (t *Tables) Pending(ctx context.Context, now time.Time) ([]string, error) {
	var traces []string
	for _, partition := range []string{"outbox|", "usage|", "due|"} {
		rows, err := t.Rows(ctx, "agenda", partition, "")
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if partition != "due|" || r.Key < now.UTC().Format("2006-01-02T15:04:05.000000000Z") {
				traces = append(traces, fmt.Sprintf("agenda %s/%s %.200s", r.Partition, r.Key, r.Data))
			}
		}
	}
	return traces, nil
}
