package managedservice

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"stoa/shared/packages/jsondoc"
)

const (
	minActivation = 30 * time.Minute
	maxActivation = 8 * time.Hour
)

// checkEligible looks at what belongs to eligible authorizations alone (MSO-19 to MSO-21).
func (m manifest) checkEligible(list, active []authorization) {
	always := map[string]bool{}
	for _, a := range active {
		always[a.principal] = true
	}
	policyOf := map[string]string{}
	for _, a := range list {
		if r, known := roles[a.role]; known && r.Supported && !r.Eligible {
			m.add("MSO_ELIGIBLE_ROLE", a.at+"/roleDefinitionId", a.node.Get("roleDefinitionId"), "The role %s cannot be eligible.", r.Name)
		}
		if !always[a.principal] {
			m.add("MSO_ELIGIBLE_WITHOUT_ACTIVE", a.at, a.node, "The principal %s has no active authorization.", a.principal)
		}
		policy := m.checkPolicy(a)
		if other, seen := policyOf[a.role]; seen && other != policy {
			m.add("MSO_ELIGIBLE_POLICIES", a.at+"/justInTimeAccessPolicy", a.node.Get("justInTimeAccessPolicy"), "Another authorization of the role has another policy.")
		}
		policyOf[a.role] = policy
	}
}

// checkPolicy looks at the policy of an eligible authorization and returns it as a text to compare.
func (m manifest) checkPolicy(a authorization) string {
	at, p := a.at+"/justInTimeAccessPolicy", a.node.Get("justInTimeAccessPolicy")
	longest := text(p, "maximumActivationDuration")
	if d, ok := parseDuration(longest); !ok || d < minActivation || d > maxActivation { // MSO-19
		m.add("MSO_ELIGIBLE_DURATION", at+"/maximumActivationDuration", p.Get("maximumActivationDuration"), "The duration is %q.", longest)
	}
	mfa := text(p, "multiFactorAuthProvider")
	if n := p.Get("multiFactorAuthProvider"); n != nil && mfa != "Azure" && mfa != "None" {
		m.add("MSO_MFA_PROVIDER", at+"/multiFactorAuthProvider", n, "The provider is %q.", mfa)
	}
	return strings.Join([]string{longest, mfa, m.checkApprovers(at, p.Get("managedByTenantApprovers"))}, " ")
}

// checkApprovers looks at those who approve an activation and returns them as a text to compare (MSO-20).
func (m manifest) checkApprovers(at string, n *jsondoc.Node) string {
	if n == nil {
		return ""
	}
	at += "/managedByTenantApprovers"
	if n.Kind != jsondoc.Array || len(n.Items) > maxApprovers {
		m.add("MSO_APPROVERS", at, n, "The list of approvers has %d entries.", len(n.Items))
		return ""
	}
	seen, ids := map[string]bool{}, ""
	for i, item := range n.Items {
		id := strings.ToLower(text(item, "principalId"))
		if !isGUID(id) || text(item, "principalIdDisplayName") == "" || seen[id] {
			m.add("MSO_APPROVERS", fmt.Sprintf("%s/%d", at, i), item, "The approver is %q, named %q.", id, text(item, "principalIdDisplayName"))
		}
		seen[id] = true
		ids += id + ","
	}
	return ids
}

var durationForm = regexp.MustCompile(`^PT(?:(\d{1,2})H)?(?:(\d{1,3})M)?$`)

// parseDuration reads hours and minutes of an ISO 8601 duration.
func parseDuration(s string) (time.Duration, bool) {
	parts := durationForm.FindStringSubmatch(s)
	if parts == nil || parts[1]+parts[2] == "" {
		return 0, false
	}
	hours, _ := strconv.Atoi(parts[1]) // an absent part is 0
	minutes, _ := strconv.Atoi(parts[2])
	return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute, true
}

var versionForm = regexp.MustCompile(`^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$`)

// version is compared part by part.
type version [3]int

func parseVersion(s string) (v version, ok bool) {
	parts := versionForm.FindStringSubmatch(s)
	if parts == nil {
		return v, false
	}
	for i := range v {
		v[i], _ = strconv.Atoi(parts[i+1]) // digits, at most nine
	}
	return v, true
}

func (v version) below(o version) bool {
	for i := range v {
		if v[i] != o[i] {
			return v[i] < o[i]
		}
	}
	return false
}
