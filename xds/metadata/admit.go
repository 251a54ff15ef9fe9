package metadata

import "strings"

// Registered is what a registry holds of what a submission touches.
type Registered struct {
	// PatientKnown: the patient id of the submission is one of the affinity domain.
	PatientKnown bool
	// Objects are those whose id or uniqueId is among References.
	Objects Objects
}

// References returns what a registry has to look up for Admit: the ids that objects have or point at, and their
// uniqueIds.
func (o *Objects) References() (ids, uniqueIDs []string) {
	seen := map[string]bool{}
	add := func(id string) {
		if IsUUID(id) && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for f := range o.all {
		add(f.object.ID)
		for _, i := range f.identifiers {
			if i.name == "uniqueId" && *i.value != "" {
				uniqueIDs = append(uniqueIDs, *i.value)
			}
		}
	}
	for i := range o.Associations {
		add(o.Associations[i].Source)
		add(o.Associations[i].Target)
	}
	return ids, uniqueIDs
}

// Admit returns the conflicts of a submission that is valid by itself with what the registry holds. It does not
// change anything. ITI TF-2: 3.42.4.1.3.3 to 3.42.4.1.3.7
func (o *Objects) Admit(known Registered) Errors {
	a := admission{Objects: o, known: &known.Objects, nodes: o.nodes(), held: known.Objects.nodes()}
	if len(o.SubmissionSets) > 0 {
		a.patient = o.SubmissionSets[0].PatientID
		if !known.PatientKnown {
			a.errs.add(UnknownPatientID, location("SubmissionSet", 0), "patientId is not known to the affinity domain")
		}
	}
	for f := range o.all {
		if _, taken := a.held[f.object.ID]; taken {
			a.errs.add(RegistryMetadata, f.location, "the id is that of an object that is registered")
		}
	}
	a.uniqueIDs()
	for i := range o.Associations {
		a.association(i)
	}
	return a.errs
}

type admission struct {
	*Objects
	known       *Objects
	nodes, held map[string]node
	patient     string
	errs        Errors
}

// uniqueIDs: that of a package is used once and for all; that of a document may be registered again with the
// same bytes.
func (a *admission) uniqueIDs() {
	entries, packages := map[string][]*DocumentEntry{}, map[string]bool{}
	for i := range a.known.Documents {
		d := &a.known.Documents[i]
		entries[d.UniqueID] = append(entries[d.UniqueID], d)
	}
	for i := range a.known.SubmissionSets {
		packages[a.known.SubmissionSets[i].UniqueID] = true
	}
	for i := range a.known.Folders {
		packages[a.known.Folders[i].UniqueID] = true
	}
	taken := func(uniqueID, location string) {
		if packages[uniqueID] || len(entries[uniqueID]) > 0 {
			a.errs.add(DuplicateUniqueIDInRegistry, location, "uniqueId is that of an object that is registered")
		}
	}
	for i := range a.SubmissionSets {
		taken(a.SubmissionSets[i].UniqueID, location("SubmissionSet", i))
	}
	for i := range a.Folders {
		taken(a.Folders[i].UniqueID, location("Folder", i))
	}
	for i := range a.Documents {
		d, at := &a.Documents[i], location("DocumentEntry", i)
		if packages[d.UniqueID] {
			a.errs.add(DuplicateUniqueIDInRegistry, at, "uniqueId is that of a registered SubmissionSet or Folder")
		}
		for _, other := range entries[d.UniqueID] {
			switch {
			case d.Type != other.Type:
				a.errs.add(DuplicateUniqueIDInRegistry, at, "uniqueId is registered for a document of the other objectType")
			case !strings.EqualFold(d.Hash, other.Hash):
				a.errs.add(NonIdenticalHash, at, "uniqueId is registered with another hash")
			case d.Size != other.Size:
				a.errs.add(NonIdenticalSize, at, "uniqueId is registered with another size")
			default:
				continue
			}
			break
		}
	}
}

// association checks the ends that are not in the message.
func (a *admission) association(i int) {
	x, at := &a.Associations[i], location("Association", i)
	if _, here := a.nodes[x.Source]; !here {
		a.end(x.Source, at, "sourceObject", "Folder")
	}
	if _, here := a.nodes[x.Target]; here {
		return
	}
	if x.Type == HasMember {
		if a.nodes[x.Source].kind == "SubmissionSet" {
			a.end(x.Target, at, "targetObject", "")
		} else {
			a.end(x.Target, at, "targetObject", "DocumentEntry")
		}
		return
	}
	n := a.end(x.Target, at, "targetObject", "DocumentEntry")
	if n.kind == "DocumentEntry" && x.Type == IsSnapshotOf && a.known.Documents[n.index].Type != OnDemand {
		a.errs.add(RegistryMetadata, at, "targetObject of IsSnapshotOf is not an on-demand document")
	}
}

// end checks one end of an association: it is registered, of the kind, Approved, and of the same patient.
func (a *admission) end(id, at, end, kind string) node {
	n, ok := a.held[id]
	if !ok {
		a.errs.add(UnresolvedReference, at, end+" is not registered")
		return node{}
	}
	if kind != "" && n.kind != kind {
		a.errs.add(RegistryMetadata, at, end+" is not a "+kind)
		return node{}
	}
	var status Status
	patient := a.patient
	switch n.kind {
	case "DocumentEntry":
		status, patient = a.known.Documents[n.index].Status, a.known.Documents[n.index].PatientID
	case "Folder":
		status, patient = a.known.Folders[n.index].Status, a.known.Folders[n.index].PatientID
	case "SubmissionSet":
		a.errs.add(RegistryMetadata, at, end+" is a SubmissionSet")
		return node{}
	default:
		status = Approved
	}
	if status != Approved {
		a.errs.add(RegistryDeprecatedDocument, at, end+" is not Approved")
	}
	if patient != a.patient {
		a.errs.add(PatientIDDoesNotMatch, at, "patientId of "+end+" is not that of the submission")
	}
	return n
}
