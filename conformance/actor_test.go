package conformance

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
)

func unhurried(context.Context, time.Duration) error { return nil }

// TestFakePasses: each check of each actor passes against a right one.
func TestFakePasses(t *testing.T) {
	for _, a := range Actors[1:] {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			_, target := newFake(t)
			target.SchemaDir = schemaDir()
			for _, c := range a.Checks() {
				if r := c.result(context.Background(), target); r.Outcome != Passed && (target.SchemaDir != "" || !strings.HasSuffix(r.ID, schemaRule)) {
					t.Errorf("%s %s: %s", r.ID, r.Outcome, r.Detail)
				}
			}
		})
	}
}

// TestRequestsAreValid: what we send is valid against the official schemas, but for what is wrong on purpose.
func TestRequestsAreValid(t *testing.T) {
	dir := schemaDir()
	if dir == "" {
		t.Skip("the official schemas are not beside the module")
	}
	schemas := map[*transaction]string{storedQuery: "query.xsd", registerDocumentSet: "lcm.xsd", registerOnDemand: "lcm.xsd",
		provideAndRegister: repositorySchema, retrieveDocumentSet: repositorySchema, retrieveImages: "XDSI.b_ImagingDocumentSource.xsd"}
	for _, a := range Actors[1:] {
		f, target := newFake(t)
		seen := map[string]bool{}
		for _, c := range checks(map[Actor]func() []script{Registry: registryScripts, Repository: repositoryScripts, OnDemand: onDemandScripts, Imaging: imagingScripts}[a]()) {
			section, _, _ := strings.Cut(c.ID, " / ")
			f.seen = func(tx *transaction, payload *etree.Element) {
				if seen[section+tx.id] {
					return // one of each kind is enough
				}
				seen[section+tx.id] = true
				if err := validate(context.Background(), filepath.Join(dir, schemas[tx]), payload); err != nil {
					t.Errorf("%s sends an invalid %s: %v", c.ID, tx.id, err)
				}
			}
			c.result(context.Background(), target)
		}
	}
}

// spoils are ways in which an answer can be wrong. Each returns whether it has changed anything.
var spoils = map[string]func(*fakeAnswer) bool{
	"status": func(a *fakeAnswer) bool {
		e := registryResponse(standingAnswer(a))
		if e.SelectAttrValue("status", "") != StatusSuccess {
			e.CreateAttr("status", StatusSuccess)
			if list := e.SelectElement("rs:RegistryErrorList"); list != nil {
				e.RemoveChild(list)
			}
			return true
		}
		e.CreateAttr("status", StatusFailure)
		addError(e, "XDSRegistryError", "")
		return true
	},
	"fewer": func(a *fakeAnswer) bool {
		for _, list := range []*etree.Element{a.payload.SelectElement("rim:RegistryObjectList"), a.payload} {
			for _, e := range elements(list) {
				if list != a.payload || e.Tag == "DocumentResponse" {
					list.RemoveChild(e)
					delete(a.parts, "p0@test")
					return true
				}
			}
		}
		return false
	},
	"more": func(a *fakeAnswer) bool {
		list := a.payload.SelectElement("rim:RegistryObjectList")
		if list == nil {
			return false
		}
		if found := list.ChildElements(); len(found) > 0 {
			e := found[len(found)-1].Copy()
			e.CreateAttr("id", newID())
			list.AddChild(e)
			return true
		}
		list.CreateElement("rim:ExtrinsicObject").CreateAttr("id", newID())
		return true
	},
	"approval": func(a *fakeAnswer) bool {
		return eachSpoiled(a, func(e *etree.Element) {
			status := statusApproved
			if e.SelectAttrValue("status", "") == statusApproved {
				status = statusDeprecated
			}
			e.CreateAttr("status", status)
		})
	},
	"title": func(a *fakeAnswer) bool {
		return eachSpoiled(a, func(e *etree.Element) { e.FindElement("rim:Name/rim:LocalizedString").CreateAttr("value", "Another") })
	},
	"bytes": func(a *fakeAnswer) bool {
		for id := range a.parts {
			a.parts[id] = slices.Concat(a.parts[id][:len(a.parts[id])/2], []byte("x"))
		}
		return len(a.parts) > 0
	},
	"code": func(a *fakeAnswer) bool {
		found := a.payload.FindElements("//rs:RegistryError")
		for _, e := range found {
			e.CreateAttr("errorCode", "XDSRegistryError")
			e.CreateAttr("codeContext", "something is wrong")
		}
		return len(found) > 0
	},
}

