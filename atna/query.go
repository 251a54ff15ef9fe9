package atna

import "time"

// Query is what there is to say of one ITI-18 exchange at the registry.
type Query struct {
	Time   time.Time
	Origin Origin
	// Registry and Consumer are the two ends of the exchange.
	Registry, Consumer Node
	Requestors         []Requestor
	PatientID          string // CX, of the query; empty if it names none
	HomeCommunityID    string // urn:oid:..., if known
	// ID is that of the stored query, urn:uuid:...; Request the AdhocQueryRequest.
	ID      string
	Request []byte
	Outcome Outcome
	Reason  string
}

// Message returns the message of the registry. ITI TF-2: 3.18.5.1.2
func (q Query) Message() Message {
	object := Object{
		ID: q.ID, IDType: TypeRegistryStoredQuery, TypeCode: 2, Role: 24, Query: q.Request,
		Details: []Detail{{"QueryEncoding", "UTF-8"}},
	}
	if q.HomeCommunityID != "" {
		object.Details = append(object.Details, Detail{"urn:ihe:iti:xca:2010:homeCommunityId", q.HomeCommunityID})
	}
	return Message{
		Event: EventQuery, Type: TypeRegistryStoredQuery, Action: Execute,
		Time: q.Time, Outcome: q.Outcome, Reason: q.Reason, Origin: q.Origin,
		Participants: received(q.Consumer, q.Registry, q.Requestors), // who asks is the source of a query
		Objects:      append(patientObject(q.PatientID), object),
	}
}

// received lists the participants of an exchange that a server received: sender, server, and who is behind the sender.
func received(sender, server Node, requestors []Requestor) []Participant {
	p := []Participant{
		{UserID: sender.UserID, AlternativeUserID: sender.ProcessID, Address: sender.Address, Requestor: true, Roles: []Code{roleSource}},
		{UserID: server.UserID, AlternativeUserID: server.ProcessID, Address: server.Address, Roles: []Code{roleDestination}},
	}
	for _, q := range requestors {
		p = append(p, q.participant())
	}
	return p
}
