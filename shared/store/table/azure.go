package table

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"stoa/shared/fault"
)

// Options say how to reach the storage account.
type Options struct {
	ConnectionString string                 // with keys: the local stack
	Endpoint         string                 // with Credential: identity-based
	Credential       azcore.TokenCredential // for Endpoint
	PerRetry         []policy.Policy        // below the retries, for tests
	PerCall          []policy.Policy        // above the retries, for tests that count calls
}

// Account is a storage account's Table service.
type Account struct{ service *aztables.ServiceClient }

// Open makes a client; it does not connect yet.
func Open(o Options) (*Account, error) {
	client := &aztables.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport:        &http.Client{Transport: transport()},
		PerRetryPolicies: o.PerRetry,
		PerCallPolicies:  append([]policy.Policy{answerPolicy{}}, o.PerCall...),
		Retry:            policy.RetryOptions{MaxRetries: 4, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: 2 * time.Second, TryTimeout: 15 * time.Second},
		Telemetry:        policy.TelemetryOptions{Disabled: true},
	}}
	var service *aztables.ServiceClient
	var err error
	if o.ConnectionString != "" {
		service, err = aztables.NewServiceClientFromConnectionString(o.ConnectionString, client)
	} else {
		service, err = aztables.NewServiceClient(o.Endpoint, o.Credential, client)
	}
	if err != nil {
		return nil, fmt.Errorf("open table storage: %w", err)
	}
	return &Account{service: service}, nil
}

// transport keeps enough idle connections for the handler's concurrency; the SDK's default of ten makes the
// slowest of 64 callers seven times slower.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = 256
	t.MaxIdleConnsPerHost = 128
	return t
}

// Table is one table of the account. It is not created by this call.
func (a *Account) Table(name string) Table {
	return &azureTable{name: name, client: a.service.NewClient(name)}
}

// Create makes the table unless it exists. On Azure the templates make the tables; this is for the local stack.
func (a *Account) Create(ctx context.Context, name string) error {
	_, err := a.service.CreateTable(ctx, name, nil)
	if f := fromAzure(err); f != nil && !fault.Is(f, fault.Conflict) {
		return fmt.Errorf("create table %s: %w", name, f)
	}
	return nil
}

type azureTable struct {
	name   string
	client *aztables.Client
}

var noMetadata = aztables.MetadataFormatNone

// Get implements Table.
func (t *azureTable) Get(ctx context.Context, partition, key string) (Row, error) {
	if err := findable(partition, key); err != nil {
		return Row{}, fmt.Errorf("read %s: %w", t.name, err)
	}
	answer := rawAnswer{read: true}
	reply, err := t.client.GetEntity(withAnswer(ctx, &answer), partition, key, &aztables.GetEntityOptions{Format: &noMetadata})
	if err != nil {
		return Row{}, fmt.Errorf("read %s %s/%s: %w", t.name, partition, key, fromAzure(err))
	}
	row, err := decodeRow(answer.body)
	if err != nil {
		return Row{}, fmt.Errorf("read %s %s/%s: %w", t.name, partition, key, err)
	}
	row.ETag = string(reply.ETag)
	return row, nil
}

// Apply implements Table.
func (t *azureTable) Apply(ctx context.Context, ops ...Op) ([]string, error) {
	if err := Check(ops); err != nil {
		return nil, fmt.Errorf("write %s: %w", t.name, err)
	}
	etags, err := t.apply(ctx, ops)
	if err == nil {
		return etags, nil
	}
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.StaleETag) || fault.Is(err, fault.NotFound) {
		if etags, ok := t.applied(ctx, ops); ok {
			return etags, nil
		}
	}
	return nil, fmt.Errorf("write %s %s/%s: %w", t.name, ops[0].Row.Partition, ops[0].Row.Key, err)
}

func (t *azureTable) apply(ctx context.Context, ops []Op) ([]string, error) {
	if len(ops) == 1 {
		etag, err := t.one(ctx, ops[0])
		if err != nil {
			return nil, &OpError{Index: 0, Err: fromAzure(err)}
		}
		return []string{etag}, nil
	}
	actions := make([]aztables.TransactionAction, len(ops))
	for i, op := range ops {
		actions[i] = action(op)
	}
	var answer rawAnswer
	if _, err := t.client.SubmitTransaction(withAnswer(ctx, &answer), actions, nil); err != nil {
		return nil, fromTransaction(err, answer.body)
	}
	return answer.etags(ops), nil
}

// applied recognises an act that failed only because an earlier try of it had succeeded unseen: every row stands
// as the act would have left it. Rows carry ids and times of their act, so another act never looks the same.
func (t *azureTable) applied(ctx context.Context, ops []Op) ([]string, bool) {
	etags := make([]string, len(ops))
	for i, op := range ops {
		row, err := t.Get(ctx, op.Row.Partition, op.Row.Key)
		switch op.Action {
		case Delete, Remove:
			// A row that is gone may have been removed by anyone; it proves nothing alone.
			if !fault.Is(err, fault.NotFound) || len(ops) == 1 {
				return nil, false
			}
		default:
			if err != nil || !bytes.Equal(row.Data, ascii(op.Row.Data)) {
				return nil, false
			}
			etags[i] = row.ETag
		}
	}
	return etags, true
}

