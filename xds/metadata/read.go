package metadata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"collimate/xmlsec"
)

// ParseSubmission reads a lcm:SubmitObjectsRequest. What cannot be read as metadata is left out and reported by
// Validate; an error is for what is no such request, or exceeds a limit.
func ParseSubmission(n xmlsec.Node) (*Objects, error) {
	if !n.Is(NSLCM, "SubmitObjectsRequest") {
		return nil, errors.New("the element is not a SubmitObjectsRequest of ebXML RegRep 3.0")
	}
	list, err := n.Only(NSRIM, "RegistryObjectList")
	if err != nil {
		return nil, err
	}
	return ParseObjects(list)
}

// ParseObjects reads a rim:RegistryObjectList, as ParseSubmission does.
func ParseObjects(n xmlsec.Node) (*Objects, error) {
	if !n.Is(NSRIM, "RegistryObjectList") {
		return nil, errors.New("the element is not a RegistryObjectList of ebXML RegRep 3.0")
	}
	r := reader{o: &Objects{}, labels: map[string][]string{}}
	// The label of a package may stand beside it, and before it. ITI TF-3: 4.2.1.2.1
	count := 0
	for child := range n.Elements() {
		if count++; count > maxObjects {
			return nil, fmt.Errorf("more than %d registry objects in one message", maxObjects)
		}
		if child.Is(NSRIM, "Classification") {
			r.label(child)
		}
	}
	for child := range n.Elements() {
		if err := r.child(child); err != nil {
			return nil, err
		}
	}
	return r.o, nil
}

type reader struct {
	o      *Objects
	labels map[string][]string // classification nodes by the id of the package beside which they stand
}

func (r *reader) fault(location, context string) {
	r.o.faults.add(RegistryMetadata, location, context)
}

func (r *reader) label(n xmlsec.Node) {
	node, object := NormalID(attr(n, "classificationNode")), NormalID(attr(n, "classifiedObject"))
	switch {
	case node == "" || object == "":
		r.fault("", "a Classification outside of an object has no classificationNode or no classifiedObject")
	case len(r.labels[object]) == maxParts:
		r.fault("", "there are too many Classifications for one object")
	default:
		r.labels[object] = append(r.labels[object], node)
	}
}

// child reads one registry object.
func (r *reader) child(n xmlsec.Node) error {
	o := r.o
	switch {
	case n.Is(NSRIM, "ExtrinsicObject"):
		o.Documents = append(o.Documents, DocumentEntry{
			Type: ObjectType(NormalID(attr(n, "objectType"))), MimeType: attr(n, "mimeType"),
		})
		i := len(o.Documents) - 1
		return r.object(n, o.Documents[i].fields(i))
	case n.Is(NSRIM, "RegistryPackage"):
		return r.registryPackage(n)
	case n.Is(NSRIM, "Association"):
		o.Associations = append(o.Associations, Association{
			Type:   AssociationType(attr(n, "associationType")),
			Source: NormalID(attr(n, "sourceObject")), Target: NormalID(attr(n, "targetObject")),
		})
		i := len(o.Associations) - 1
		return r.object(n, o.Associations[i].fields(i))
	case n.Is(NSRIM, "ObjectRef"):
		o.Refs = append(o.Refs, ObjectRef{ID: NormalID(attr(n, "id")), HomeCommunityID: attr(n, "home")})
	case !n.Is(NSRIM, "Classification"):
		r.fault("", "the RegistryObjectList has an element that is no registry object of XDS")
	}
	return nil
}

// registryPackage reads a RegistryPackage as what its label says, inside or beside it.
func (r *reader) registryPackage(n xmlsec.Node) error {
	var set, folder bool
	see := func(node string) {
		set = set || node == nodeSet
		folder = folder || node == nodeFolder
	}
	for _, node := range r.labels[NormalID(attr(n, "id"))] {
		see(node)
	}
	for child := range n.Elements() {
		if child.Is(NSRIM, "Classification") {
			see(NormalID(attr(child, "classificationNode")))
		}
	}
	o := r.o
	switch {
	case set == folder:
		r.fault("", "a RegistryPackage is not classified as either a SubmissionSet or a Folder")
		return nil
	case set:
		o.SubmissionSets = append(o.SubmissionSets, SubmissionSet{})
		i := len(o.SubmissionSets) - 1
		return r.object(n, o.SubmissionSets[i].fields(i))
	}
	o.Folders = append(o.Folders, Folder{})
	i := len(o.Folders) - 1
	return r.object(n, o.Folders[i].fields(i))
}

