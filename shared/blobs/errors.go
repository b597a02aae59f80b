package blobs

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"stoa/shared/fault"
)

// fromAzure is the one place that knows the Blob service's error codes.
func fromAzure(err error) error {
	if err == nil {
		return nil
	}
	var reply *azcore.ResponseError
	if !errors.As(err, &reply) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return fault.New(fault.Unavailable, "StorageUnavailable", "", "The store did not answer. Try again.").Because(err)
	}
	code := bloberror.Code(reply.ErrorCode)
	switch {
	case code == bloberror.BlobAlreadyExists || code == bloberror.ContainerAlreadyExists:
		return alreadyExists().Because(err)
	case reply.StatusCode == http.StatusPreconditionFailed:
		return fault.New(fault.StaleETag, "PreconditionFailed", "If-Match", "It was changed in between. Read it again.").Because(err)
	case reply.StatusCode == http.StatusNotFound:
		return fault.New(fault.NotFound, "NotFound", "", "It does not exist.").Because(err)
	case reply.StatusCode == http.StatusTooManyRequests || reply.StatusCode == http.StatusServiceUnavailable || code == bloberror.OperationTimedOut:
		return fault.New(fault.Unavailable, "StorageBusy", "", "The store is busy. Try again.").Because(err)
	}
	return err
}

func alreadyExists() *fault.Error {
	return fault.New(fault.Conflict, "AlreadyExists", "", "It exists already.")
}
