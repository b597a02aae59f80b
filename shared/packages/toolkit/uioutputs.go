package toolkit

import (
	"regexp"
	"strings"

	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/uidefinition"
)

// opening is a reference directly behind an opening bracket.
var opening = regexp.MustCompile(`(?i)\[\s*(?:basics\(\s*'([^']+)'|steps\(\s*'([^']+)'\s*\)(?:\.(\w+))?)`)

// uiControlsInOutputs: AZA-202. Outputs that are objects are searched one level deep.
func uiControlsInOutputs(in *Input, found *Found) {
	basics, steps := namesOf(in.Definition.Basics), map[string]map[string]bool{}
	for _, s := range in.Definition.Steps {
		step := strings.ToLower(s.Name)
		if steps[step] == nil {
			steps[step] = map[string]bool{}
		}
		for name := range namesOf(s.Elements) {
			steps[step][name] = true
		}
	}
	for _, out := range in.Definition.Outputs {
		for _, text := range textsOf(out.Value) {
			for _, m := range opening.FindAllStringSubmatch(text, -1) {
				control, step, element := strings.ToLower(m[1]), strings.ToLower(m[2]), strings.ToLower(m[3])
				switch {
				case control != "" && !basics[control]:
					onOutput(in, found, out, "The output %s reads basics('%s'), and basics has no such control.", out.Name, m[1])
				case step != "" && steps[step] == nil:
					onOutput(in, found, out, "The output %s reads steps('%s'), and there is no such step.", out.Name, m[2])
				case element != "" && !steps[step][element]:
					onOutput(in, found, out, "The output %s reads steps('%s').%s, and the step has no such element.", out.Name, m[2], m[3])
				}
			}
		}
	}
}

func namesOf(elements []*uidefinition.Element) map[string]bool {
	out := map[string]bool{}
	for _, e := range elements {
		out[strings.ToLower(e.Name)] = true
	}
	return out
}

// textsOf are the texts of an output: itself, or the members of an object.
func textsOf(n *jsondoc.Node) []string {
	if n.Kind == jsondoc.String {
		return []string{n.Text}
	}
	out := []string{}
	for _, m := range n.Members {
		if m.Value.Kind == jsondoc.String {
			out = append(out, m.Value.Text)
		}
	}
	return out
}

func onOutput(in *Input, found *Found, out uidefinition.Output, format string, args ...any) {
	found.OnUI(in, in.Definition.Root.At("parameters", "outputs", out.Name), format, args...)
}

// outputsOf is the section of outputs, nil when there is none.
func outputsOf(in *Input) *jsondoc.Node {
	return in.Definition.Root.Get("parameters").Get("outputs")
}

// uiLocation: AZA-208.
func uiLocation(in *Input, found *Found) {
	section, where := outputsOf(in), in.Definition.Root.At("parameters", "outputs", "location")
	switch location := section.Get("location"); {
	case !truthy(section):
		found.OnUI(in, where, "The UI definition has no outputs, and so no location.")
	case !truthy(location):
		found.OnUI(in, where, "The outputs have no location; it is [location()].")
	case !strings.EqualFold(strings.TrimSpace(writtenOut(location)), "[location()]"):
		found.OnUI(in, where, "The output location is %q; it must be [location()].", writtenOut(location))
	}
}

var exemptOutputs = parameterOf[[]string]("Outputs-Must-Be-Present-In-Template-Parameters", "exemptOutputs")

// uiOutputsInTemplate: AZA-209.
func uiOutputsInTemplate(in *Input, found *Found) {
	if !truthy(outputsOf(in)) {
		found.OnUI(in, in.Definition.Root.At("parameters", "outputs"), "The UI definition has no outputs.")
	}
	for _, out := range in.Definition.Outputs {
		if !oneOf(out.Name, exemptOutputs) && in.Main.Parameter(out.Name) == nil {
			onOutput(in, found, out, "The output %s is no parameter of %s.", out.Name, in.Main.Doc.File)
		}
	}
}

// uiParametersInOutputs: AZA-210. An empty text is a default, null is none.
func uiParametersInOutputs(in *Input, found *Found) {
	outputs := map[string]bool{}
	for _, out := range in.Definition.Outputs {
		outputs[strings.ToLower(out.Name)] = out.Value.Kind != jsondoc.Null
	}
	for _, p := range in.Main.Parameters() {
		value := p.Member("defaultValue")
		if (value == nil || value.Kind == jsondoc.Null) && !outputs[strings.ToLower(p.Key)] {
			found.OnUI(in, in.Definition.Root.At("parameters", "outputs", p.Key), "The parameter %s of %s has no default, and no output gives it a value.", p.Key, in.Main.Doc.File)
		}
	}
}

var hideExistingTypes = parameterOf[[]string]("HideExisting-Must-Be-Correctly-Handled", "types")

