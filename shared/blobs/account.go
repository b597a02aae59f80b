// Package blobs is the Blob storage adapter: packages, snapshots, reports, statements and exports, and the links
// by which they are up- and downloaded without passing through a function.
//
// Reading is bounded: a whole blob up to a limit, or by ranges through io.ReaderAt. What must never change is
// written with PutNew. Errors are faults: NotFound, Conflict "AlreadyExists", TooLarge, StaleETag, Unavailable.
// Everything here is safe for concurrent use.
package blobs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"stoa/shared/fault"
)

// Options say how to reach the storage account.
type Options struct {
	ConnectionString string                 // with keys: the local stack
	Endpoint         string                 // with Credential: identity-based
	Credential       azcore.TokenCredential // for Endpoint
	PerRetry         []policy.Policy        // below the retries, for tests
}

// Account is a storage account's Blob service.
type Account struct {
	service *service.Client
	signer  signer
}

// Open makes a client; it does not connect yet.
func Open(o Options) (*Account, error) {
	options := &service.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport:        &http.Client{Transport: transport()},
		PerRetryPolicies: o.PerRetry,
		Retry:            policy.RetryOptions{MaxRetries: 4, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: 2 * time.Second},
		Telemetry:        policy.TelemetryOptions{Disabled: true},
	}}
	if o.ConnectionString != "" {
		client, err := service.NewClientFromConnectionString(o.ConnectionString, options)
		if err != nil {
			return nil, fmt.Errorf("open blob storage: %w", err)
		}
		return &Account{service: client, signer: keySigner{}}, nil
	}
	client, err := service.NewClient(o.Endpoint, o.Credential, options)
	if err != nil {
		return nil, fmt.Errorf("open blob storage: %w", err)
	}
	return &Account{service: client, signer: &delegatedSigner{client: client}}, nil
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = 128
	t.MaxIdleConnsPerHost = 64
	return t
}

// Create makes a container unless it exists. On Azure the templates make the containers; this is for the local
// stack.
func (a *Account) Create(ctx context.Context, container string) error {
	_, err := a.service.CreateContainer(ctx, container, nil)
	if f := fromAzure(err); f != nil && !fault.Is(f, fault.Conflict) {
		return fmt.Errorf("create container %s: %w", container, f)
	}
	return nil
}

const blockSize = 4 << 20 // bytes of memory that an upload takes

// Put writes a blob, over an earlier one of that name if there is one. A reader that fails leaves the earlier
// one as it was.
func (a *Account) Put(ctx context.Context, container, name string, r io.Reader, contentType string) error {
	client, err := a.client(container, name)
	if err != nil {
		return err
	}
	_, err = client.UploadStream(ctx, r, &blockblob.UploadStreamOptions{
		BlockSize: blockSize, HTTPHeaders: &blob.HTTPHeaders{BlobContentType: &contentType},
	})
	if err != nil {
		return fmt.Errorf("write blob %s/%s: %w", container, name, fromAzure(err))
	}
	return nil
}

// PutNew writes a blob that must not exist. The error is Conflict "AlreadyExists" when it does, also when an
// earlier try of this very call had written it and its answer was lost.
func (a *Account) PutNew(ctx context.Context, container, name string, data []byte, contentType string) error {
	client, err := a.client(container, name)
	if err != nil {
		return err
	}
	any := azcore.ETagAny
	_, err = client.Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: &contentType},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &any}},
	})
	if err != nil {
		err = fromAzure(err)
		if fault.Is(err, fault.StaleETag) { // some versions of the service answer so
			err = alreadyExists().Because(err)
		}
		return fmt.Errorf("write blob %s/%s: %w", container, name, err)
	}
	return nil
}

// Read reads a whole blob of at most limit bytes; TooLarge when it has more.
func (a *Account) Read(ctx context.Context, container, name string, limit int64) ([]byte, error) {
	client, err := a.client(container, name)
	if err != nil {
		return nil, err
	}
	reply, err := client.DownloadStream(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read blob %s/%s: %w", container, name, fromAzure(err))
	}
	defer reply.Body.Close()
	if reply.ContentLength != nil && *reply.ContentLength > limit {
		return nil, fmt.Errorf("read blob %s/%s: %w", container, name, TooLarge(limit))
	}
	body := reply.NewRetryReader(ctx, nil)
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read blob %s/%s: %w", container, name, fromAzure(err))
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read blob %s/%s: %w", container, name, TooLarge(limit))
	}
	return data, nil
}

// TooLarge is the fault of a blob that has more bytes than the limit.
func TooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "TooLarge", "", "The file is larger than %d bytes.", limit)
}

// Open opens a blob for reading by ranges. The context bounds all its reads. A blob that is overwritten while it
// is open gives StaleETag, never a mixture.
func (a *Account) Open(ctx context.Context, container, name string) (*Blob, error) {
	client, err := a.client(container, name)
	if err != nil {
		return nil, err
	}
	properties, err := client.GetProperties(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("open blob %s/%s: %w", container, name, fromAzure(err))
	}
	var size int64
	if properties.ContentLength != nil {
		size = *properties.ContentLength
	}
	var etag azcore.ETag
	if properties.ETag != nil {
		etag = *properties.ETag
	}
	return NewBlob(size, string(etag), func(p []byte, offset int64) error {
		if err := download(ctx, client.BlobClient(), etag, p, offset); err != nil {
			return fmt.Errorf("read blob %s/%s: %w", container, name, fromAzure(err))
		}
		return nil
	}), nil
}

// download fills p from the offset on.
func download(ctx context.Context, client *blob.Client, etag azcore.ETag, p []byte, offset int64) error {
	reply, err := client.DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range:            blob.HTTPRange{Offset: offset, Count: int64(len(p))},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &etag}},
	})
	if err != nil {
		return err
	}
	body := reply.NewRetryReader(ctx, nil)
	defer body.Close()
	_, err = io.ReadFull(body, p)
	return err
}

// client is the client of one blob; a name that is no name of a blob is refused before the call.
func (a *Account) client(container, name string) (*blockblob.Client, error) {
	if err := CheckName(container, name); err != nil {
		return nil, err
	}
	return a.service.NewContainerClient(container).NewBlockBlobClient(name), nil
}

const maxName = 1024

// CheckName refuses names that Blob storage refuses, or takes for another name than they look like.
func CheckName(container, name string) error {
	bad := func(target, why string) error {
		return fault.New(fault.Invalid, "InvalidName", target, "%s", why)
	}
	switch {
	case container == "" || strings.Trim(container, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return bad("container", "must be lower-case letters, digits and hyphens")
	case name == "" || len(name) > maxName:
		return bad("name", "must have 1 to 1024 characters")
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' || r == 0xfffd }):
		return bad("name", "must not hold control characters or backslashes")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasSuffix(part, ".") {
			return bad("name", "no part of the path may be empty or end with a dot")
		}
	}
	return nil
}
