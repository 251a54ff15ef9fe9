package metadata

// Purpose is what a message with metadata is for; the rules differ.
type Purpose int

// The purposes.
const (
	// Register is ITI-42 Register Document Set-b.
	Register Purpose = iota
	// Provide is ITI-41 Provide and Register Document Set-b, and RAD-68.
	Provide
	// RegisterOnDemand is ITI-61 Register On-Demand Document Entry.
	RegisterOnDemand
	// Answer is what a registry answers a query with.
	Answer
)

// Rules say what Validate checks.
type Rules struct {
	For   Purpose
	Codes *Codes // of the affinity domain; nil allows any
}

// Validate returns all that is wrong with a message by itself, what reading found among it, up to a limit.
// What a registry holds is not looked at: see Admit. ITI TF-2: 3.42.4.1.3.3, ITI TF-3: 4.2, 4.3
func (o *Objects) Validate(rules Rules) Errors {
	v := validator{Objects: o, rules: rules, errs: append(Errors(nil), o.faults...)}
	for f := range o.all {
		v.object(f)
	}
	for i := range o.Documents {
		v.document(i)
	}
	for i := range o.Folders {
		if o.Folders[i].Title.Value == "" {
			v.fault(location("Folder", i), "title is missing")
		}
	}
	v.identities()
	if rules.For == Answer {
		for f := range o.all {
			v.answered(f)
		}
		for i := range o.Associations {
			v.associationType(i, true)
		}
	} else {
		v.patients()
		v.graph()
	}
	if rules.For == Provide {
		for i, e := range v.errs {
			e := *e
			e.Code = ofRepository(e.Code)
			v.errs[i] = &e
		}
	}
	return v.errs
}

// ofRepository returns the code that a Document Repository uses. ITI TF-3: Table 4.2.4.1-2
func ofRepository(code ErrorCode) ErrorCode {
	switch code {
	case RegistryMetadata:
		return RepositoryMetadata
	case RegistryDuplicateUniqueID:
		return RepositoryDuplicateUniqueID
	}
	return code
}

type validator struct {
	*Objects
	rules Rules
	errs  Errors
}

func location(kind string, i int) string { return newFields(kind, i, nil).location }

func (v *validator) fault(location, context string) { v.errs.add(RegistryMetadata, location, context) }

// column returns the column of the table of optionality that an object is checked by.
func (v *validator) column(f *fields) column {
	switch {
	case f.onDemand:
		return fromOnDemand
	case v.rules.For == Provide:
		return fromSource
	}
	return fromRepository
}

// object checks the attributes of one object.
func (v *validator) object(f *fields) {
	o := f.object
	column := v.column(f)
	if o.HomeCommunityID != "" && !isHomeCommunityID(o.HomeCommunityID) {
		v.fault(f.location, "homeCommunityId is not urn:oid: and an OID")
	}
	if tooLong(o.Title.Value, maxTitle) {
		v.fault(f.location, "title has more than 128 characters")
	}
	if tooLong(o.Comments.Value, maxText) {
		v.fault(f.location, "comments have more than 1024 characters")
	}
	for i := range f.slots {
		s := &f.slots[i]
		values := s.values()
		switch {
		case len(values) == 0 && s.required&column != 0:
			v.fault(f.location, s.name+" is missing")
		case len(values) > 0 && s.barred&column != 0:
			v.fault(f.location, s.name+" is not allowed for an on-demand document")
		}
		v.slot(f.location, s)
	}
	for _, s := range o.Extra {
		for _, value := range s.Values {
			if tooLong(value, maxValue) {
				v.fault(f.location, "a Slot with a name of its own has a value of more than 256 characters")
				break
			}
		}
	}
	for i := range f.codes {
		c := &f.codes[i]
		codes := c.values()
		if len(codes) == 0 && c.required&column != 0 {
			v.fault(f.location, c.name+" is missing")
		}
		for _, code := range codes {
			if !v.rules.Codes.Allows(c.name, code) {
				v.fault(f.location, c.name+" has a code that is not in the code set of the affinity domain")
			}
		}
	}
	for _, i := range f.identifiers {
		switch {
		case *i.value == "":
			v.fault(f.location, i.name+" is missing")
		case !i.format.ok(*i.value):
			v.fault(f.location, i.name+" is not "+i.format.name)
		}
	}
	if f.authors == nil {
		return
	}
	for i := range *f.authors {
		a := &(*f.authors)[i]
		if a.Person == "" && len(a.Institutions) == 0 && len(a.Telecommunications) == 0 {
			v.fault(f.location, "an author has neither authorPerson nor authorInstitution nor authorTelecommunication")
		}
		slots := a.fields()
		for j := range slots {
			v.slot(f.location, &slots[j])
		}
	}
}