// object reads what all registry objects have, in any order.
func (r *reader) object(n xmlsec.Node, f *fields) error {
	o := f.object
	o.ID, o.LogicalID = NormalID(attr(n, "id")), NormalID(attr(n, "lid"))
	o.HomeCommunityID, o.Status = attr(n, "home"), Status(attr(n, "status"))
	for _, node := range r.labels[o.ID] {
		r.node(node, f)
	}
	slots, parts := slotReader{}, 0
	for child := range n.Elements() {
		if parts++; parts > 3*maxParts {
			return fmt.Errorf("%s has more than %d child elements", f.location, 3*maxParts)
		}
		switch {
		case child.Is(NSRIM, "Slot"):
			slot, err := ParseSlot(child)
			if err != nil {
				return fmt.Errorf("%s: %w", f.location, err)
			}
			if fault := slots.set(slot, f.slots, &o.Extra); fault != "" {
				r.fault(f.location, fault)
			}
		case child.Is(NSRIM, "Name"):
			o.Title = localized(child)
		case child.Is(NSRIM, "Description"):
			o.Comments = localized(child)
		case child.Is(NSRIM, "VersionInfo"):
			o.Version = attr(child, "versionName")
		case child.Is(NSRIM, "Classification"):
			if err := r.classification(child, f); err != nil {
				return fmt.Errorf("%s: %w", f.location, err)
			}
		case child.Is(NSRIM, "ExternalIdentifier"):
			r.identifier(child, f)
		}
	}
	return nil
}

// slotReader puts slots into their fields and knows which have been there.
type slotReader map[string]bool

// set returns what is wrong, "" for nothing. Slots without a value count as absent.
func (seen slotReader) set(slot Slot, into []slotField, extra *[]Slot) (fault string) {
	if slot.Name == "authorSpeciality" { // QUIRK: the spelling of old messages (ipf-SubmitObjectsRequest_ebrs30)
		slot.Name = "authorSpecialty"
	}
	if len(slot.Values) == 0 {
		return ""
	}
	for i := range into {
		f := &into[i]
		switch {
		case f.name != slot.Name:
			continue
		case seen[f.name] && slices.Equal(f.values(), slot.Values):
			return "" // QUIRK: the same again (tk2-12346-submit_doc)
		case seen[f.name]:
			return "Slot " + f.name + " is there twice"
		}
		seen[f.name] = true
		switch {
		case f.many != nil:
			*f.many = slot.Values
		case len(slot.Values) > 1:
			return f.name + " has several values, one is allowed"
		default:
			*f.one = slot.Values[0]
		}
		return ""
	}
	switch {
	case extra == nil || !strings.HasPrefix(slot.Name, "urn:"):
		return "a Slot has a name that is neither an attribute nor a URN"
	case seen[slot.Name]:
		return "a Slot with a name of its own is there twice"
	}
	seen[slot.Name] = true
	*extra = append(*extra, slot)
	return ""
}

// ParseSlot reads a rim:Slot. Blanks around name and values are cut off, and empty values left out: peers send
// both. It is an error if a Slot has too many values or child elements that do not belong there.
func ParseSlot(n xmlsec.Node) (Slot, error) {
	slot := Slot{Name: attr(n, "name")}
	for list := range n.Elements() {
		if !list.Is(NSRIM, "ValueList") {
			continue
		}
		for value := range list.Elements() {
			if !value.Is(NSRIM, "Value") {
				continue
			}
			text, err := value.Text()
			if err != nil {
				return Slot{}, fmt.Errorf("the Value of a Slot: %w", err)
			}
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			if len(slot.Values) == maxValues {
				return Slot{}, fmt.Errorf("a Slot has more than %d values", maxValues)
			}
			slot.Values = append(slot.Values, text)
		}
	}
	return slot, nil
}

// localized returns the first text of a Name or a Description.
func localized(n xmlsec.Node) Text {
	for child := range n.Elements() {
		if !child.Is(NSRIM, "LocalizedString") {
			continue
		}
		if value := attr(child, "value"); value != "" {
			lang, _ := child.Attr(xmlsec.NamespaceXML, "lang")
			return Text{Value: value, Lang: lang}
		}
	}
	return Text{}
}

