package atna

import (
	"slices"
	"strings"
	"time"
)

// Retrieve is what there is to say of one ITI-43 or RAD-69 exchange, from either side.
type Retrieve struct {
	Time   time.Time
	Origin Origin
	// Repository and Consumer are the two ends of the exchange.
	Repository, Consumer Node
	// Requestors are those on whose behalf the consumer asks, as far as it was proven.
	Requestors   []Requestor
	PurposeOfUse []Code
	// PatientID is a CX value; empty leaves the patient out, which ITI-43 allows.
	PatientID string
	// Documents are all that were asked, each with its outcome.
	Documents []Document
}

// Node is one end of an exchange.
type Node struct {
	// UserID is the endpoint URI for the repository; for the consumer its wsa:ReplyTo, or any name of it.
	UserID string
	// ProcessID is the process id on this machine; empty for the far end.
	ProcessID string
	// Address is an IP address or a machine name, without port.
	Address string
}

// Requestor is who asks.
type Requestor struct {
	UserID   string // such as a KeyID
	UserName string // a claim, such as the subject of a certificate
	Tier     string // the evidence: A, B or C
}

// Document is one document that was asked.
type Document struct {
	HomeCommunityID    string // urn:oid:..., if known
	RepositoryUniqueID string
	DocumentUniqueID   string
	// StudyInstanceUID and SeriesInstanceUID are of an instance that was asked by RAD-69; empty otherwise.
	StudyInstanceUID, SeriesInstanceUID string
	Outcome                             Outcome
	// Reason says why the outcome is not Success. It is for the operator alone.
	Reason string
}

// The roles of the two ends: the source is who holds the documents, on both sides. ITI TF-2: 3.43.6
var (
	roleSource      = Code{"110153", "DCM", "Source Role ID"}
	roleDestination = Code{"110152", "DCM", "Destination Role ID"}
)

// RetrieveExport returns the messages of a Document Repository, one for each outcome that occurs, from good to
// bad. ITI TF-2: 3.43.6.1.2
func RetrieveExport(r Retrieve) []Message {
	return r.messages(EventExport, TypeRetrieveDocumentSet, Read, documentObjects)
}

// RetrieveImport returns the messages of a Document Consumer, one for each outcome that occurs, from good to
// bad. ITI TF-2: 3.43.6.1.1
func RetrieveImport(r Retrieve) []Message {
	return r.messages(EventImport, TypeRetrieveDocumentSet, Create, documentObjects)
}

// InstancesTransferred returns the messages of an Imaging Document Source about RAD-69, one for each outcome that
// occurs, from good to bad. RAD TF-3: Table 5.1-2
func InstancesTransferred(r Retrieve) []Message {
	return r.messages(EventInstancesTransferred, TypeRetrieveImagingDocumentSet, Read, seriesObjects)
}

func (r Retrieve) messages(event, kind Code, action Action, objects func([]Document) []Object) []Message {
	var outcomes []Outcome
	for _, d := range r.Documents {
		if !slices.Contains(outcomes, d.Outcome) {
			outcomes = append(outcomes, d.Outcome)
		}
	}
	slices.Sort(outcomes)
	var messages []Message
	for _, o := range outcomes {
		m := Message{
			Event: event, Type: kind, Action: action,
			Time: r.Time, Outcome: o, PurposeOfUse: r.PurposeOfUse,
			Participants: r.participants(), Origin: r.Origin,
		}
		var of []Document
		for _, d := range r.Documents {
			if d.Outcome == o {
				of = append(of, d)
			}
		}
		m.Objects = append(patientObject(r.PatientID), objects(of)...)
		if o != Success {
			m.Reason = reasons(of)
		}
		messages = append(messages, m)
	}
	return messages
}

