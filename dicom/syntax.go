package dicom

import "fmt"

// TransferSyntaxError says that a file cannot be had in a transfer syntax: neither is it stored in it nor can it be
// recoded without decoding pixels. A gateway answers RAD-69 with urn:dicom:wado:0007.
type TransferSyntaxError struct {
	From string // as stored
	To   string // as asked
}

// Error returns both UIDs.
func (e *TransferSyntaxError) Error() string {
	return fmt.Sprintf("transfer syntax %s cannot be given as %s", e.From, e.To)
}
