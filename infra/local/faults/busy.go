package faults

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The answer of a storage service that is busy.
const (
	busyCode = "ServerBusy"
	busyText = "The server is busy."
)

// busyAnswer is the header and body of a refusal, in the form of the service that was asked.
func busyAnswer(accept string) (http.Header, []byte) {
	id := uuid.NewString()
	text := fmt.Sprintf("%s\nRequestId:%s\nTime:%s", busyText, id, time.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"))
	header := http.Header{
		"X-Ms-Error-Code": {busyCode}, "X-Ms-Request-Id": {id}, "X-Ms-Version": {"2019-02-02"},
		"Content-Type": {"application/xml"},
	}
	if strings.Contains(accept, "json") { // the Table service
		header.Set("Content-Type", "application/json;odata=minimalmetadata;streaming=true;charset=utf-8")
		return header, fmt.Appendf(nil, `{"odata.error":{"code":%q,"message":{"lang":"en-US","value":%q}}}`, busyCode, text)
	}
	return header, fmt.Appendf(nil, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>%s</Message></Error>", busyCode, text)
}
