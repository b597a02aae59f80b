package metering

import (
	"strings"

	"stoa/shared/account"
)

// sameURI compares ARM ids, which have no case (MTR-35).
func sameURI(a, b string) bool { return plainURI(a) == plainURI(b) }

// plainURI is an ARM id as it is compared and looked up: in lower case, without a closing slash.
func plainURI(id string) string { return strings.TrimSuffix(strings.ToLower(id), "/") }

// armID is an ARM id cut into its parts: subscriptions, its id, resourcegroups, its name, and what is in the group.
func armID(id string) ([]string, bool) {
	parts := strings.Split(plainURI(id), "/")
	if len(parts) < 5 || parts[0] != "" || parts[1] != "subscriptions" || parts[3] != "resourcegroups" {
		return nil, false
	}
	for _, p := range parts[1:] {
		if p == "" {
			return nil, false
		}
	}
	return parts[1:], account.GUID(parts[2]) != ""
}

// resourceGroup is the ARM id of the resource group that a resource is in, in lower case.
func resourceGroup(id string) (string, bool) {
	parts, ok := armID(id)
	if !ok {
		return "", false
	}
	return "/" + strings.Join(parts[:4], "/"), true
}

// isResourceGroup reports whether an ARM id is that of a resource group.
func isResourceGroup(id string) bool {
	parts, ok := armID(id)
	return ok && len(parts) == 4
}

// isManagedApplication reports whether an ARM id is that of a managed application.
func isManagedApplication(id string) bool {
	parts, ok := armID(id)
	return ok && len(parts) == 8 && parts[4] == "providers" && parts[5] == "microsoft.solutions" && parts[6] == "applications"
}

// azureSubscription is the Azure subscription of an ARM id, empty when it is none.
func azureSubscription(id string) string {
	parts, ok := armID(id)
	if !ok {
		return ""
	}
	return parts[1]
}
