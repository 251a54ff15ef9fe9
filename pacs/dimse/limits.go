package dimse

import "time"

const (
	// maxPDU is the longest P-DATA PDU that we take, and say so: what DCMTK sends at most.
	maxPDU = 128 << 10

	// maxSend bounds the P-DATA PDUs that we send, to whatever the peer would take.
	maxSend = 128 << 10

	// maxNegotiation bounds a PDU that asks for, or grants, an association: 128 presentation contexts with 50
	// transfer syntaxes of 30 bytes each.
	maxNegotiation = 256 << 10

	// maxContexts is how many presentation contexts an association can have. PS3.8 9.3.2.2
	maxContexts = 128

	// maxCommand bounds a command: some 20 elements, the longest of them a comment of 64 characters.
	maxCommand = 16 << 10

	// maxIdentifier bounds a query and one of its results.
	maxIdentifier = 64 << 10

	// maxResults bounds the results of one query that are kept, some 500 bytes each. A listing of studies keeps none.
	maxResults = 100_000

	// maxClasses bounds the series whose SOP class is remembered.
	maxClasses = 1000

	// maxDrain bounds what is read and dropped of a data set that cannot be taken, so that the sender hears why.
	maxDrain = 64 << 20

	// readBuffer is what a connection is read through.
	readBuffer = 256 << 10

	// defaultAssociations bounds the associations of a Server.
	defaultAssociations = 16

	// defaultOpened bounds those that a Client opens. Orthanc serves four at a time, and its modalities want some.
	defaultOpened = 2

	// connectTimeout bounds connecting and the negotiation.
	connectTimeout = 10 * time.Second

	// defaultIdle is how long a peer may be silent, or not read, within an association.
	defaultIdle = 60 * time.Second

	// keepAssociation is how long an idle association of a Client is kept: long enough for the next instance of a study,
	// and no longer, as the PACS may serve few at a time.
	keepAssociation = 2 * time.Second
)
