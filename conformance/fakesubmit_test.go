package conformance

import (
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// register is ITI-42 and ITI-61, and the second half of ITI-41: check, complete, take effect.
func (f *fake) register(tx *transaction, list *etree.Element) *etree.Element {
	answer := etree.NewElement("rs:RegistryResponse")
	var submitted []*etree.Element
	for _, e := range list.ChildElements() {
		if e.Tag != "ObjectRef" {
			submitted = append(submitted, standing(e))
		}
	}
	if code := f.check(tx, submitted); code != "" {
		return refuse(answer, code)
	}
	f.clock = f.clock.Add(time.Second)
	complete(submitted)
	var all []*etree.Element
	for _, e := range f.objects {
		all = append(all, e.Copy())
	}
	for _, e := range submitted {
		if isLabelled(e, nodeFolder) {
			setSlot(e, "lastUpdateTime", f.clock.Format("20060102150405"))
		}
	}
	f.hold(append(all, submitted...))
	for _, a := range submitted {
		if a.Tag == "Association" {
			f.effect(a)
		}
	}
	return refuse(answer, "")
}

// standing copies a rim object so that it can stand alone.
func standing(e *etree.Element) *etree.Element {
	c := e.Copy()
	c.CreateAttr("xmlns:rim", nsRIM)
	return c
}

// check returns the code of the first fault, "" if there is none.
func (f *fake) check(tx *transaction, submitted []*etree.Element) string {
	known := map[string]*etree.Element{}
	for _, e := range slices.Concat(f.objects, submitted) {
		known[e.SelectAttrValue("id", "")] = e
	}
	patient := ""
	unique := map[string]bool{}
	for _, e := range submitted {
		if e.Tag == "Association" {
			continue
		}
		id := uniqueIDOf(e)
		if unique[id] {
			return "XDSRegistryDuplicateUniqueIdInMessage"
		}
		unique[id] = true
		held := slices.ContainsFunc(submitted, func(a *etree.Element) bool {
			return a.Tag == "Association" && a.SelectAttrValue("targetObject", "") == e.SelectAttrValue("id", "")
		})
		if id == "" || !held && !isLabelled(e, nodeSet) {
			return "XDSRegistryMetadataError"
		}
		p := patientOf(e)
		if !strings.Contains(p, "&"+fakeAuthority+"&") {
			return "XDSUnknownPatientId"
		}
		if patient != "" && p != patient {
			return "XDSPatientIdDoesNotMatch"
		}
		patient = p
		if e.Tag == "ExtrinsicObject" {
			if code := f.checkEntry(tx, e); code != "" {
				return code
			}
		}
		if isLabelled(e, nodeSet) && f.find(func(o *etree.Element) bool { return uniqueIDOf(o) == uniqueIDOf(e) }) != nil {
			return "XDSDuplicateUniqueIdInRegistry"
		}
	}
	for _, a := range submitted {
		if a.Tag != "Association" {
			continue
		}
		for _, c := range a.SelectElements("rim:Classification") {
			if c.SelectAttrValue("nodeRepresentation", "") != DefaultCodes()["associationDocumentation"][0].Value {
				return "XDSRegistryMetadataError"
			}
		}
		target := known[a.SelectAttrValue("targetObject", "")]
		if target == nil {
			return "UnresolvedReferenceException"
		}
		if p := patientOf(target); p != "" && p != patient {
			return "XDSPatientIdDoesNotMatch"
		}
		if source := known[a.SelectAttrValue("sourceObject", "")]; source != nil && patientOf(source) != patient {
			return "XDSPatientIdDoesNotMatch"
		}
		if kindOf(a) != "HasMember" && target.SelectAttrValue("status", "") == statusDeprecated {
			return "XDSRegistryDeprecatedDocumentError"
		}
	}
	return ""
}

func (f *fake) checkEntry(tx *transaction, e *etree.Element) string {
	onDemand := e.SelectAttrValue("objectType", "") == typeOnDemand
	if onDemand != (tx == registerOnDemand) {
		return "XDSRegistryMetadataError"
	}
	for _, attribute := range []string{"classCode", "confidentialityCode", "formatCode", "healthcareFacilityTypeCode", "practiceSettingCode", "typeCode"} {
		if codesIn(e, attribute) == 0 {
			return "XDSRegistryMetadataError"
		}
	}
	if slotOf(e, "languageCode") == "" || slotOf(e, "sourcePatientId") == "" {
		return "XDSRegistryMetadataError"
	}
	for _, name := range []string{"creationTime", "hash", "size"} {
		if (slotOf(e, name) == "") != onDemand {
			return "XDSRegistryMetadataError"
		}
	}
	start, stop := slotOf(e, "serviceStartTime"), slotOf(e, "serviceStopTime")
	if !onDemand && (!digits.MatchString(slotOf(e, "size")) || !sha1Hex.MatchString(slotOf(e, "hash")) || !dtm.MatchString(slotOf(e, "creationTime"))) || stop < start[:8] {
		return "XDSRegistryMetadataError"
	}
	for _, code := range codesOf(e, "classCode") {
		if !slices.ContainsFunc(DefaultCodes()["classCode"], func(c Code) bool { return c.Value+"^^"+c.Scheme == code }) {
			return "XDSRegistryMetadataError"
		}
	}
	before := f.find(func(o *etree.Element) bool { return uniqueIDOf(o) == uniqueIDOf(e) })
	if before != nil && slotOf(before, "hash") != slotOf(e, "hash") {
		return "XDSNonIdenticalHash"
	}
	return ""
}

func patientOf(e *etree.Element) string {
	return identifierOf(e, schemeEntryPatient, schemeSetPatient, schemeFolderPatient)
}

func (f *fake) find(match func(*etree.Element) bool) *etree.Element {
	if i := slices.IndexFunc(f.objects, match); i >= 0 {
		return f.objects[i]
	}
	return nil
}

func (f *fake) byID(id string) *etree.Element { return f.ids[id] }

// complete gives UUIDs, versions and statuses.
func complete(submitted []*etree.Element) {
	ids := map[string]string{}
	for _, e := range submitted {
		if id := e.SelectAttrValue("id", ""); !strings.HasPrefix(id, "urn:uuid:") {
			ids[id] = newID()
		}
	}
	resolve := func(e *etree.Element, attributes ...string) {
		for _, name := range attributes {
			if id, ok := ids[e.SelectAttrValue(name, "")]; ok {
				e.CreateAttr(name, id)
			}
		}
	}
	for _, e := range submitted {
		resolve(e, "id", "sourceObject", "targetObject")
		e.CreateAttr("lid", e.SelectAttrValue("id", ""))
		e.CreateAttr("status", statusApproved)
		at := 0
		for i, c := range e.ChildElements() {
			if c.Tag == "Slot" || c.Tag == "Name" || c.Tag == "Description" {
				at = i + 1
			}
		}
		version := etree.NewElement("rim:VersionInfo")
		version.CreateAttr("versionName", "1")
		e.InsertChildAt(at, version)
		for _, c := range e.ChildElements() {
			if c.Tag == "Classification" || c.Tag == "ExternalIdentifier" {
				c.CreateAttr("objectType", "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"+c.Tag)
				resolve(c, "classifiedObject", "registryObject")
			}
		}
	}
}

// effect is what an association does to what is there already.
func (f *fake) effect(a *etree.Element) {
	source, target := a.SelectAttrValue("sourceObject", ""), a.SelectAttrValue("targetObject", "")
	now := f.clock.Format("20060102150405")
	switch kindOf(a) {
	case "RPLC", "XFRM_RPLC":
		f.deprecate(target)
		for _, m := range f.objects {
			if folder := f.byID(m.SelectAttrValue("sourceObject", "")); folder != nil && isLabelled(folder, nodeFolder) && m.SelectAttrValue("targetObject", "") == target {
				link := standing((&submission{}).associate("HasMember", m.SelectAttrValue("sourceObject", ""), source))
				complete([]*etree.Element{link})
				f.hold(append(f.objects, link))
				setSlot(folder, "lastUpdateTime", now)
			}
		}
	case "HasMember":
		if folder := f.byID(source); isLabelled(folder, nodeFolder) {
			setSlot(folder, "lastUpdateTime", now)
		}
	}
}

// deprecate deprecates a document, its transformations and its addenda.
func (f *fake) deprecate(id string) {
	f.byID(id).CreateAttr("status", statusDeprecated)
	for _, a := range f.objects {
		if a.Tag == "Association" && a.SelectAttrValue("targetObject", "") == id && (kindOf(a) == "XFRM" || kindOf(a) == "APND") {
			f.deprecate(a.SelectAttrValue("sourceObject", ""))
		}
	}
}
