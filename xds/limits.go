package xds

const (
	// maxDocumentRequests bounds one Retrieve Document Set request. A consumer that wants more asks again;
	// imaging studies have one or two documents.
	maxDocumentRequests = 1024
	// maxOID is the length of an OID in IHE metadata. ITI TF-3: Table 4.2.3.1.7-2
	maxOID = 64
	// maxDocumentUniqueID is that of DocumentEntry.uniqueId. ITI TF-3: 4.2.3.2.26
	maxDocumentUniqueID = 128
	// maxHomeCommunityID is that of an OID with urn:oid: before it.
	maxHomeCommunityID = len(urnOID) + maxOID
	// maxMimeType bounds a media type: it goes into a header line.
	maxMimeType = 255
	// maxCodeContext bounds the sentence of a RegistryError, ours or a peer's.
	maxCodeContext = 1024
	// maxErrors bounds the RegistryErrors that a Client reads: one and a warning for each document.
	maxErrors = 2 * maxDocumentRequests
)
