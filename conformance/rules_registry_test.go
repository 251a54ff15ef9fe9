package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// at edits every element that a path finds in an answer.
func at(path string, edit func(*etree.Element)) func(*fakeAnswer) {
	return func(a *fakeAnswer) {
		for _, e := range a.payload.FindElements(path) {
			edit(e)
		}
	}
}

func lacking(attribute string) func(*etree.Element) {
	return func(e *etree.Element) { e.RemoveAttr(attribute) }
}

func setting(attribute, value string) func(*etree.Element) {
	return func(e *etree.Element) { e.CreateAttr(attribute, value) }
}

func gone(e *etree.Element) { e.Parent().RemoveChild(e) }

// registryMutations are by the rule that must notice. Each spoils all answers.
var registryMutations = map[string]func(*fakeAnswer){
	"ENG-09":          at("rim:RegistryObjectList", gone),
	"4.2.4.2-PARTIAL": at("//rs:RegistryErrorList/..", setting("status", StatusPartialSuccess)),
	"18-REFS": at("rim:RegistryObjectList", func(e *etree.Element) {
		e.CreateElement("rim:ObjectRef").CreateAttr("id", newID())
	}),
	"VAL-MD-01.ID":      at("rim:RegistryObjectList/*", func(e *etree.Element) { e.CreateAttr("lid", strings.ToUpper(e.SelectAttrValue("lid", ""))) }),
	"VAL-MD-01.VERSION": at("//rim:VersionInfo", gone),
	"VAL-MD-01.STATUS":  at("//rim:RegistryPackage", setting("status", statusDeprecated)),
	"VAL-MD-01.PARTS":   at("//rim:ExternalIdentifier", lacking("objectType")),
	"VAL-MD-02":         at("//rim:Slot[@name='serviceStartTime']/rim:ValueList/rim:Value", func(e *etree.Element) { e.SetText("2006-12-24") }),
	"VAL-MD-03":         at("//rim:ExtrinsicObject/rim:Slot[@name='hash']", gone),
	"VAL-MD-04":         at("//rim:Slot[@name='submissionTime']", gone),
	"VAL-MD-05":         at("//rim:Slot[@name='lastUpdateTime']/rim:ValueList/rim:Value", func(e *etree.Element) { e.SetText("200612") }),
	"VAL-MD-06":         at("//rim:Classification", setting("classifiedObject", "urn:uuid:00000000-0000-4000-8000-000000000000")),
	"VAL-MD-07":         at("//rim:Association", func(e *etree.Element) { e.CreateAttr("targetObject", e.SelectAttrValue("sourceObject", "")) }),
	"VAL-MD-08": at("rim:RegistryObjectList", func(e *etree.Element) {
		for i, o := range e.ChildElements() {
			setPatient(o, []string{"a", "b"}[i%2]+"^^^&1.2.3&ISO")
		}
	}),
	"VAL-MD-10": at("//rim:ExtrinsicObject/rim:Name", func(e *etree.Element) {
		parent := e.Parent()
		parent.RemoveChild(e)
		parent.AddChild(e)
	}),
	"VAL-MD-11":   at("rim:RegistryObjectList/*", setting("id", "urn:uuid:00000000-0000-4000-8000-000000000000")),
	schemaRule:    at("//rim:ExternalIdentifier", lacking("value")),
	"IHEXDS-153":  at("//rs:RegistryError", lacking("codeContext")),
	"VAL-RR-01":   at("//rs:RegistryErrorList", gone),
	"VAL-SOAP-03": func(a *fakeAnswer) { a.header += "<a:To>urn:uuid:1</a:To>" },
}

// TestEachRegistryRuleCanFail breaks the answers to queries and submissions in one way for each rule, and sees the rule
// go red.
func TestEachRegistryRuleCanFail(t *testing.T) {
	for _, r := range slices.Concat(answerRules, metadataRules) {
		if registryMutations[r.id] == nil {
			t.Errorf("no mutation proves that %s can fail", r.id)
		}
	}
	for id, spoil := range registryMutations {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			f, target := newFake(t)
			if id == schemaRule {
				if target.SchemaDir = schemaDir(); target.SchemaDir == "" {
					t.Skip("the official schemas are not beside the module")
				}
			}
			f.spoil = spoil
			failed := false
			for _, c := range Registry.Checks() {
				section, _, _ := strings.Cut(c.ID, " / ")
				if section == "registry" && !strings.HasSuffix(c.ID, " "+id) {
					continue
				}
				if section != "registry" && !isOneOf(section, "12346", "11898", "11906", "11996", "15803") {
					continue // enough to see every kind of answer
				}
				r := c.result(context.Background(), target)
				if section == "registry" && r.Outcome == Failed {
					failed = true
				}
			}
			if !failed {
				t.Error("the rule has not noticed")
			}
		})
	}
}
