package metadata

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"collimate/xmlsec"
)

// AppendSubmission serialises a lcm:SubmitObjectsRequest with the objects as they are; ids may be symbolic.
func AppendSubmission(b []byte, o *Objects) []byte {
	w := writer{b: b}
	w.start("lcm:SubmitObjectsRequest")
	w.attribute("xmlns:lcm", NSLCM)
	w.raw(">")
	w.list(o)
	w.end("lcm:SubmitObjectsRequest")
	return w.b
}

// AppendAnswer serialises a rim:RegistryObjectList of whole objects (LeafClass), as a registry answers: each
// has lid and VersionInfo, which are its id and 1 unless it says otherwise, and each Classification and
// ExternalIdentifier an id of its own, the same each time (VAL-MD-01 of the IHE toolkit).
func AppendAnswer(b []byte, o *Objects) []byte {
	w := writer{b: b, answer: true}
	w.list(o)
	return w.b
}

// AppendRefs serialises a rim:RegistryObjectList of an ObjectRef for each object.
func AppendRefs(b []byte, o *Objects) []byte {
	w := writer{b: b}
	w.start("rim:RegistryObjectList")
	w.attribute("xmlns:rim", NSRIM)
	w.raw(">")
	ref := func(id, home string) {
		w.start("rim:ObjectRef")
		w.attribute("id", id)
		w.optional("home", home)
		w.raw("/>")
	}
	for f := range o.all {
		ref(f.object.ID, f.object.HomeCommunityID)
	}
	for _, r := range o.Refs {
		ref(r.ID, r.HomeCommunityID)
	}
	w.end("rim:RegistryObjectList")
	return w.b
}

// AppendSlot serialises a rim:Slot, in a scope where the prefix rim is declared.
func AppendSlot(b []byte, slot Slot) []byte {
	w := writer{b: b}
	w.slot(slot.Name, slot.Values...)
	return w.b
}

// writer appends XML.
type writer struct {
	b      []byte
	answer bool
}

func (w *writer) raw(s string)     { w.b = append(w.b, s...) }
func (w *writer) start(tag string) { w.raw("<" + tag) }
func (w *writer) end(tag string)   { w.raw("</" + tag + ">") }

func (w *writer) attribute(name, value string) {
	w.raw(" " + name + `="`)
	w.b = xmlsec.EscapeAttr(w.b, value)
	w.raw(`"`)
}

func (w *writer) optional(name, value string) {
	if value != "" {
		w.attribute(name, value)
	}
}

func (w *writer) list(o *Objects) {
	w.start("rim:RegistryObjectList")
	w.attribute("xmlns:rim", NSRIM)
	w.raw(">")
	for i := range o.SubmissionSets {
		w.object("rim:RegistryPackage", objectTypePrefix+"RegistryPackage", o.SubmissionSets[i].fields(i))
	}
	for i := range o.Documents {
		d := &o.Documents[i]
		w.object("rim:ExtrinsicObject", string(d.Type), d.fields(i), "mimeType", d.MimeType)
	}
	for i := range o.Folders {
		w.object("rim:RegistryPackage", objectTypePrefix+"RegistryPackage", o.Folders[i].fields(i))
	}
	for i := range o.Associations {
		a := &o.Associations[i]
		w.object("rim:Association", objectTypePrefix+"Association", a.fields(i),
			"associationType", string(a.Type), "sourceObject", a.Source, "targetObject", a.Target)
	}
	for _, r := range o.Refs {
		w.start("rim:ObjectRef")
		w.attribute("id", r.ID)
		w.optional("home", r.HomeCommunityID)
		w.raw("/>")
	}
	w.end("rim:RegistryObjectList")
}