// slot checks the format and the length of values.
func (v *validator) slot(location string, s *slotField) {
	for _, value := range s.values() {
		if tooLong(value, maxValue) {
			v.fault(location, s.name+" has a value of more than 256 characters")
			return
		}
		if !s.format.ok(value) {
			v.fault(location, s.name+" is not "+s.format.name)
			return
		}
	}
}

// document checks what only a DocumentEntry has.
func (v *validator) document(i int) {
	d, at := &v.Documents[i], location("DocumentEntry", i)
	switch {
	case d.Type == "":
		v.fault(at, "objectType is missing")
	case d.Type != Stable && d.Type != OnDemand:
		v.fault(at, "objectType is neither that of a stable nor of an on-demand document")
	case d.Type == OnDemand && (v.rules.For == Provide || v.rules.For == Register):
		v.fault(at, "objectType is that of an on-demand document, which this transaction does not take")
	case d.Type == Stable && v.rules.For == RegisterOnDemand:
		v.fault(at, "objectType is that of a stable document, which this transaction does not take")
	}
	switch {
	case d.MimeType == "":
		v.fault(at, "mimeType is missing")
	case !isMimeType(d.MimeType):
		v.fault(at, "mimeType is not a media type without parameters")
	case !v.rules.Codes.Allows(mimeTypes, Code{Value: d.MimeType}):
		v.fault(at, "mimeType is not one of the affinity domain")
	}
	if IsDTM(d.ServiceStartTime) && IsDTM(d.ServiceStopTime) && PadDTM(d.ServiceStartTime) > PadDTM(d.ServiceStopTime) {
		v.fault(at, "serviceStartTime is later than serviceStopTime")
	}
}

// identities checks that ids and uniqueIds are there and stand once.
func (v *validator) identities() {
	ids, uniqueIDs := map[string]bool{}, map[string]bool{}
	for f := range v.all {
		id := f.object.ID
		switch {
		case id == "" && f.kind != "Association": // nothing refers to it: Resolve gives one
			v.fault(f.location, "the id is missing")
		case id != "" && ids[id]:
			v.fault(f.location, "the id stands twice in the message")
		case hasUUIDPrefix(id) && !IsUUID(id):
			v.fault(f.location, "the id starts with urn:uuid: and is not a UUID")
		}
		ids[id] = true
	}
	if v.rules.For == Answer {
		return // the same document may be registered twice
	}
	for f := range v.all {
		for _, i := range f.identifiers {
			if i.name != "uniqueId" || *i.value == "" {
				continue
			}
			if uniqueIDs[*i.value] {
				v.errs.add(RegistryDuplicateUniqueID, f.location, "uniqueId stands twice in the message")
			}
			uniqueIDs[*i.value] = true
		}
	}
}

func hasUUIDPrefix(id string) bool { return len(id) >= len(urnUUID) && id[:len(urnUUID)] == urnUUID }

// answered checks what objects have once they are registered.
func (v *validator) answered(f *fields) {
	o := f.object
	if !IsUUID(o.ID) || !IsUUID(o.LogicalID) {
		v.fault(f.location, "id or lid is not a UUID URN")
	}
	if o.Version == "" {
		v.fault(f.location, "VersionInfo is missing")
	}
	isPackage := f.label != "" // a SubmissionSet or a Folder, which is never Deprecated
	switch {
	case o.Status == Approved, o.Status == Deprecated && !isPackage, o.Status == "" && f.kind == "Association":
	default:
		v.fault(f.location, "availabilityStatus is missing, or is not one that this object may have")
	}
}

// patients checks that all objects are of one patient. ITI TF-2: 3.42.4.1.3.3.1
func (v *validator) patients() {
	patient := ""
	for f := range v.all {
		for _, i := range f.identifiers {
			switch {
			case i.name != "patientId" || *i.value == "":
			case patient == "":
				patient = *i.value
			case patient != *i.value:
				v.errs.add(PatientIDDoesNotMatch, f.location, "patientId is not that of the other objects of the submission")
			}
		}
	}
}
