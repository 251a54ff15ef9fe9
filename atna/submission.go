package atna

import "time"

// Submission is what there is to say of one ITI-41, ITI-42 or ITI-61 exchange at its receiver. RAD-68 is ITI-41.
type Submission struct {
	Time   time.Time
	Origin Origin
	Type   Code // TypeProvideAndRegister, TypeRegister or TypeRegisterOnDemand
	// Sender and Receiver are the two ends of the exchange.
	Sender, Receiver Node
	Requestors       []Requestor
	PatientID        string // CX, empty if there is none
	// SubmissionSet is its uniqueId.
	SubmissionSet string
	Outcome       Outcome
	Reason        string
}

// Message returns the message of the receiver. ITI TF-2: 3.41.5.1.2, 3.42.5.1.2, 3.61.5.1.2
func (s Submission) Message() Message {
	set := Object{
		ID: s.SubmissionSet, TypeCode: 2, Role: 20,
		IDType: Code{"urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "IHE XDS Metadata", "submission set classificationNode"},
	}
	return Message{
		Event: EventImport, Type: s.Type, Action: Create,
		Time: s.Time, Outcome: s.Outcome, Reason: s.Reason, Origin: s.Origin,
		Participants: received(s.Sender, s.Receiver, s.Requestors),
		Objects:      append(patientObject(s.PatientID), set),
	}
}
