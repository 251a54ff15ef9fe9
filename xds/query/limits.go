package query

const (
	// maxParameters bounds the Slots of a request, those with the same name counted each.
	maxParameters = 128
	// maxAlternatives bounds the values of one parameter. A consumer asks for entries by UUID in pages.
	maxAlternatives = 4096
	// maxText bounds one value in characters: a slot value has at most 256. ITI TF-3: 4.2.3.1.1
	maxText = 256
)