// uiHideExisting: AZA-207. A missing hideExisting counts as false.
func uiHideExisting(in *Input, found *Found) {
	outputs := newOutputTexts(in)
	for _, o := range controlsOf(in, hideExistingTypes...) {
		if isTrue(o.Get("options").Get("hideExisting")) {
			continue
		}
		name := strings.ToLower(o.Word("name"))
		for _, part := range []string{"resourceGroup", "newOrExisting"} {
			if _, fed := outputs.first(func(text string) bool { return inOrder(text, name, "."+strings.ToLower(part)) }); !fed {
				found.OnUI(in, o.At(), "%s offers existing resources, and no output reads its %s.", o.Word("name"), part)
			}
		}
	}
}

// uiPasswordParameters: AZA-211.
func uiPasswordParameters(in *Input, found *Found) {
	outputs := newOutputTexts(in)
	for _, o := range controlsOf(in, passwordBox) {
		name := o.Word("name")
		low := strings.ToLower(name)
		output, fed := outputs.first(func(text string) bool { return inOrder(text, "steps(", low) || inOrder(text, "basics(", low) })
		if !fed {
			found.OnUI(in, o.At(), "No output reads the password box %s.", name)
			continue
		}
		parameter := in.Main.Parameter(output)
		kind := parameter.Member("type").Word()
		switch {
		case parameter == nil:
			found.OnUI(in, o.At(), "The password box %s feeds the output %s, which is no parameter of %s.", name, output, in.Main.Doc.File)
		case !oneOf(kind, []string{"secureString", "secureObject"}):
			found.OnUI(in, o.At(), "The password box %s feeds the parameter %s of type %s; it must be secureString or secureObject.", name, output, kind)
		}
	}
}

// uiVMSizes: AZA-217.
func uiVMSizes(in *Input, found *Found) {
	outputs := newOutputTexts(in)
	for _, o := range controlsOf(in, sizes) {
		name := o.Word("name")
		parts := []string{"basics(", strings.ToLower(name)}
		if step, inside := stepAround(o); inside {
			parts = []string{"steps(", strings.ToLower(step), ")", "." + strings.ToLower(name)}
		}
		output, fed := outputs.first(func(text string) bool { return inOrder(text, parts...) })
		if !fed {
			found.OnUI(in, o.At(), "No output reads the size selector %s.", name)
			continue
		}
		parameter := in.Main.Parameter(output)
		if parameter == nil {
			found.OnUI(in, o.At(), "The size selector %s feeds the output %s, which is no parameter of %s.", name, output, in.Main.Doc.File)
			continue
		}
		value, allowed := parameter.Member("defaultValue"), o.Get("constraints").Get("allowedSizes")
		if value != nil && truthy(value.Node) && truthy(allowed) && !offers(allowed, value.Text) {
			found.OnUI(in, o.At("constraints", "allowedSizes"), "The parameter %s has the default %q, which the size selector %s does not allow.", output, value.Text, name)
		}
	}
}

// stepAround is the name of the step that an object stands in.
func stepAround(o *uidefinition.Object) (name string, inside bool) {
	for at := o; at != nil; at = at.Up(0) {
		if strings.EqualFold(at.Key, "steps") {
			name, inside = at.Word("name"), true
		}
	}
	return name, inside
}

// offers reports whether a list, or the one value in its place, holds the text.
func offers(list *jsondoc.Node, text string) bool {
	if list.Kind != jsondoc.Array {
		return strings.EqualFold(list.Text, text)
	}
	for _, item := range list.Items {
		if strings.EqualFold(item.Text, text) {
			return true
		}
	}
	return false
}

// maxSearched is about how many bytes one test looks through, so that a hostile file cannot make it look through all
// of its texts for each of its controls. What lies behind is not found.
const maxSearched = 64 << 20

// outputTexts are the outputs as the toolkit looks at them, in lower case.
type outputTexts struct {
	in    *Input
	texts []string
	spent int
}

func newOutputTexts(in *Input) *outputTexts {
	t := &outputTexts{in: in}
	for _, out := range in.Definition.Outputs {
		t.texts = append(t.texts, strings.ToLower(writtenOut(out.Value)))
	}
	return t
}

// may reports whether a text of that many bytes may still be looked through.
func (t *outputTexts) may(bytes int) bool {
	t.spent += bytes + 16
	return t.spent <= maxSearched
}

// first is the name of the first output that matches.
func (t *outputTexts) first(matches func(text string) bool) (string, bool) {
	for i, text := range t.texts {
		if !t.may(len(text)) {
			break
		}
		if matches(text) {
			return t.in.Definition.Outputs[i].Name, true
		}
	}
	return "", false
}

// inOrder reports whether a text holds the parts one behind the other.
func inOrder(text string, parts ...string) bool {
	for _, part := range parts {
		_, rest, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = rest
	}
	return true
}
