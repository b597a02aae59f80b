package blobs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"stoa/shared/fault"
)

// MaxLink is the longest life of a link.
const MaxLink = 24 * time.Hour

// skew is how far the clocks of the service and ours may be apart. Links are bound to the machine's clock, also
// where Stoa's clock is moved, for it is the service that checks them.
const skew = 5 * time.Minute

// UploadLink is an address to which whoever has it may write the blob, for that long, with HTTP PUT and the header
// "x-ms-blob-type: BlockBlob". Life is above zero and at most MaxLink.
func (a *Account) UploadLink(container, name string, life time.Duration) (string, error) {
	return a.link(container, name, life, sas.BlobPermissions{Create: true, Write: true})
}

// DownloadLink is an address from which whoever has it may read the blob, for that long, with HTTP GET.
func (a *Account) DownloadLink(container, name string, life time.Duration) (string, error) {
	return a.link(container, name, life, sas.BlobPermissions{Read: true})
}

func (a *Account) link(container, name string, life time.Duration, may sas.BlobPermissions) (string, error) {
	client, err := a.client(container, name)
	if err != nil {
		return "", err
	}
	if err := CheckLife(life); err != nil {
		return "", err
	}
	now := time.Now().UTC()
	address, err := a.signer.sign(client.BlobClient(), grant{container, name, may, now.Add(-skew), now.Add(life)})
	if err != nil {
		return "", fmt.Errorf("link to blob %s/%s: %w", container, name, err)
	}
	return address, nil
}

// CheckLife refuses a life that no link may have.
func CheckLife(life time.Duration) error {
	if life <= 0 || life > MaxLink {
		return fault.New(fault.Invalid, "InvalidValue", "life", "must be above zero and at most %s", MaxLink)
	}
	return nil
}

// grant is what a link allows.
type grant struct {
	container, name string
	may             sas.BlobPermissions
	from, until     time.Time
}

// signer makes a link of a grant.
type signer interface {
	sign(client *blob.Client, g grant) (string, error)
}

// keySigner signs with the account's key, which the client has.
type keySigner struct{}

func (keySigner) sign(client *blob.Client, g grant) (string, error) {
	return client.GetSASURL(g.may, g.until, &blob.GetSASURLOptions{StartTime: &g.from})
}

// delegatedSigner signs with a key that the service lends to our identity; it needs no key of the account.
type delegatedSigner struct {
	client *service.Client

	mu    sync.Mutex
	until time.Time
	lent  *service.UserDelegationCredential
}

const (
	delegation     = 6 * 24 * time.Hour // life of a lent key; the service allows seven days
	delegationTime = 30 * time.Second   // bounds the call for it
)

func (s *delegatedSigner) sign(client *blob.Client, g grant) (string, error) {
	lent, err := s.key(g.until)
	if err != nil {
		return "", err
	}
	query, err := sas.BlobSignatureValues{
		Protocol: sas.ProtocolHTTPS, StartTime: g.from, ExpiryTime: g.until,
		Permissions: g.may.String(), ContainerName: g.container, BlobName: g.name,
	}.SignWithUserDelegation(lent)
	if err != nil {
		return "", err
	}
	return client.URL() + "?" + query.Encode(), nil
}

// key is a lent key that lives at least until then.
func (s *delegatedSigner) key(then time.Time) (*service.UserDelegationCredential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lent != nil && then.Before(s.until) {
		return s.lent, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), delegationTime)
	defer cancel()
	now := time.Now().UTC()
	until := now.Add(delegation)
	lent, err := s.client.GetUserDelegationCredential(ctx, service.KeyInfo{
		Start:  to.Ptr(now.Add(-skew).Format(sas.TimeFormat)),
		Expiry: to.Ptr(until.Format(sas.TimeFormat)),
	}, nil)
	if err != nil {
		return nil, fromAzure(err)
	}
	s.lent, s.until = lent, until
	return lent, nil
}
