package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"stoa/shared/fault"
	"stoa/shared/lead"
)

// marketplaceLeads is the table that leads go to, in the publisher's own storage account (LED-50).
const marketplaceLeads = "MarketplaceLeads"

// LeadTables writes leads into the storage accounts of publishers: lead.TableWriter. It only calls the Table
// service of an account that is named by a connection string of the accepted form, so no address of a
// publisher's choice is ever called. Safe for concurrent use.
type LeadTables struct {
	local  bool
	client *http.Client
}

var _ lead.TableWriter = (*LeadTables)(nil)

// LeadTableOptions are the options of NewLeadTables.
type LeadTableOptions struct {
	// AllowLocal accepts connection strings of a storage stand-in on loopback, over http: the local stack only.
	AllowLocal bool
}

// NewLeadTables makes the writer.
func NewLeadTables(o LeadTableOptions) *LeadTables {
	return &LeadTables{local: o.AllowLocal, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 2, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Insert implements lead.TableWriter.
func (t *LeadTables) Insert(ctx context.Context, connection string, row lead.TableRow) error {
	account, err := parseAccount(connection, t.local)
	if err != nil {
		return err
	}
	service, err := t.open(account)
	if err != nil {
		return err
	}
	entity, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("write lead %s: %w", row.RowKey, err)
	}
	client := service.NewClient(marketplaceLeads)
	_, err = client.AddEntity(ctx, entity, nil)
	if missingTable(err) {
		_, err = service.CreateTable(ctx, marketplaceLeads, nil)
		if err == nil || azureCode(err) == "TableAlreadyExists" {
			_, err = client.AddEntity(ctx, entity, nil)
		}
	}
	if azureCode(err) == "EntityAlreadyExists" {
		return nil // LED-51: it was delivered earlier
	}
	return fromLeadTable(err)
}

func (t *LeadTables) open(a storageAccount) (*aztables.ServiceClient, error) {
	unacceptable := fault.New(fault.Invalid, "InvalidConnectionString", "storageAccountConnectionString", "The connection string is not acceptable.")
	credential, err := aztables.NewSharedKeyCredential(a.name, a.key)
	if err != nil {
		return nil, unacceptable // the cause could hold the key
	}
	service, err := aztables.NewServiceClientWithSharedKey(a.endpoint, credential, &aztables.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: t.client,
		// The lead has a schedule of its own (LED-42).
		Retry:                           policy.RetryOptions{MaxRetries: -1, TryTimeout: 30 * time.Second},
		Telemetry:                       policy.TelemetryOptions{Disabled: true},
		InsecureAllowCredentialWithHTTP: t.local,
	}})
	if err != nil {
		return nil, unacceptable
	}
	return service, nil
}

func azureCode(err error) string {
	var reply *azcore.ResponseError
	if errors.As(err, &reply) {
		return reply.ErrorCode
	}
	return ""
}

func missingTable(err error) bool {
	code := azureCode(err)
	return code == "TableNotFound" || code == "ResourceNotFound"
}

// fromLeadTable is the one place that reads errors of publishers' accounts. The cause is dropped: it holds the
// publisher's account and may hold the row.
func fromLeadTable(err error) error {
	if err == nil {
		return nil
	}
	var reply *azcore.ResponseError
	if !errors.As(err, &reply) {
		var unknown *net.DNSError
		if errors.As(err, &unknown) && unknown.IsNotFound {
			return fault.New(fault.Forbidden, lead.AuthFailed, "", "There is no such storage account.")
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fault.New(fault.Unavailable, "CallTimeout", "", "The storage account did not answer in time.")
		}
		return fault.New(fault.Unavailable, "CallFailed", "", "The storage account could not be reached.")
	}
	switch status := reply.StatusCode; {
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500:
		return fault.New(fault.Unavailable, "CallFailed", "", "The storage account answered %d.", status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.New(fault.Forbidden, lead.AuthFailed, "", "The storage account refused the key.")
	default:
		return fault.New(fault.Invalid, lead.Rejected, "", "The storage account answered %d.", status)
	}
}

// storageAccount is what a connection string says.
type storageAccount struct{ name, key, endpoint string }

// suffixes are the clouds a storage account may be in (3.5).
var suffixes = []string{"core.windows.net", "core.chinacloudapi.cn", "core.cloudapi.de", "core.usgovcloudapi.net"}

var (
	accountName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	localTables = regexp.MustCompile(`^http://(127\.0\.0\.1|localhost):[0-9]+(/[a-z0-9]+)?$`)
)

// parseAccount reads a connection string: its four keys in any order and no others, https only (LED-24).
func parseAccount(text string, local bool) (storageAccount, error) {
	bad := func(why string) (storageAccount, error) {
		return storageAccount{}, fault.New(fault.Invalid, "InvalidConnectionString", "storageAccountConnectionString", "The connection string %s.", why)
	}
	values := map[string]string{"EndpointSuffix": suffixes[0]}
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		known := []string{"DefaultEndpointsProtocol", "AccountName", "AccountKey", "EndpointSuffix"}
		if local {
			known = append(known, "TableEndpoint", "BlobEndpoint", "QueueEndpoint")
		}
		if !slices.Contains(known, key) {
			return bad("may hold DefaultEndpointsProtocol, AccountName, AccountKey and EndpointSuffix only")
		}
		values[key] = value
	}
	a := storageAccount{name: values["AccountName"], key: values["AccountKey"]}
	if _, err := base64.StdEncoding.DecodeString(a.key); err != nil || a.key == "" || !accountName.MatchString(a.name) {
		return bad("needs an account name of 3 to 24 small letters and digits, and its key")
	}
	if endpoint := strings.TrimSuffix(values["TableEndpoint"], "/"); endpoint != "" {
		if !localTables.MatchString(endpoint) {
			return bad("may name a table endpoint on loopback only")
		}
		a.endpoint = endpoint
		return a, nil
	}
	if values["DefaultEndpointsProtocol"] != "https" {
		return bad("must say DefaultEndpointsProtocol=https")
	}
	if !slices.Contains(suffixes, values["EndpointSuffix"]) {
		return bad("has an endpoint suffix that is none of the Azure clouds'")
	}
	a.endpoint = "https://" + a.name + ".table." + values["EndpointSuffix"]
	return a, nil
}