// standingAnswer binds the prefixes of a payload, so that namespaces can be looked up.
func standingAnswer(a *fakeAnswer) *etree.Element {
	for prefix, space := range map[string]string{"rs": nsRS, "rim": nsRIM, "query": nsQuery, "xdsb": nsXDSB} {
		a.payload.CreateAttr("xmlns:"+prefix, space)
	}
	return a.payload
}

// eachSpoiled edits every DocumentEntry, SubmissionSet and Folder of an answer.
func eachSpoiled(a *fakeAnswer, edit func(*etree.Element)) bool {
	changed := false
	for _, e := range a.payload.FindElements("rim:RegistryObjectList/*") {
		if e.Tag == "ExtrinsicObject" || e.Tag == "RegistryPackage" {
			edit(e)
			changed = true
		}
	}
	return changed
}

// unjudged are the steps that a spoil does not turn red, and need not: they look at something else.
var unjudged = map[string]func(id string) bool{
	// Others may have documents of this patient, and an answer may be cut where the wanted one is not.
	"more": func(id string) bool {
		return isOneOf(id, "15805 / Query_OD_F", "15805 / Query_OD_GetAll", "15805 / Query_Stable_F", "15805 / Query_Stable_GetAll", "15805 / Query_Both", "15812 / Query_OD", "ids_2018-4801")
	},
	"fewer": func(id string) bool {
		return isOneOf(id, "15805 / Query_OD_GetAll", "15805 / Query_Stable_F", "15805 / Query_Stable_GetAll", "15805 / Query_Both_GetAll", "15812 / Query_OD")
	},
	// How a manifest is called is its source's choice.
	"title": func(id string) bool { return isOneOf(id, "ids_2018-4801", "ITI-61 / registered") },
	"approval": func(id string) bool {
		return isOneOf(id, "ids_2018-4801")
	},
	// A new on-demand document has other bytes each time.
	"bytes": func(id string) bool {
		return isOneOf(id, "15812 / Retrieve_OD", "15816 / Retrieve / retrieve_partial_uid")
	},
	// A refusal may have any code, except where a test names one.
	"code": func(id string) bool {
		return !isOneOf(id, "11996", "11997", "12002", "12004", "12368", "11981", "11983", "11986", "12369", "ITI-61 / creationTime", "ITI-61 / hash", "ITI-61 / size", "ITI-18 / ITI18", "ITI-18 / 18", "ITI-42 / ")
	},
}

func isOneOf(id string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) })
}

// TestEachStepCanFail runs each step against a right answer, and then against spoiled ones and a service that trusts
// everybody, which must turn it red.
func TestEachStepCanFail(t *testing.T) {
	envelopes := map[string]bool{}
	for _, c := range checks([]script{queryService.script(), provideService.script(), imageService.script()}) {
		envelopes[c.ID] = true
	}
	for _, a := range Actors[1:] {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			f, target := newFake(t)
			for _, c := range a.Checks() {
				if isOneOf(c.ID, string(a)+" / ") {
					continue // a rule
				}
				before, session := f.snapshot(), target.steps.clone()
				applicable := map[string]bool{}
				f.spoil = func(x *fakeAnswer) {
					for name, spoil := range spoils {
						trial := *x
						trial.payload, trial.parts = x.payload.Copy(), maps.Clone(x.parts)
						applicable[name] = spoil(&trial) || applicable[name]
					}
				}
				if r := c.result(context.Background(), target); r.Outcome != Passed {
					t.Fatalf("%s: got %s %s", c.ID, r.Outcome, r.Detail)
				}
				after, passed := f.snapshot(), target.steps
				again := func() bool {
					before()
					target.steps = session.clone()
					return c.result(context.Background(), target).Outcome == Failed
				}
				turned := 0
				for name, spoil := range spoils {
					if !applicable[name] || envelopes[c.ID] {
						continue
					}
					f.spoil = func(x *fakeAnswer) { spoil(x) }
					if again() {
						turned++
					} else if unjudged[name] == nil || !unjudged[name](c.ID) {
						t.Errorf("%s does not fail with the wrong %s", c.ID, name)
					}
				}
				f.spoil = nil
				if envelopes[c.ID] || strings.HasSuffix(c.ID, "stranger") {
					f.trusting = true
					if again() {
						turned++
					} else {
						t.Errorf("%s does not fail where everybody is trusted", c.ID)
					}
					f.trusting = false
				}
				if turned == 0 {
					t.Errorf("%s cannot fail", c.ID)
				}
				after()
				target.steps = passed
			}
		})
	}
}