// node takes note of a classification by node.
func (r *reader) node(node string, f *fields) {
	switch {
	case node == f.limited && node != "":
		r.fault(f.location, "limitedMetadata is not allowed in this transaction")
	case node != f.label || node == "":
		r.fault(f.location, "a Classification has a classificationNode that is not known")
	}
}

// classification reads a Classification inside of an object: a label, a code or an author.
func (r *reader) classification(n xmlsec.Node, f *fields) error {
	if id := NormalID(attr(n, "classifiedObject")); id != "" && id != f.object.ID {
		r.fault(f.location, "the classifiedObject of a Classification is not the object that it stands in")
	}
	if node := NormalID(attr(n, "classificationNode")); node != "" {
		r.node(node, f)
		return nil
	}
	scheme := NormalID(attr(n, "classificationScheme"))
	if f.authors != nil && scheme == f.authorScheme {
		return r.author(n, f)
	}
	for i := range f.codes {
		c := &f.codes[i]
		if c.scheme != scheme {
			continue
		}
		code, err := parseCode(n)
		switch {
		case err != nil:
			return err
		case c.many != nil:
			if len(*c.many) == maxParts {
				return fmt.Errorf("more than %d codes in %s", maxParts, c.name)
			}
			*c.many = append(*c.many, code)
		case *c.one != Code{}:
			r.fault(f.location, c.name+" is there twice")
		default:
			*c.one = code
		}
		if code.Value == "" || code.Scheme == "" {
			r.fault(f.location, c.name+" has no code (nodeRepresentation) or no codingScheme with one value")
		}
		return nil
	}
	r.fault(f.location, "a Classification has a classificationScheme that is not one of a "+f.kind)
	return nil
}

// parseCode reads a coded attribute. ITI TF-3: 4.2.3.1.2
func parseCode(n xmlsec.Node) (Code, error) {
	code := Code{Value: attr(n, "nodeRepresentation")}
	for child := range n.Elements() {
		switch {
		case child.Is(NSRIM, "Name"):
			code.Display = localized(child).Value
		case child.Is(NSRIM, "Slot"):
			slot, err := ParseSlot(child)
			if err != nil {
				return Code{}, err
			}
			if slot.Name == "codingScheme" && len(slot.Values) == 1 && code.Scheme == "" {
				code.Scheme = slot.Values[0]
			}
		}
	}
	return code, nil
}

func (r *reader) author(n xmlsec.Node, f *fields) error {
	if len(*f.authors) == maxParts {
		return fmt.Errorf("more than %d authors", maxParts)
	}
	var a Author
	slots, into := slotReader{}, a.fields()
	for child := range n.Elements() {
		if !child.Is(NSRIM, "Slot") {
			continue
		}
		slot, err := ParseSlot(child)
		if err != nil {
			return err
		}
		if fault := slots.set(slot, into, nil); fault != "" {
			r.fault(f.location, "author: "+fault)
		}
	}
	*f.authors = append(*f.authors, a)
	return nil
}

func (r *reader) identifier(n xmlsec.Node, f *fields) {
	if id := NormalID(attr(n, "registryObject")); id != "" && id != f.object.ID {
		r.fault(f.location, "the registryObject of an ExternalIdentifier is not the object that it stands in")
	}
	scheme := NormalID(attr(n, "identificationScheme"))
	for _, i := range f.identifiers {
		if i.scheme != scheme {
			continue
		}
		if *i.value != "" {
			r.fault(f.location, i.name+" is there twice")
			return
		}
		*i.value = attr(n, "value")
		return
	}
	r.fault(f.location, "an ExternalIdentifier has an identificationScheme that is not one of a "+f.kind)
}

// NormalID returns an id as it is compared: a UUID URN in lower case, any other as it is.
func NormalID(s string) string {
	if len(s) < len(urnUUID) || !strings.EqualFold(s[:len(urnUUID)], urnUUID) {
		return s
	}
	if strings.ContainsAny(s, " \t\n") { // QUIRK: blanks within (ipf-SubmitObjectsRequest_ebrs30)
		s = strings.Join(strings.Fields(s), "")
	}
	return strings.ToLower(s)
}
