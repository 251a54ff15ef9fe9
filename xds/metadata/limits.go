package metadata

const (
	// maxObjects bounds the objects of one message: entries, packages, associations and references. The largest
	// submissions that peers send have some thousand entries, and each entry has an association.
	maxObjects = 20_000
	// maxParts bounds the slots, and the classifications and identifiers, of one object. An entry of the
	// Technical Framework has about 20 of each; event codes and extra slots may add to them.
	maxParts = 256
	// maxValues bounds the values of one slot. Lists of identifiers in queries are the longest.
	maxValues = 4096
	// maxErrors bounds the faults reported of one message: a person mends the first and tries again.
	maxErrors = 64
	// maxValue is the length of a slot value in characters. ITI TF-3: 4.2.3.1.1 (LongName of ebRIM)
	maxValue = 256
	// maxTitle is the length of a title. ITI TF-3: 4.2.3.2.25
	maxTitle = 128
	// maxText is the length of comments. (FreeFormText of ebRIM)
	maxText = 1024
	// maxOID is the length of an OID. ITI TF-3: Table 4.2.3.1.7-2
	maxOID = 64
	// maxUniqueID is that of DocumentEntry.uniqueId. ITI TF-3: 4.2.3.2.26
	maxUniqueID = 128
	// maxContext bounds the codeContext of an error, ours or a peer's.
	maxContext = 1024
	// maxPeerErrors bounds the errors read from a peer: one and a warning for each of 16,384 images.
	maxPeerErrors = 32_768
	// maxCodes bounds a code set: the toolkit's, which has collected since 2004, has 1,500.
	maxCodes = 100_000
	// maxEndpoints bounds a site file: there are about 20 transactions.
	maxEndpoints = 1024
	// maxCodesFile and maxSiteFile bound the files in bytes.
	maxCodesFile = 32 << 20
	maxSiteFile  = 1 << 20
)
