package metadata

// node is what an id of a message stands for.
type node struct {
	kind  string
	index int
}

// nodes maps the ids of a message to its objects.
func (o *Objects) nodes() map[string]node {
	nodes := make(map[string]node, o.Len())
	for i := range o.SubmissionSets {
		nodes[o.SubmissionSets[i].ID] = node{"SubmissionSet", i}
	}
	for i := range o.Documents {
		nodes[o.Documents[i].ID] = node{"DocumentEntry", i}
	}
	for i := range o.Folders {
		nodes[o.Folders[i].ID] = node{"Folder", i}
	}
	for i := range o.Associations {
		if id := o.Associations[i].ID; id != "" {
			nodes[id] = node{"Association", i}
		}
	}
	delete(nodes, "")
	return nodes
}

// graph checks the associations of a submission: one SubmissionSet, which has each other object as a member,
// and relationships between documents. ITI TF-3: 4.1.4, 4.2.2
func (v *validator) graph() {
	if n := len(v.SubmissionSets); n != 1 {
		v.fault("", "a submission has exactly one SubmissionSet")
	}
	nodes := v.nodes()
	memberships := map[string]int{} // of the SubmissionSet, by id of the member
	for i := range v.Associations {
		if a := &v.Associations[i]; v.associationType(i, false) {
			if a.Type == HasMember && nodes[a.Source].kind == "SubmissionSet" {
				memberships[a.Target]++
			}
			v.association(i, nodes)
		}
	}
	member := func(id, location string) {
		switch memberships[id] {
		case 0:
			v.fault(location, "it is not a member of the SubmissionSet")
		case 1:
		default:
			v.fault(location, "it is a member of the SubmissionSet more than once")
		}
	}
	for i := range v.Documents {
		member(v.Documents[i].ID, location("DocumentEntry", i))
	}
	for i := range v.Folders {
		member(v.Folders[i].ID, location("Folder", i))
	}
	for i := range v.Associations {
		a := &v.Associations[i]
		if a.Type == HasMember && nodes[a.Source].kind != "SubmissionSet" {
			member(a.ID, location("Association", i))
		}
	}
}

// associationType checks the type and whether there are two ends.
func (v *validator) associationType(i int, updates bool) bool {
	a, at := &v.Associations[i], location("Association", i)
	switch {
	case a.Type == HasMember, a.Type.IsRelationship():
	case updates && (a.Type == UpdateAvailabilityStatus || a.Type == SubmitAssociation):
	default:
		v.fault(at, "associationType is not one that this transaction takes")
		return false
	}
	if a.Source == "" || a.Target == "" || a.Source == a.Target {
		v.fault(at, "sourceObject or targetObject is missing, or they are the same")
		return false
	}
	return true
}

// association checks the ends of an association, as far as they are in the message.
func (v *validator) association(i int, nodes map[string]node) {
	a, at := &v.Associations[i], location("Association", i)
	source, sourceHere := nodes[a.Source]
	target, targetHere := nodes[a.Target]
	if !sourceHere && !IsUUID(a.Source) || !targetHere && !IsUUID(a.Target) {
		v.errs.add(UnresolvedReference, at, "sourceObject or targetObject is neither an object of the message nor a UUID URN")
		return
	}
	if target.kind == "SubmissionSet" {
		v.fault(at, "targetObject is a SubmissionSet")
	}
	if a.Type == HasMember {
		if a.Documentation != (Code{}) {
			v.fault(at, "a HasMember has a documentation code, which only relationships may have")
		}
		v.hasMember(a, at, source.kind, target.kind)
		return
	}
	switch {
	case source.kind != "DocumentEntry":
		v.errs.add(UnresolvedReference, at, "sourceObject is not a DocumentEntry of the message")
	case targetHere && target.kind != "DocumentEntry":
		v.fault(at, "targetObject is not a DocumentEntry")
	case targetHere && (a.Type.Replaces() || a.Type == IsSnapshotOf):
		v.errs.add(UnresolvedReference, at, "targetObject is in the same message, it has to be registered before")
	case a.Type == IsSnapshotOf && v.Documents[source.index].Type != Stable:
		v.fault(at, "sourceObject of IsSnapshotOf is not a stable document")
	}
	if a.SubmissionSetStatus != "" {
		v.fault(at, "SubmissionSetStatus is only for the HasMember from a SubmissionSet")
	}
}

// hasMember checks a membership; the kind of an end that is not in the message is "".
func (v *validator) hasMember(a *Association, at, source, target string) {
	status := a.SubmissionSetStatus
	switch {
	case source == "SubmissionSet" && target == "DocumentEntry" && status != Original:
		v.fault(at, "SubmissionSetStatus of a DocumentEntry of the message is not Original")
	case source == "SubmissionSet" && target == "" && status != "" && status != Reference:
		v.fault(at, "SubmissionSetStatus of an object that is not in the message is not Reference")
	// QUIRK: SubmissionSetStatus of a Folder or an Association as target (iheos-toolkit2#593) means nothing.
	case source == "SubmissionSet":
	case source != "Folder" && source != "":
		v.fault(at, "sourceObject of a HasMember is neither a SubmissionSet nor a Folder")
	case target != "DocumentEntry" && target != "":
		v.fault(at, "a Folder has a member that is not a DocumentEntry")
	case status != "":
		v.fault(at, "SubmissionSetStatus is only for the HasMember from a SubmissionSet")
	}
}

// CheckDocuments compares the documents of an ITI-41 message, by their ids, with its entries: each has to have
// exactly one of the other. ITI TF-2: 3.41.4.1.3
func (o *Objects) CheckDocuments(ids []string) Errors {
	var errs Errors
	documents := make(map[string]int, len(ids))
	for i, id := range ids {
		id = NormalID(id)
		if documents[id]++; documents[id] == 2 {
			errs.add(RepositoryMetadata, location("Document", i), "two documents have the same id")
		}
	}
	entries := make(map[string]bool, len(o.Documents))
	for i := range o.Documents {
		d := &o.Documents[i]
		entries[d.ID] = true
		if documents[d.ID] == 0 {
			errs.add(MissingDocument, location("DocumentEntry", i), "the message has no document for it")
		}
	}
	for i, id := range ids {
		if !entries[NormalID(id)] {
			errs.add(MissingDocumentMetadata, location("Document", i), "the message has no DocumentEntry for it")
		}
	}
	return errs
}
