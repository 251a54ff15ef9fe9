package xds

const (
	// maxDocumentRequests bounds one ITI-43 request. A consumer that wants more asks again; imaging studies have one
	// or two documents.
	maxDocumentRequests = 1024
	// maxDocuments bounds the documents of one message of any other kind. RAD-69 asks for a study image by image: those of one
	// examination with the largest number are some thousands.
	maxDocuments = 16_384
	// maxSubmission bounds a request with metadata in bytes, attachments not counted: an entry has 5 to 10 KB. Who is
	// not known to submit has soap.DefaultLimits: the largest query, of 4,096 ids, has 300 KB.
	maxSubmission = 16 << 20
	// maxParts bounds the parts of a submission: the envelope, its documents, and certificates of its header.
	maxParts = 1 + 1024 + 16
	// maxOID is the length of an OID in IHE metadata. ITI TF-3: Table 4.2.3.1.7-2
	maxOID = 64
	// maxDocumentUniqueID is that of DocumentEntry.uniqueId. ITI TF-3: 4.2.3.2.26
	maxDocumentUniqueID = 128
	// maxHomeCommunityID is that of an OID with urn:oid: before it.
	maxHomeCommunityID = len(urnOID) + maxOID
	// maxMimeType bounds a media type: it goes into a header line.
	maxMimeType = 255
)
