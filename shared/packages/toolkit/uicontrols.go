package toolkit

import (
	"regexp"
	"strconv"
	"strings"

	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/uidefinition"
)

var uiMayBeBlank = parameterOf[[]string]("CreateUIDefinition-Must-Not-Have-Blanks", "propertiesThatCanBeEmpty")

// uiBlanks: AZA-203. Items of lists may be blank.
func uiBlanks(in *Input, found *Found) {
	for _, o := range in.Definition.Objects {
		for _, m := range o.Members {
			if what := uiBlank(m.Value); what != "" && !oneOf(m.Key, uiMayBeBlank) {
				found.OnUI(in, o.At(m.Key), "%s is %s; give it a value or leave it out.", m.Key, what)
			}
		}
	}
}

// uiBlank says what a value is that holds nothing, "" when it holds something.
func uiBlank(n *jsondoc.Node) string {
	switch n.Kind {
	case jsondoc.Null:
		return "null"
	case jsondoc.Object:
		return ifTrue(len(n.Members) == 0, "an empty object")
	case jsondoc.String:
		return ifTrue(strings.TrimSpace(n.Text) == "", "an empty text")
	case jsondoc.Array:
		if len(n.Items) == 1 {
			only := n.Items[0]
			return ifTrue(uiBlank(only) != "" && (only.Kind == jsondoc.Object || only.Kind == jsondoc.String), "a list with nothing in it")
		}
		return ifTrue(len(n.Items) == 0, "an empty list")
	default:
		return ""
	}
}

func ifTrue(condition bool, text string) string {
	if condition {
		return text
	}
	return ""
}

const uiSchemaTest = "CreateUIDefinition-Should-Have-Schema"

var (
	uiSchemaURL     = parameterOf[string](uiSchemaTest, "schema")
	uiSchemaVersion = parameterOf[string](uiSchemaTest, "version")
)

// uiSchema: AZA-204. The address is compared with case, the version without.
func uiSchema(in *Input, found *Found) {
	root := in.Definition.Root
	schema, version := root.Word("$schema"), root.Word("version")
	switch {
	case schema == "":
		found.OnUI(in, root.At("$schema"), "The UI definition has no $schema; it is %s.", uiSchemaURL)
	case schema != uiSchemaURL:
		found.OnUI(in, root.At("$schema"), "The $schema is %q; it must be %s, also in upper and lower case.", schema, uiSchemaURL)
	}
	switch {
	case version == "":
		found.OnUI(in, root.At("version"), "The UI definition has no version; it is %s, as in the $schema.", uiSchemaVersion)
	case !strings.EqualFold(version, uiSchemaVersion):
		found.OnUI(in, root.At("version"), "The version is %q; the $schema is that of %s.", version, uiSchemaVersion)
	}
}

var handlers = parameterOf[[]string]("Handler-Must-Be-Correct", "handlers")

// uiHandler: AZA-206.
func uiHandler(in *Input, found *Found) {
	root := in.Definition.Root
	switch handler := root.Get("handler"); {
	case !truthy(handler):
		found.OnUI(in, root.At("handler"), "The UI definition has no handler; it is one of %s.", strings.Join(handlers, ", "))
	case !oneOf(handler.Text, handlers):
		found.OnUI(in, root.At("handler"), "The handler is %q; it must be one of %s.", writtenOut(handler), strings.Join(handlers, ", "))
	}
}

const confirmationTest = "Credential-Confirmation-Should-Not-Be-Hidden"

var confirmedTypes = parameterOf[[]string](confirmationTest, "types")

// uiConfirmation: AZA-205.
func uiConfirmation(in *Input, found *Found) {
	for _, o := range controlsOf(in, confirmedTypes...) {
		if isTrue(o.Get("options").Get("hideConfirmation")) {
			found.OnUI(in, o.At("options", "hideConfirmation"), "%s hides the confirmation of its password; hideConfirmation must not be true.", o.Word("name"))
		}
	}
}

const (
	passwordBox = "Microsoft.Common.PasswordBox"
	textBox     = "Microsoft.Common.TextBox"
	userName    = "Microsoft.Compute.UserNameTextBox"
	sizes       = "Microsoft.Compute.SizeSelector"
)

var (
	passwordMin = parameterOf[int]("PasswordBoxes-Must-Have-Min-Length", "minLength")
	lowerBound  = regexp.MustCompile(`\{(\d+)`)
	lengthCount = regexp.MustCompile(`\{\d+(,\d*)?\}`)
)

