// Package powerbi validates what Power BI offers bring: the visual's package, the sample report, and the link of an
// app (rules PBV-17 to PBV-25, PBA-5). Constants stand in powerbi.json.
package powerbi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"stoa/shared/packages/finding"
)

//go:embed powerbi.json
var constantsJSON []byte

var constants = loadConstants()

// table is the part of powerbi.json that code reads.
type table struct {
	Visual struct {
		Required       []string `json:"packageJsonRequired"`
		GUIDPattern    string   `json:"guidPattern"`
		NamePattern    string   `json:"namePattern"`
		VersionPattern string   `json:"versionPattern"`
		EmailPattern   string   `json:"emailPattern"`
		DebugSuffix    string   `json:"debugGuidSuffix"`
	} `json:"pbiviz"`
	ForbiddenCalls      []string `json:"certificationForbiddenCalls"`
	ForbiddenPrivileges []string `json:"certificationForbiddenPrivileges"`
	ReservedWords       []string `json:"jsReservedWords"`
	Report              struct {
		RequiredParts []string `json:"requiredParts"`
		LayoutParts   []string `json:"layoutParts"`
		ModelParts    []string `json:"modelParts"`
		VisualPrefix  string   `json:"customVisualPrefix"`
		Connections   string   `json:"connectionsPart"`
		Mashup        string   `json:"mashupPart"`
		External      []string `json:"externalMFunctions"`
		LiveSuffix    string   `json:"externalConnectionTypeSuffix"`
	} `json:"pbix"`
	Link struct {
		Scheme string `json:"scheme"`
		Host   string `json:"host"`
		Path   string `json:"path"`
	} `json:"installerLink"`
}

func loadConstants() table {
	var t table
	if err := json.Unmarshal(constantsJSON, &t); err != nil {
		panic(fmt.Sprintf("powerbi.json: %v", err))
	}
	return t
}

// compareVersions compares number by number; what is no number counts as -1, so that a broken version is the lowest.
func compareVersions(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }

func numbers(version string) []int {
	parts := strings.Split(version, ".")
	out := make([]int, len(parts))
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			n = -1
		}
		out[i] = n
	}
	return out
}

// CheckInstallerLink looks at the link that installs an app (PBA-5).
func CheckInstallerLink(link string, report *finding.Report) {
	if why := linkProblem(link); why != "" {
		report.Add("PBA_LINK_INVALID", finding.Place{File: "installerLink"}, "The link %s.", why)
	}
}

func linkProblem(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return "is no address"
	}
	query, err := url.ParseQuery(u.RawQuery)
	guid := func(name string) bool {
		_, err := uuid.Parse(query.Get(name))
		return err == nil && len(query.Get(name)) == 36
	}
	switch {
	case err != nil:
		return "has a query that cannot be read"
	case !strings.EqualFold(u.Scheme, constants.Link.Scheme) || !strings.EqualFold(u.Host, constants.Link.Host) || !strings.EqualFold(u.Path, constants.Link.Path):
		return fmt.Sprintf("must begin %s://%s%s", constants.Link.Scheme, constants.Link.Host, constants.Link.Path)
	case query.Get("action") != "InstallApp":
		return fmt.Sprintf("has the action %q; it must be InstallApp", query.Get("action"))
	case !guid("appId"):
		return "has no appId that is a GUID"
	case query.Get("packageKey") == "":
		return "has no packageKey"
	case !guid("ownerId"):
		return "has no ownerId that is a GUID"
	}
	return ""
}
