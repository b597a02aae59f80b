package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

const (
	hostsContainer  = "azure-webjobs-hosts"
	poisonContainer = "webjobs-blobtrigger-poison"
	storageTimeout  = 10 * time.Second
)

// storage is the host's own corner of the storage account: schedule statuses and blob receipts.
type storage struct {
	client *azblob.Client
	hostID string
}

// hostID names this app in the host's own container.
func hostID(settings map[string]string) string {
	for _, key := range []string{"AzureFunctionsWebHost__hostid", "WEBSITE_SITE_NAME"} {
		if id, ok := setting(settings, key); ok && id != "" {
			return strings.ToLower(id)
		}
	}
	return "local"
}

func openStorage(settings map[string]string) (*storage, error) {
	connection, err := connectionString(settings, "AzureWebJobsStorage", "")
	if err != nil {
		return nil, err
	}
	client, err := blobClient(connection)
	if err != nil {
		return nil, fmt.Errorf("AzureWebJobsStorage: %w", err)
	}
	return &storage{client: client, hostID: hostID(settings)}, nil
}

func blobClient(connection string) (*azblob.Client, error) {
	if strings.EqualFold(strings.TrimSpace(connection), "UseDevelopmentStorage=true") {
		connection = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;" +
			"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;" +
			"BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
	}
	return azblob.NewClientFromConnectionString(connection, nil)
}

// put writes a blob, and its container first if it is missing.
func (s *storage) put(ctx context.Context, container, name string, body []byte) error {
	_, err := s.client.UploadBuffer(ctx, container, name, body, nil)
	if !bloberror.HasCode(err, bloberror.ContainerNotFound) {
		return err
	}
	if _, err = s.client.CreateContainer(ctx, container, nil); err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return err
	}
	_, err = s.client.UploadBuffer(ctx, container, name, body, nil)
	return err
}

// get reads a blob; nil when it or its container is missing.
func (s *storage) get(ctx context.Context, container, name string) ([]byte, error) {
	reply, err := s.client.DownloadStream(ctx, container, name, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = reply.Body.Close() }()
	return io.ReadAll(reply.Body)
}

func (s *storage) timerBlob(function string) string {
	return fmt.Sprintf("timers/%s/Host.Functions.%s/status", s.hostID, function)
}

func (s *storage) saveTimer(ctx context.Context, function string, status scheduleStatus) error {
	return s.put(ctx, hostsContainer, s.timerBlob(function), marshal(status))
}

func (s *storage) loadTimer(ctx context.Context, function string) (*scheduleStatus, error) {
	raw, err := s.get(ctx, hostsContainer, s.timerBlob(function))
	if err != nil || raw == nil {
		return nil, err
	}
	var status scheduleStatus
	if err := json.Unmarshal(raw, &status); err != nil {
		return nil, err
	}
	return &status, nil
}

// receiptBlob names the receipt of one version of a blob for one function (HST-25).
func (s *storage) receiptBlob(function string, v blobVersion) string {
	return fmt.Sprintf("blobreceipts/%s/Host.Functions.%s/%s/%s/%s", s.hostID, function, strings.Trim(v.etag, `"`), v.container, v.name)
}

func (s *storage) hasReceipt(ctx context.Context, function string, v blobVersion) (bool, error) {
	blob := s.client.ServiceClient().NewContainerClient(hostsContainer).NewBlobClient(s.receiptBlob(function, v))
	_, err := blob.GetProperties(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound, bloberror.ContainerNotFound, bloberror.ResourceNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *storage) writeReceipt(ctx context.Context, function string, v blobVersion) error {
	return s.put(ctx, hostsContainer, s.receiptBlob(function, v), nil)
}

// writePoison leaves the message the real host would queue, as a blob with a free number (see the
// package comment).
func (s *storage) writePoison(ctx context.Context, function string, message []byte) (string, error) {
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s/%d.json", function, n)
		old, err := s.get(ctx, poisonContainer, name)
		if err != nil {
			return "", err
		}
		if old == nil {
			return name, s.put(ctx, poisonContainer, name, message)
		}
	}
}

var errGone = errors.New("the blob is gone or has changed")
