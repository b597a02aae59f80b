package stack_test

import (
	"fmt"
	"testing"
)

// selftestAPI is the self-test of virtual machine images. Its errors have a code and a message that names the field, and
// no target.
func selftestAPI(t *testing.T, w *world) *api {
	own, _ := w.Fixtures.Publisher(contoso)
	body := fmt.Sprintf(`{"DNSName":"myvm.example.com","UserName":"azureuser","Password":"SomePasswordHere","OS":"Linux","PortNo":"22","CompanyName":"Contoso","AppId":%q,"TenantId":%q}`,
		own.Apps[0].AppID, own.TenantID)
	argument := want{400, "BadArgument", ""}
	var rows []row
	member := func(b bad, name, value string, w want) {
		rows = append(rows, row{bad: b, name: name + " " + value[:min(len(value), 20)], body: set(t, body, name, value), want: w})
	}
	for _, name := range []string{"DNSName", "UserName", "Password", "OS", "PortNo", "CompanyName", "AppId", "TenantId"} {
		member(wrongType, name, `5`, argument)
		member(invalid, name, `""`, argument)
		member(invalid, name, `null`, argument)
	}
	for _, host := range []string{"10.0.0.4", "[::1]", "127.1", "myvm", "-.example.com", "https://myvm.example.com"} {
		member(invalid, "DNSName", quoted(host), argument)
	}
	member(invalid, "OS", `"BeOS"`, argument)
	member(invalid, "PortNo", `"ssh"`, argument)
	member(invalid, "PortNo", `"0"`, argument)
	member(overLong, "DNSName", quoted(long(254)), argument)
	member(overLong, "UserName", quoted(long(257)), argument)
	member(overLong, "Password", quoted(long(17<<10)), argument)
	member(overLong, "OS", quoted(long(2000)), argument)
	member(overLong, "PortNo", `"65536"`, argument)
	member(overLong, "CompanyName", quoted(long(257)), argument)
	member(overLong, "AppId", quoted(long(2000)), want{403, "TenantOrAppMismatch", ""})
	member(overLong, "TenantId", quoted(long(2000)), want{403, "TenantOrAppMismatch", ""})
	member(foreign, "AppId", `"11111111-1111-4111-8111-111111111111"`, want{403, "TenantOrAppMismatch", ""})
	member(foreign, "TenantId", `"11111111-1111-4111-8111-111111111111"`, want{403, "TenantOrAppMismatch", ""})
	return &api{
		name: "selftest", read: portalError,
		refusals: map[bad]want{
			missingToken: {401, "Unauthorized", ""}, invalidToken: {401, "Unauthorized", ""}, foreign: {403, "Forbidden", ""}, malformed: argument,
			wrongType: argument, tooLarge: {413, "BodyTooLarge", ""}, mediaType: {415, "UnsupportedMediaType", ""}, chunked: argument,
		},
		strangers: map[string]string{"App": passerby},
		endpoints: []endpoint{{method: "POST", pattern: "/selftest-vm", who: tester, body: body, rows: rows}},
	}
}
