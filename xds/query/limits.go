package query

const (
	// maxParameters bounds the Slots of a request, those with the same name counted each.
	maxParameters = 128
	// maxAlternatives bounds the values of all parameters together. A consumer asks for entries by UUID in pages.
	maxAlternatives = 4096
	// maxPatterns bounds the patterns of LIKE among them: each is held against each author or reference of a patient.
	maxPatterns = 128
	// maxText bounds one value in characters: a slot value has at most 256. ITI TF-3: 4.2.3.1.1
	maxText = 256
)
