package toolkit

import (
	"regexp"
	"slices"
	"strings"

	"stoa/shared/packages/content"
	"stoa/shared/packages/jsondoc"
)

// parameterTests are the tests of parameter files (AZA-218 to AZA-221) and of all files (AZA-200).
var parameterTests = map[string]Test{
	"JSONFiles-Should-Be-Valid":                       jsonFilesValid,           // AZA-200
	"DeploymentParameters-Should-Have-ContentVersion": parametersContentVersion, // AZA-218
	"DeploymentParameters-Should-Have-Parameters":     parametersParameters,     // AZA-219
	"DeploymentParameters-Should-Have-Schema":         parametersSchema,         // AZA-220
	"DeploymentParameters-Should-Have-Value":          parametersValue,          // AZA-221
}

// jsonFilesValid: AZA-200. A file that cannot be parsed has its own finding with the place of the fault.
func jsonFilesValid(in *Input, found *Found) {
	for _, d := range in.Files {
		if !truthy(d.Root) {
			found.Add(d, "", d.Root.Offset, "The file holds nothing: its root is null, false, zero, an empty text or an empty list.")
		}
	}
}

var fourNumbers = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)

// parametersContentVersion: AZA-218.
func parametersContentVersion(in *Input, found *Found) {
	for _, d := range in.Parameters {
		switch v := d.Root.Get("contentVersion"); {
		case !truthy(v):
			if truthy(d.Root.Get("$schema")) {
				found.Add(d, "/contentVersion", offset(v, d), "The parameter file has a $schema and no contentVersion.")
			}
		case v.Kind != jsondoc.String:
			found.Add(d, "/contentVersion", v.Offset, "contentVersion is no text.")
		case !fourNumbers.MatchString(v.Text):
			found.Warn(d, "/contentVersion", v.Offset, "contentVersion is %q and not of the form 1.0.0.0.", v.Text)
		}
	}
}

// parametersParameters: AZA-219.
func parametersParameters(in *Input, found *Found) {
	for _, d := range in.Parameters {
		if !truthy(d.Root.Get("$schema")) && !truthy(d.Root.Get("contentVersion")) {
			continue
		}
		if p := d.Root.Get("parameters"); !truthy(p) {
			found.Add(d, "/parameters", offset(p, d), "The parameter file has no parameters.")
		}
	}
}

var parameterSchemas = parameterOf[[]string]("DeploymentParameters-Should-Have-Schema", "schemas")

// parametersSchema: AZA-220.
func parametersSchema(in *Input, found *Found) {
	for _, d := range in.Parameters {
		schema := d.Root.Get("$schema")
		if !truthy(schema) {
			if truthy(d.Root.Get("contentVersion")) {
				found.Add(d, "/$schema", offset(schema, d), "The parameter file has a contentVersion and no $schema.")
			}
			continue
		}
		if !oneOf(schema.Text, parameterSchemas) {
			found.Add(d, "/$schema", schema.Offset, "The $schema %q is not one of %s.", schema.Text, strings.Join(parameterSchemas, ", "))
		}
	}
}

// keyVaultID has no anchors: the toolkit looks for it anywhere in the text.
var (
	keyVaultID = regexp.MustCompile(`(?i)/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourceGroups/[\w-]{1,64}/providers/Microsoft.KeyVault/vaults/[\w-]{3,24}`)
	secretName = regexp.MustCompile(parameterOf[string]("DeploymentParameters-Should-Have-Value", "secretNamePattern"))
	bracketed  = regexp.MustCompile(`^\s?\[.*\]\s?$`)
)

// parametersValue: AZA-221.
func parametersValue(in *Input, found *Found) {
	for _, d := range in.Parameters {
		list := d.Root.Get("parameters")
		if !truthy(d.Root.Get("$schema")) || !list.Is(jsondoc.Object) {
			continue
		}
		for _, m := range list.Members {
			if strings.HasPrefix(m.Key, "__") {
				continue
			}
			at := "/parameters/" + content.Pointer(m.Key)
			value, reference := m.Value.Get("value"), m.Value.Get("reference")
			switch {
			case value != nil:
				if value.Kind == jsondoc.String && bracketed.MatchString(value.Text) {
					found.Warn(d, at+"/value", value.Offset, "The value of %s looks like an expression; values of parameter files are not evaluated.", m.Key)
				}
			case reference != nil:
				if path, why := badReference(reference); why != "" {
					found.Add(d, at+"/reference"+path, reference.Offset, "The reference of %s %s.", m.Key, why)
				}
			default:
				found.Add(d, at, m.Offset, "The parameter %s has neither a value nor a reference.", m.Key)
			}
		}
	}
}

// badReference says what is wrong with a reference to a secret of a key vault, and in which member.
func badReference(reference *jsondoc.Node) (path, why string) {
	vault, name := reference.Get("keyVault"), reference.Get("secretName")
	id := vault.Get("id")
	switch {
	case vault == nil:
		return "", "has no keyVault"
	case id == nil:
		return "/keyVault", "has a keyVault without an id"
	case !keyVaultID.MatchString(id.Text):
		return "/keyVault/id", "has a keyVault whose id is not of the form /subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.KeyVault/vaults/{name}"
	case name == nil:
		return "", "has no secretName"
	case !secretName.MatchString(name.Text):
		return "/secretName", "has a secretName that is not made of 1 to 127 letters, digits and hyphens"
	default:
		return "", ""
	}
}

func offset(n *jsondoc.Node, d *content.Document) int {
	if n == nil {
		return d.Root.Offset
	}
	return n.Offset
}

func oneOf(word string, list []string) bool {
	return slices.ContainsFunc(list, func(w string) bool { return strings.EqualFold(w, word) })
}