func (r Retrieve) participants() []Participant {
	p := []Participant{
		// The server is not the requestor, whoever writes. ITI TF-2: 3.43.6
		{UserID: r.Repository.UserID, AlternativeUserID: r.Repository.ProcessID, Address: r.Repository.Address, Roles: []Code{roleSource}},
		{UserID: r.Consumer.UserID, AlternativeUserID: r.Consumer.ProcessID, Address: r.Consumer.Address, Requestor: true, Roles: []Code{roleDestination}},
	}
	for _, q := range r.Requestors {
		p = append(p, q.participant())
	}
	return p
}

func (q Requestor) participant() Participant {
	p := Participant{UserID: q.UserID, UserName: q.UserName, Requestor: true}
	if q.Tier != "" {
		p.Roles = []Code{{q.Tier, "Collimate authentication tier", "Tier " + q.Tier}}
	}
	return p
}

// patientObject describes the patient, if one is known. ITI TF-2: 3.43.6
func patientObject(id string) []Object {
	if id == "" {
		return nil
	}
	return []Object{{ID: id, IDType: Code{"2", "RFC-3881", "Patient Number"}, TypeCode: 1, Role: 1}}
}

// documentObjects describes documents. ITI TF-2: 3.43.6
func documentObjects(documents []Document) []Object {
	objects := make([]Object, len(documents))
	for i, d := range documents {
		objects[i] = Object{
			ID: d.DocumentUniqueID, IDType: Code{"9", "RFC-3881", "Report Number"}, TypeCode: 2, Role: 3,
			Details: []Detail{{"Repository Unique ID", d.RepositoryUniqueID}},
		}
		objects[i].addHome(d.HomeCommunityID)
	}
	return objects
}

// seriesObjects describes instances, those of a series in one object: a study has thousands.
func seriesObjects(instances []Document) []Object {
	type series struct{ home, repository, study, series string }
	var objects []Object
	at := map[series]int{}
	for _, d := range instances {
		of := series{d.HomeCommunityID, d.RepositoryUniqueID, d.StudyInstanceUID, d.SeriesInstanceUID}
		i, ok := at[of]
		if !ok {
			i = len(objects)
			at[of] = i
			objects = append(objects, Object{
				ID: d.StudyInstanceUID, IDType: Code{"110180", "DCM", "Study Instance UID"}, TypeCode: 2, Role: 3,
				Details: []Detail{{"Repository Unique Id", d.RepositoryUniqueID}, {"Series Instance Unique Id", d.SeriesInstanceUID}},
			})
			objects[i].addHome(d.HomeCommunityID)
		}
		objects[i].Details = append(objects[i].Details, Detail{"ihe:DocumentUniqueId", d.DocumentUniqueID})
	}
	return objects
}

func (o *Object) addHome(communityID string) {
	if communityID != "" {
		o.Details = append(o.Details, Detail{"ihe:homeCommunityID", communityID})
	}
}

// reasons joins the reasons of documents: one alone if all share it, else one per document.
func reasons(of []Document) string {
	same := !slices.ContainsFunc(of, func(d Document) bool { return d.Reason != of[0].Reason })
	if same {
		return of[0].Reason
	}
	texts := make([]string, len(of))
	for i, d := range of {
		texts[i] = d.DocumentUniqueID + ": " + d.Reason
	}
	return strings.Join(texts, "; ")
}

// AuthenticationFailure returns the message about a request whose sender could not be authenticated, with the
// reason. who may be empty in part or whole: it is what the sender claims to be. ITI TF-2: 3.40.4.2, DICOM
// PS3.15 A.5.3.13
func AuthenticationFailure(at time.Time, origin Origin, server Node, clientAddress string, who Requestor, reason string) Message {
	p := who.participant()
	if p.UserID == "" {
		p.UserID = "unknown"
	}
	p.Address = clientAddress
	return Message{
		Event: EventUserAuthentication, Type: TypeLogin, Action: Execute,
		Time: at, Outcome: MinorFailure, Reason: reason, Origin: origin,
		Participants: []Participant{p, {UserID: server.UserID, AlternativeUserID: server.ProcessID, Address: server.Address}},
	}
}