// object writes children in the order of the schema: Slot, Name, Description, VersionInfo, Classification,
// ExternalIdentifier. ITI TF-3: 4.2.1
func (w *writer) object(tag, objectType string, f *fields, attributes ...string) {
	o := f.object
	lid, version := o.LogicalID, o.Version
	if w.answer && lid == "" {
		lid = o.ID
	}
	if w.answer && version == "" {
		version = "1"
	}
	w.start(tag)
	w.attribute("id", o.ID)
	w.optional("lid", lid)
	w.optional("home", o.HomeCommunityID)
	w.optional("objectType", objectType)
	w.optional("status", string(o.Status))
	for i := 0; i < len(attributes); i += 2 {
		w.attribute(attributes[i], attributes[i+1])
	}
	w.raw(">")
	for i := range f.slots {
		w.slot(f.slots[i].name, f.slots[i].values()...)
	}
	for _, slot := range o.Extra {
		w.slot(slot.Name, slot.Values...)
	}
	w.text("rim:Name", o.Title)
	w.text("rim:Description", o.Comments)
	if version != "" {
		w.start("rim:VersionInfo")
		w.attribute("versionName", version)
		w.raw("/>")
	}
	w.classifications(f)
	for _, i := range f.identifiers {
		if *i.value == "" {
			continue
		}
		w.start("rim:ExternalIdentifier")
		w.attribute("id", partID(o.ID, i.scheme, 0))
		w.attribute("objectType", objectTypePrefix+"ExternalIdentifier")
		w.attribute("registryObject", o.ID)
		w.attribute("identificationScheme", i.scheme)
		w.attribute("value", *i.value)
		w.raw(">")
		w.text("rim:Name", Text{Value: "XDS" + f.kind + "." + i.name})
		w.end("rim:ExternalIdentifier")
	}
	w.end(tag)
}

func (w *writer) classifications(f *fields) {
	start := func(scheme string, i int) {
		w.start("rim:Classification")
		w.attribute("id", partID(f.object.ID, scheme, i))
		w.attribute("objectType", objectTypePrefix+"Classification")
		w.attribute("classifiedObject", f.object.ID)
	}
	if f.label != "" {
		start(f.label, 0)
		w.attribute("classificationNode", f.label)
		w.raw("/>")
	}
	if f.authors != nil {
		for i := range *f.authors {
			start(f.authorScheme, i)
			w.attribute("classificationScheme", f.authorScheme)
			w.attribute("nodeRepresentation", "")
			w.raw(">")
			for _, s := range (*f.authors)[i].fields() {
				w.slot(s.name, s.values()...)
			}
			w.end("rim:Classification")
		}
	}
	for i := range f.codes {
		c := &f.codes[i]
		for j, code := range c.values() {
			start(c.scheme, j)
			w.attribute("classificationScheme", c.scheme)
			w.attribute("nodeRepresentation", code.Value)
			w.raw(">")
			w.slot("codingScheme", code.Scheme)
			w.text("rim:Name", Text{Value: code.Display})
			w.end("rim:Classification")
		}
	}
}

func (w *writer) slot(name string, values ...string) {
	if len(values) == 0 {
		return
	}
	w.start("rim:Slot")
	w.attribute("name", name)
	w.raw("><rim:ValueList>")
	for _, value := range values {
		w.raw("<rim:Value>")
		w.b = xmlsec.EscapeText(w.b, value)
		w.raw("</rim:Value>")
	}
	w.raw("</rim:ValueList></rim:Slot>")
}

func (w *writer) text(tag string, text Text) {
	if text.Value == "" {
		return
	}
	w.start(tag)
	w.raw("><rim:LocalizedString")
	w.optional("xml:lang", text.Lang)
	w.attribute("value", text.Value)
	w.raw("/>")
	w.end(tag)
}

// partID returns the id of a part of an object: a UUIDv8 (RFC 9562) made of what identifies it, so that it is the
// same in each answer and needs no room in a registry.
func partID(object, scheme string, i int) string {
	h := sha256.Sum256([]byte("collimate/xds/part/v1\x00" + object + "\x00" + scheme + "\x00" + strconv.Itoa(i)))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	s := hex.EncodeToString(h[:16])
	return urnUUID + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