// uiPasswordLength: AZA-212. The lower bounds of all counts are added up, whatever they count.
func uiPasswordLength(in *Input, found *Found) {
	for _, o := range controlsOf(in, passwordBox) {
		constraints, name := o.Get("constraints"), o.Word("name")
		if !truthy(constraints) {
			found.OnUI(in, o.At("constraints"), "The password box %s has no constraints.", name)
			continue
		}
		expression := constraints.Get("regex")
		if !truthy(expression) || bracketedText(expression.Text) {
			continue
		}
		if err := uidefinition.CheckRegex(expression.Text); err != nil {
			found.OnUI(in, o.At("constraints", "regex"), "The regex %q of the password box %s is not valid in JavaScript: %s.", expression.Text, name, err.Error())
			continue
		}
		bounds := lowerBound.FindAllStringSubmatch(expression.Text, -1)
		if len(bounds) == 0 {
			found.OnUI(in, o.At("constraints", "regex"), "The regex %q of the password box %s says nothing of the length, such as {%d,}.", expression.Text, name, passwordMin)
			continue
		}
		least := 0
		for _, b := range bounds {
			if n, err := strconv.ParseInt(b[1], 10, 32); err == nil {
				least += int(n)
			}
		}
		if least < passwordMin {
			found.WarnUI(in, o.At("constraints", "regex"), "The regex %q of the password box %s asks for %d characters; passwords have at least %d.", expression.Text, name, least, passwordMin)
		}
	}
}

// bracketedText reports whether a text looks like an expression, whose value is not known.
func bracketedText(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]")
}

// uiTextBoxes: AZA-213.
func uiTextBoxes(in *Input, found *Found) {
	for _, o := range controlsOf(in, textBox) {
		constraints, name := o.Get("constraints"), o.Word("name")
		if !truthy(constraints) {
			found.OnUI(in, o.At("constraints"), "The text box %s has no constraints.", name)
			continue
		}
		where, expression := regexOf(o, constraints)
		if len(where.Names) == 2 && truthy(expression) && !truthy(constraints.Get("validationMessage")) {
			found.OnUI(in, o.At("constraints", "validationMessage"), "The text box %s has a regex and no validationMessage.", name)
		}
		if !truthy(expression) {
			found.OnUI(in, where, "The text box %s has no regex, neither in its constraints nor in their validations.", name)
			continue
		}
		if err := uidefinition.CheckRegex(expression.Text); err != nil {
			found.OnUI(in, where, "The regex %q of the text box %s is not valid in JavaScript: %s.", expression.Text, name, err.Error())
		} else if !lengthCount.MatchString(expression.Text) {
			found.WarnUI(in, where, "The regex %q of the text box %s says nothing of the length, such as {1,30}.", expression.Text, name)
		}
	}
}

// regexOf is the regex of a text box. Where there are validations it is the first of theirs, and one beside them does
// not count.
func regexOf(o *uidefinition.Object, constraints *jsondoc.Node) (uidefinition.Spot, *jsondoc.Node) {
	validations := constraints.Get("validations")
	if !truthy(validations) {
		return o.At("constraints", "regex"), constraints.Get("regex")
	}
	for i, v := range itemsOf(validations) {
		if regex := v.Get("regex"); truthy(regex) {
			return o.At("constraints", "validations", strconv.Itoa(i), "regex"), regex
		}
	}
	return o.At("constraints", "validations"), nil
}

var withoutToolTip = parameterOf[[]string]("Tooltips-Should-Be-Present", "exemptTypes")

// uiToolTips: AZA-214.
func uiToolTips(in *Input, found *Found) {
	for _, o := range in.Definition.Objects {
		kind := o.Word("type")
		if !isControl(kind) || oneOf(kind, withoutToolTip) || hidden(o) {
			continue
		}
		if strings.TrimSpace(writtenOut(o.Get("toolTip"))) == "" {
			found.OnUI(in, o.At("toolTip"), "The control %s of type %s has no toolTip.", o.Word("name"), kind)
		}
	}
}

// isControl reports whether a type is of the form Microsoft.*.*.
func isControl(kind string) bool {
	const maker = "microsoft."
	return len(kind) > len(maker) && strings.EqualFold(kind[:len(maker)], maker) && strings.Contains(kind[len(maker):], ".")
}

// uiUserNames: AZA-215.
func uiUserNames(in *Input, found *Found) {
	for _, o := range controlsOf(in, userName) {
		if v := o.Get("defaultValue"); truthy(v) {
			found.OnUI(in, o.At("defaultValue"), "The user name %s has the default %q.", o.Word("name"), writtenOut(v))
		}
	}
}

// uiValidations: AZA-216.
func uiValidations(in *Input, found *Found) {
	for _, o := range in.Definition.Objects {
		m := o.Member("validations")
		if m == nil || !truthy(m.Value) || hidden(o) {
			continue
		}
		for i, v := range itemsOf(m.Value) {
			if v.Get("message") == nil {
				found.OnUI(in, o.At("validations", strconv.Itoa(i), "message"), "Validation %d of %s has no message.", i+1, ownerOf(o))
			}
		}
	}
}

// ownerOf is what a message calls the object around constraints.
func ownerOf(constraints *uidefinition.Object) string {
	around := constraints.Up(0)
	if around == nil {
		return "the UI definition"
	}
	if name := around.Word("name"); name != "" {
		return name
	}
	return around.Key
}