func (t *azureTable) one(ctx context.Context, op Op) (string, error) {
	etag := azcore.ETag(op.Row.ETag)
	switch op.Action {
	case Insert:
		reply, err := t.client.AddEntity(ctx, encodeRow(op.Row), &aztables.AddEntityOptions{Format: &noMetadata})
		return string(reply.ETag), err
	case Replace:
		reply, err := t.client.UpdateEntity(ctx, encodeRow(op.Row), &aztables.UpdateEntityOptions{IfMatch: &etag, UpdateMode: aztables.UpdateModeReplace})
		return string(reply.ETag), err
	case Upsert:
		reply, err := t.client.UpsertEntity(ctx, encodeRow(op.Row), &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
		return string(reply.ETag), err
	case Delete:
		_, err := t.client.DeleteEntity(ctx, op.Row.Partition, op.Row.Key, &aztables.DeleteEntityOptions{IfMatch: &etag})
		return "", err
	default:
		any := azcore.ETagAny
		_, err := t.client.DeleteEntity(ctx, op.Row.Partition, op.Row.Key, &aztables.DeleteEntityOptions{IfMatch: &any})
		return "", err
	}
}

func action(op Op) aztables.TransactionAction {
	a := aztables.TransactionAction{Entity: encodeRow(op.Row)}
	etag := azcore.ETag(op.Row.ETag)
	switch op.Action {
	case Insert:
		a.ActionType = aztables.TransactionTypeAdd
	case Replace:
		// Without IfMatch the SDK would send an insert-or-replace; Check has made sure of the ETag.
		a.ActionType, a.IfMatch = aztables.TransactionTypeUpdateReplace, &etag
	case Upsert:
		a.ActionType = aztables.TransactionTypeInsertReplace
	case Delete:
		a.ActionType, a.IfMatch = aztables.TransactionTypeDelete, &etag
	case Remove:
		any := azcore.ETagAny
		a.ActionType, a.IfMatch = aztables.TransactionTypeDelete, &any
	}
	return a
}

// Query implements Table.
func (t *azureTable) Query(ctx context.Context, q Query) (Page, error) {
	options := &aztables.ListEntitiesOptions{Filter: filter(q), Top: top(q.Limit), Format: &noMetadata}
	if q.WithETags {
		minimal := aztables.MetadataFormatMinimal
		options.Format = &minimal
	}
	if q.After != "" {
		partition, key, err := parseContinuation(q.After)
		if err != nil {
			return Page{}, err
		}
		options.NextPartitionKey, options.NextRowKey = &partition, &key
	}
	answer := rawAnswer{read: true}
	reply, err := t.client.NewListEntitiesPager(options).NextPage(withAnswer(ctx, &answer))
	if err != nil {
		return Page{}, fmt.Errorf("query %s %s: %w", t.name, q.Partition, fromAzure(err))
	}
	rows, err := decodeRows(answer.body)
	if err != nil {
		return Page{}, fmt.Errorf("query %s %s: %w", t.name, q.Partition, err)
	}
	page := Page{Rows: rows}
	if reply.NextPartitionKey != nil {
		next := ""
		if reply.NextRowKey != nil {
			next = *reply.NextRowKey
		}
		page.Next = continuation(*reply.NextPartitionKey, next)
	}
	return page, nil
}

func filter(q Query) *string {
	var parts []string
	add := func(column, operator, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf("%s %s '%s'", column, operator, value))
		}
	}
	if q.PartitionEnd == "" {
		add("PartitionKey", "eq", q.Partition)
	} else {
		add("PartitionKey", "ge", q.Partition)
		add("PartitionKey", "lt", q.PartitionEnd)
	}
	add("RowKey", "ge", q.From)
	add("RowKey", "lt", q.Until)
	text := strings.Join(parts, " and ")
	return &text
}

func top(limit int) *int32 {
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	n := int32(limit)
	return &n
}

// continuation packs the two keys the service continues with; parseContinuation refuses anything else.
func continuation(partition, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(len(partition)) + ":" + partition + key))
}

func parseContinuation(text string) (partition, key string, err error) {
	bad := fault.New(fault.Invalid, "InvalidValue", "continuationToken", "must be the continuation of an earlier answer, unchanged")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", "", bad.Because(err)
	}
	size, rest, found := strings.Cut(string(raw), ":")
	n, err := strconv.Atoi(size)
	if !found || err != nil || n < 0 || n > len(rest) {
		return "", "", bad
	}
	return rest[:n], rest[n:], nil
}
