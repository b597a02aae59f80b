package toolkit

import (
	"strconv"
	"strings"
	"unicode"

	"stoa/shared/packages/armtemplate"
	"stoa/shared/packages/jsondoc"
	"stoa/shared/packages/uidefinition"
)

// uiAllowedValues: AZA-201. Like the toolkit, it follows the controls of basics and those directly in a step; a control
// in a section is looked for under the section's name, so that its values are not compared.
func uiAllowedValues(in *Input, found *Found) {
	c := &choices{in: in, found: found, outputs: newOutputTexts(in), everything: strings.ToLower(string(in.UI.Text)),
		declared: map[*armtemplate.Value]declaration{}}
	for _, o := range in.Definition.Objects {
		if m := o.Member("allowedValues"); m != nil && truthy(m.Value) && o.Parent != nil && !hidden(o) {
			c.check(o, m.Value)
		}
	}
}

// choices compares what controls offer with what parameters allow.
type choices struct {
	in         *Input
	found      *Found
	outputs    *outputTexts
	everything string // the whole definition in lower case
	declared   map[*armtemplate.Value]declaration
}

// declaration is what a parameter allows and its default, in lower case.
type declaration struct {
	allowed []string
	value   *jsondoc.Node // the default, nil when there is none, or it is the location of the resource group
	whole   string        // the default
	each    []string      // its items when it is a list
}

// check compares the values that an object with allowedValues offers.
func (c *choices) check(o *uidefinition.Object, offered *jsondoc.Node) {
	name, feeds := fedBy(o)
	if name == "" {
		return
	}
	output, fed := c.outputs.first(feeds)
	control := o.Up(0)
	if !fed {
		elsewhere := !c.outputs.may(len(c.everything)/16) || strings.Contains(c.everything, "."+strings.ToLower(name))
		if control.Word("name") != "" && !elsewhere {
			c.found.OnUI(c.in, control.At(), "No output reads the control %s, and nothing else does.", name)
		}
		return
	}
	parameter := c.in.Main.Parameter(output)
	if parameter == nil {
		c.found.OnUI(c.in, o.At("allowedValues"), "The control %s feeds the output %s, which is no parameter of %s.", name, output, c.in.Main.Doc.File)
		return
	}
	d, known := c.declared[parameter]
	if !known {
		d = declarationOf(parameter)
		c.declared[parameter] = d
	}
	same := map[string]bool{}
	for i, item := range itemsOf(offered) {
		if value := item.Get("value"); value != nil {
			item = value
		}
		text := writtenOut(item)
		same[strings.ToLower(text)] = true
		if len(d.allowed) > 0 && !c.accepted(d, strings.ToLower(text)) {
			c.found.OnUI(c.in, o.At("allowedValues", strconv.Itoa(i)), "The control %s offers %q, which the parameter %s of %s does not allow.", name, text, output, c.in.Main.Doc.File)
		}
	}
	c.checkDefault(o.At("allowedValues"), d, same, [2]string{name, output})
}

// accepted reports whether a value that the parameter allows holds the text. What is computed passes.
func (c *choices) accepted(d declaration, text string) bool {
	computed := bracketedText(text)
	for _, allowed := range d.allowed {
		if computed || c.outputs.may(len(allowed)) && strings.Contains(allowed, text) {
			return true
		}
	}
	return false
}

// checkDefault compares the default of the parameter with what is offered. A default that the parameter itself allows
// passes.
func (c *choices) checkDefault(where uidefinition.Spot, d declaration, offered map[string]bool, names [2]string) {
	if d.value == nil || len(offered) > 0 && c.accepted(d, d.whole) {
		return
	}
	for i, item := range itemsOf(d.value) {
		if !offered[d.each[i]] && c.outputs.may(0) {
			c.found.OnUI(c.in, where, "The parameter %s of %s has the default %q, which the control %s does not offer.", names[1], c.in.Main.Doc.File, writtenOut(item), names[0])
		}
	}
}

func declarationOf(parameter *armtemplate.Value) declaration {
	var d declaration
	if allowed := parameter.Member("allowedValues"); allowed != nil && truthy(allowed.Node) {
		for _, item := range itemsOf(allowed.Node) {
			d.allowed = append(d.allowed, strings.ToLower(writtenOut(item)))
		}
	}
	if value := parameter.Member("defaultValue"); value != nil && truthy(value.Node) && !ofResourceGroup(value.Text) {
		d.value, d.whole = value.Node, strings.ToLower(writtenOut(value.Node))
		for _, item := range itemsOf(value.Node) {
			d.each = append(d.each, strings.ToLower(writtenOut(item)))
		}
	}
	return d
}

// ofResourceGroup reports whether a text is the location of the resource group.
func ofResourceGroup(text string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(text), ""), "[resourceGroup().location]")
}

// itemsOf are the items of a list, or the one value in its place.
func itemsOf(n *jsondoc.Node) []*jsondoc.Node {
	if n.Kind == jsondoc.Array {
		return n.Items
	}
	return []*jsondoc.Node{n}
}

// fedBy is the name of the control that an object with allowedValues belongs to, and which outputs read it. The
// controls that every definition has, such as the location, have no name but their member of config.
func fedBy(o *uidefinition.Object) (name string, feeds func(text string) bool) {
	control := o.Up(0)
	if name := control.Word("name"); name != "" {
		step := ""
		if around := control.Up(0); around != nil {
			step = strings.ToLower(around.Word("name"))
		}
		low := strings.ToLower(name)
		return name, func(text string) bool { return reads(text, step, low) }
	}
	for at := o; at.Parent != nil; at = at.Parent {
		if strings.EqualFold(at.Key, "config") && at != o {
			call := strings.ToLower(o.Key) + "("
			return o.Key, func(text string) bool { return strings.Contains(text, call) }
		}
	}
	return "", nil
}

// reads reports whether a text in lower case reads basics('control'), or without a break steps('step').….control.
func reads(text, step, control string) bool {
	function, name := "basics(", control
	if step != "" {
		function, name = "steps(", step
	}
	for {
		_, rest, ok := strings.Cut(text, function)
		if !ok {
			return false
		}
		text = rest
		rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n"), "'"+name+"'")
		if !ok {
			continue
		}
		if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n"), ")"); ok && (step == "" || chained(rest, control)) {
			return true
		}
	}
}

// chained reports whether a member that begins with the name is among those at the begin of a text.
func chained(text, name string) bool {
	for {
		rest, ok := strings.CutPrefix(text, ".")
		if !ok || strings.HasPrefix(rest, name) {
			return ok
		}
		text = strings.TrimLeftFunc(rest, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) })
		if len(text) == len(rest) {
			return false
		}
	}
}
