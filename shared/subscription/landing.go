package subscription

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"stoa/shared/account"
	"stoa/shared/fault"
)

const (
	tokenLife  = 24 * time.Hour // FUL-19
	tokenBytes = 32
)

// The reasons a customer is sent to the landing page for.
const (
	ReasonConfigure = "Configure"
	ReasonManage    = "Manage"
)

// Landing makes the address that opens the publisher's landing page with a new purchase identification token
// (FUL-18 to FUL-21). Only the token's hash is kept.
func (s *Service) Landing(ctx context.Context, caller account.Caller, id, reason string) (string, error) {
	sub, err := s.Bought(ctx, caller, id)
	if err != nil {
		return "", err
	}
	if _, err := step(sub.Status, IssueLandingToken); err != nil {
		return "", err
	}
	v, err := s.offer(ctx, &sub)
	if err != nil {
		return "", fmt.Errorf("read the offer of %s: %w", sub.ID, err)
	}
	raw := make([]byte, tokenBytes)
	if _, err := io.ReadFull(s.deps.Random, raw); err != nil {
		return "", fmt.Errorf("make a landing token: %w", err)
	}
	token := base64.StdEncoding.EncodeToString(raw)
	now := s.deps.Now().UTC()
	if err := s.deps.Store.AddToken(ctx, LandingToken{
		Hash: hashOf(token), SubscriptionID: sub.ID, PublisherID: sub.PublisherID, Reason: reason, IssuedAt: now, ExpiresAt: now.Add(tokenLife),
	}); err != nil {
		return "", fmt.Errorf("keep a landing token of %s: %w", sub.ID, err)
	}
	return withToken(v.Technical.LandingPageURL, token), nil
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// withToken appends the token to the query of an address, percent-encoded; what stands there stays (FUL-18).
func withToken(address, token string) string {
	address, fragment, cut := strings.Cut(address, "#")
	separator := "?"
	if at := strings.IndexByte(address, '?'); at >= 0 {
		separator = "&"
		if last := address[len(address)-1]; last == '?' || last == '&' {
			separator = ""
		}
	}
	address += separator + "token=" + url.QueryEscape(token)
	if cut {
		address += "#" + fragment
	}
	return address
}

// Resolve finds the subscription a landing token stands for, whatever its status, and changes nothing (FUL-22 to
// FUL-24).
func (s *Service) Resolve(ctx context.Context, caller account.Caller, token string) (Subscription, error) {
	refused := func(code, format string, args ...any) error {
		return fault.New(fault.Invalid, code, "x-ms-marketplace-token", format, args...)
	}
	token = strings.Trim(token, " \t")
	if token == "" {
		return Subscription{}, refused(CodeNoHeader, "The header x-ms-marketplace-token is required.")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(token)
	switch {
	case strings.Contains(token, "%"):
		return Subscription{}, refused(CodeInvalidToken, "The token is still percent-encoded. Decode it as a query parameter before it is sent.")
	case err != nil || len(raw) != tokenBytes:
		return Subscription{}, refused(CodeInvalidToken, "The token is malformed: expected the base64 of %d bytes, found %d characters that are not.", tokenBytes, len(token))
	}
	t, err := s.deps.Store.Token(ctx, hashOf(token))
	if fault.Is(err, fault.NotFound) {
		return Subscription{}, refused(CodeInvalidToken, "The token is unknown: it was not issued here, or was changed.")
	}
	if err != nil {
		return Subscription{}, fmt.Errorf("read a landing token: %w", err)
	}
	if !s.deps.Now().Before(t.ExpiresAt) { // FUL-19: refused from the instant of its end on
		return Subscription{}, refused(CodeTokenExpired, "The token has expired: it was good until %s.", stamp(t.ExpiresAt))
	}
	sub, err := s.Owned(ctx, caller, t.SubscriptionID)
	if err != nil || !sub.Preview {
		return sub, err
	}
	return sub, s.deps.Store.NotePreviewCall(ctx, sub, PreviewResolve)
}
