package table

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"stoa/shared/fault"
)

// fromAzure is the one place that knows the Table service's error codes.
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
	return byCode(reply.ErrorCode, reply.StatusCode, err)
}

func byCode(code string, status int, err error) error {
	switch {
	case code == "EntityAlreadyExists" || code == "TableAlreadyExists":
		return fault.New(fault.Conflict, "AlreadyExists", "", "It exists already.").Because(err)
	case code == "UpdateConditionNotSatisfied" || status == http.StatusPreconditionFailed:
		return fault.New(fault.StaleETag, "PreconditionFailed", "If-Match", "It was changed in between. Read it again.").Because(err)
	case code == "ResourceNotFound" || code == "EntityNotFound" || status == http.StatusNotFound:
		return fault.New(fault.NotFound, "NotFound", "", "It does not exist.").Because(err)
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || code == "ServerBusy" || code == "OperationTimedOut":
		return fault.New(fault.Unavailable, "StorageBusy", "", "The store is busy. Try again.").Because(err)
	}
	return err
}

// fromTransaction reads the error of a failed transaction: it arrives inside a 202, the code and the index of
// the guilty operation ("1:…") are in the body only, and the SDK's error has lost the body.
func fromTransaction(err error, answer []byte) error {
	code := ""
	for _, c := range transactionCodes {
		if strings.Contains(string(answer), c) {
			code = c
			break
		}
	}
	if code == "" {
		return fromAzure(err)
	}
	f := byCode(code, 0, err)
	if index := messageIndex(string(answer)); index >= 0 {
		return &OpError{Index: index, Err: f}
	}
	return f
}

var transactionCodes = []string{
	"EntityAlreadyExists", "UpdateConditionNotSatisfied", "ResourceNotFound", "EntityNotFound",
	"ServerBusy", "OperationTimedOut",
}

// messageIndex reads the number in `"value":"3:The specified …"`; the service counts from 0.
func messageIndex(text string) int {
	_, rest, found := strings.Cut(text, `"value"`)
	if !found {
		return -1
	}
	rest = strings.TrimLeft(rest, ": \t\r\n\"")
	digits, _, found := strings.Cut(rest, ":")
	n, err := strconv.Atoi(digits)
	if !found || err != nil {
		return -1
	}
	return n
}
