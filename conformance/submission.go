package conformance

import (
	"crypto/sha1" // what XDS calls a hash. ITI TF-3: 4.2.3.2.9
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// recipe says what to submit. Codes are positions in the code sets of the domain.
type recipe struct {
	name      string // by which later steps call it: name.S is its SubmissionSet, name.D0 its first document, name.F0 its first folder
	patient   patient
	documents []document
	folders   []folder
	relations []relation
	members   []member
	symbolic  bool                        // ids that the registry has to replace. ITI TF-3: 4.2.1.4
	again     string                      // take the uniqueId of that SubmissionSet
	edit      func(*session, *submission) // the last word, to make things wrong
}

// patient is one of the patients of a run.
type patient int

const (
	thePatient     patient = iota
	otherPatient           // known to the domain as well
	unknownPatient         // of an authority that the domain does not have
)

// document describes a DocumentEntry; the zero value is a good one.
type document struct {
	class, format, practice, facility, mime int
	confidentiality, events                 []int // confidentiality nil: the first code
	created, started, stopped, author       string
	title, reference                        string
	onDemand                                bool
	again                                   string // take the uniqueId and the content of that document
}

// folder describes a new Folder and which documents of the submission it holds.
type folder struct {
	holds   []int
	updated string // a lastUpdateTime, which the registry must overwrite
}

// relation is an Association from a document of the submission to one that is there already.
type relation struct {
	kind          string
	from          int
	to            string
	documentation bool
}

// member puts a document, of the submission (D0) or by its full name, into a folder that is there already.
type member struct{ folder, document string }

// entry is an object of a submission.
type entry struct {
	id, uniqueID, patient string
	element               *etree.Element
	content               []byte
}

// submission is a recipe made up.
type submission struct {
	set                entry
	documents, folders []entry
	associations       []*etree.Element
	loose              []entry // documents that no DocumentEntry describes
	refs               []string
}

// newOID returns an OID that nobody has. ITU-T X.667
func newOID() string {
	n, _ := new(big.Int).SetString(strings.ReplaceAll(newUUID(), "-", ""), 16)
	return "2.25." + n.String()
}

// newID returns an id in lower case, as a registry keeps it.
func newID() string { return "urn:uuid:" + newUUID() }

// make makes up a recipe for a transaction. What it refers to and is not there is left to s.lacks.
func (s *session) make(r recipe, tx *transaction) *submission {
	sub := &submission{}
	id := func(symbol string, i int) string {
		if r.symbolic {
			return fmt.Sprintf("%s%02d", symbol, i+1)
		}
		return newID()
	}
	sub.set = s.newSet(id("SubmissionSet", 0), r)
	for i, d := range r.documents {
		e := s.newDocument(id("Document", i), r, d, tx)
		sub.documents = append(sub.documents, e)
		link := sub.associate("HasMember", sub.set.id, e.id)
		addSlot(link, "SubmissionSetStatus", "Original")
	}
	for i, f := range r.folders {
		e := s.newFolder(id("Folder", i), r, f)
		sub.folders = append(sub.folders, e)
		sub.associate("HasMember", sub.set.id, e.id)
		for _, d := range f.holds {
			sub.place(e.id, sub.documents[d].id)
		}
	}
	for _, m := range r.members {
		to := m.document
		if i := strings.TrimPrefix(to, "D"); len(i) == 1 {
			to = sub.documents[i[0]-'0'].id
		} else {
			to = s.entry(to).id
			sub.refs = append(sub.refs, to)
		}
		from := s.entry(m.folder).id
		sub.refs = append(sub.refs, from)
		sub.place(from, to)
	}
	for _, rel := range r.relations {
		to := s.entry(rel.to).id
		sub.refs = append(sub.refs, to)
		link := sub.associate(rel.kind, sub.documents[rel.from].id, to)
		if rel.documentation {
			addCode(link, "associationDocumentation", s.codes.at("associationDocumentation", 0))
		}
	}
	if r.edit != nil {
		r.edit(s, sub)
	}
	return sub
}

// place puts a document into a folder, and the membership into the SubmissionSet. ITI TF-3: 4.1.4.1
func (sub *submission) place(folder, document string) {
	link := sub.associate("HasMember", folder, document)
	sub.associate("HasMember", sub.set.id, link.SelectAttrValue("id", ""))
}

// associate adds an Association.
func (sub *submission) associate(kind, source, target string) *etree.Element {
	e := etree.NewElement("rim:Association")
	e.CreateAttr("id", newID())
	e.CreateAttr("associationType", associationTypes[kind])
	e.CreateAttr("sourceObject", source)
	e.CreateAttr("targetObject", target)
	sub.associations = append(sub.associations, e)
	return e
}

func (s *session) newSet(id string, r recipe) entry {
	e := entry{id: id, uniqueID: newOID(), patient: s.patient(r.patient), element: etree.NewElement("rim:RegistryPackage")}
	if r.again != "" {
		e.uniqueID = s.entry(r.again).uniqueID
	}
	e.element.CreateAttr("id", id)
	addSlot(e.element, "submissionTime", "20041225235050")
	addText(e.element, "Name", "Conformance")
	addLabel(e.element, nodeSet)
	addAuthor(e.element, schemeSetAuthor, "^Dopplemeyer^Sherry^^^")
	addCode(e.element, "contentTypeCode", s.codes.at("contentTypeCode", 0))
	addIdentifier(e.element, schemeSetPatient, "XDSSubmissionSet.patientId", e.patient)
	addIdentifier(e.element, schemeSetSource, "XDSSubmissionSet.sourceId", s.sourceID)
	addIdentifier(e.element, schemeSetUniqueID, "XDSSubmissionSet.uniqueId", e.uniqueID)
	return e
}

func (s *session) newFolder(id string, r recipe, f folder) entry {
	e := entry{id: id, uniqueID: newOID(), patient: s.patient(r.patient), element: etree.NewElement("rim:RegistryPackage")}
	if len(s.codes["folderCodeList"]) == 0 {
		s.lacks("the target's codes have no folderCodeList")
	}
	e.element.CreateAttr("id", id)
	if f.updated != "" {
		addSlot(e.element, "lastUpdateTime", f.updated)
	}
	addText(e.element, "Name", "Conformance folder")
	addLabel(e.element, nodeFolder)
	addCode(e.element, "folderCodeList", s.codes.at("folderCodeList", 0))
	addIdentifier(e.element, schemeFolderPatient, "XDSFolder.patientId", e.patient)
	addIdentifier(e.element, schemeFolderUnique, "XDSFolder.uniqueId", e.uniqueID)
	return e
}

// newDocument makes a DocumentEntry with all that its transaction requires. ITI TF-3: Table 4.3.1-3
func (s *session) newDocument(id string, r recipe, d document, tx *transaction) entry {
	e := entry{id: id, uniqueID: newOID(), patient: s.patient(r.patient), element: etree.NewElement("rim:ExtrinsicObject")}
	e.content = []byte("conformance document " + e.uniqueID + "\n")
	if d.again != "" {
		before := s.entry(d.again)
		e.uniqueID, e.content = before.uniqueID, before.content
	}
	kind := typeStable
	if d.onDemand {
		kind = typeOnDemand
	}
	e.element.CreateAttr("id", id)
	e.element.CreateAttr("objectType", kind)
	e.element.CreateAttr("mimeType", s.codes.at("mimeType", d.mime).Value)
	if !d.onDemand {
		addSlot(e.element, "creationTime", or(d.created, "20061224"))
	}
	if tx != provideAndRegister {
		if !d.onDemand {
			addSlot(e.element, "hash", hashOf(e.content))
			addSlot(e.element, "size", fmt.Sprint(len(e.content)))
		}
		addSlot(e.element, "repositoryUniqueId", s.elsewhere)
	}
	addSlot(e.element, "languageCode", "en-us")
	addSlot(e.element, "serviceStartTime", or(d.started, "200612230800"))
	addSlot(e.element, "serviceStopTime", or(d.stopped, "200612230900"))
	addSlot(e.element, "sourcePatientId", e.patient)
	addSlot(e.element, "sourcePatientInfo", "PID-5|Doe^John^^^", "PID-7|19560527", "PID-8|M")
	if d.reference != "" {
		addSlot(e.element, "urn:ihe:iti:xds:2013:referenceIdList", d.reference)
	}
	addText(e.element, "Name", or(d.title, "Physical"))
	addAuthor(e.element, schemeEntryAuthor, or(d.author, "^Smitty^Gerald^^^"))
	addCode(e.element, "classCode", s.codes.at("classCode", d.class))
	for _, i := range orFirst(d.confidentiality) {
		addCode(e.element, "confidentialityCode", s.codes.at("confidentialityCode", i))
	}
	for _, i := range d.events {
		if len(s.codes["eventCodeList"]) > 0 {
			addCode(e.element, "eventCodeList", s.codes.at("eventCodeList", i))
		}
	}
	addCode(e.element, "formatCode", s.codes.at("formatCode", d.format))
	addCode(e.element, "healthcareFacilityTypeCode", s.codes.at("healthcareFacilityTypeCode", d.facility))
	addCode(e.element, "practiceSettingCode", s.codes.at("practiceSettingCode", d.practice))
	addCode(e.element, "typeCode", s.codes.at("typeCode", 0))
	addIdentifier(e.element, schemeEntryPatient, "XDSDocumentEntry.patientId", e.patient)
	addIdentifier(e.element, schemeEntryUniqueID, "XDSDocumentEntry.uniqueId", e.uniqueID)
	return e
}

// orFirst returns the indices, or that of the first code if there are none.
func orFirst(indices []int) []int {
	if len(indices) == 0 {
		return []int{0}
	}
	return indices
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func hashOf(b []byte) string {
	sum := sha1.Sum(b)
	return hex.EncodeToString(sum[:])
}

// The parts of a rim object, added in the order of the schema: slots, Name, Classifications, ExternalIdentifiers.

func addSlot(e *etree.Element, name string, values ...string) {
	slot := e.CreateElement("rim:Slot")
	slot.CreateAttr("name", name)
	list := slot.CreateElement("rim:ValueList")
	for _, v := range values {
		list.CreateElement("rim:Value").SetText(v)
	}
}

func addText(e *etree.Element, tag, value string) {
	e.CreateElement("rim:"+tag).CreateElement("rim:LocalizedString").CreateAttr("value", value)
}

func addLabel(e *etree.Element, node string) {
	c := newClassification(e)
	c.CreateAttr("classificationNode", node)
}

func addAuthor(e *etree.Element, scheme, person string) {
	c := newClassification(e)
	c.CreateAttr("classificationScheme", scheme)
	c.CreateAttr("nodeRepresentation", "")
	addSlot(c, "authorPerson", person)
	addSlot(c, "authorInstitution", "Conformance Clinic")
}

func addCode(e *etree.Element, attribute string, code Code) {
	c := newClassification(e)
	c.CreateAttr("classificationScheme", schemeOf[attribute])
	c.CreateAttr("nodeRepresentation", code.Value)
	addSlot(c, "codingScheme", code.Scheme)
	addText(c, "Name", or(code.Display, code.Value))
}

func newClassification(e *etree.Element) *etree.Element {
	c := e.CreateElement("rim:Classification")
	c.CreateAttr("id", newID())
	c.CreateAttr("classifiedObject", e.SelectAttrValue("id", ""))
	return c
}

func addIdentifier(e *etree.Element, scheme, name, value string) {
	i := e.CreateElement("rim:ExternalIdentifier")
	i.CreateAttr("id", newID())
	i.CreateAttr("registryObject", e.SelectAttrValue("id", ""))
	i.CreateAttr("identificationScheme", scheme)
	i.CreateAttr("value", value)
	addText(i, "Name", name)
}

// remove takes an attribute out of a rim object: its slots, its Classifications or its ExternalIdentifiers.
func remove(e *etree.Element, attribute string) {
	for _, c := range e.ChildElements() {
		if c.Tag == "Slot" && c.SelectAttrValue("name", "") == attribute ||
			c.Tag == "Classification" && c.SelectAttrValue("classificationScheme", "") == schemeOf[attribute] {
			e.RemoveChild(c)
		}
	}
}

// setSlot replaces the value of a slot, or adds it before everything else.
func setSlot(e *etree.Element, name, value string) {
	for _, c := range e.ChildElements() {
		if c.Tag == "Slot" && c.SelectAttrValue("name", "") == name {
			c.FindElement("rim:ValueList/rim:Value").SetText(value)
			return
		}
	}
	addSlot(e, name, value)
	slot := e.ChildElements()[len(e.ChildElements())-1]
	e.RemoveChild(slot)
	e.InsertChildAt(0, slot)
}

// setUniqueID gives an object another uniqueId.
func setUniqueID(e *entry, id string) {
	e.uniqueID = id
	for _, i := range e.element.SelectElements("rim:ExternalIdentifier") {
		switch i.SelectAttrValue("identificationScheme", "") {
		case schemeEntryUniqueID, schemeSetUniqueID, schemeFolderUnique:
			i.CreateAttr("value", id)
		}
	}
}

// sortChildren puts the children of a rim object into the order of the schema.
func sortChildren(e *etree.Element) {
	found := e.ChildElements()
	slices.SortStableFunc(found, func(a, b *etree.Element) int { return slices.Index(rimOrder, a.Tag) - slices.Index(rimOrder, b.Tag) })
	e.Child = nil
	for _, c := range found {
		e.AddChild(c)
	}
}

// message makes the request that carries the submission. ITI TF-2: 3.42.4.1.2, 3.41.4.1.2, 3.61.4.1.2
func (sub *submission) message(url string, tx *transaction) *message {
	submit := etree.NewElement("lcm:SubmitObjectsRequest")
	list := submit.CreateElement("rim:RegistryObjectList")
	slices.Sort(sub.refs)
	for _, id := range slices.Compact(sub.refs) {
		list.CreateElement("rim:ObjectRef").CreateAttr("id", id)
	}
	for _, d := range sub.documents {
		list.AddChild(d.element)
	}
	list.AddChild(sub.set.element)
	for _, f := range sub.folders {
		list.AddChild(f.element)
	}
	for _, a := range sub.associations {
		list.AddChild(a)
	}
	if tx != provideAndRegister {
		return newRequest(url, tx, submit)
	}
	request := etree.NewElement("xdsb:ProvideAndRegisterDocumentSetRequest")
	request.AddChild(submit)
	for _, d := range append(sub.documents[:len(sub.documents):len(sub.documents)], sub.loose...) {
		if d.content == nil {
			continue
		}
		e := request.CreateElement("xdsb:Document")
		e.CreateAttr("id", d.id)
		e.SetText(base64.StdEncoding.EncodeToString(d.content))
	}
	return newRequest(url, tx, request)
}
