package ledger

import "time"

// The limits of the ledger. They are rules of the chain: nodes that differ in one of them do not agree on the
// same state, so to change one is to fork. ledger-spec 9
const (
	// MaxTxBytes bounds a transaction as it travels. The largest useful one, MaxStudiesPerTx studies signed
	// with RSA-8192, takes 21 KiB.
	MaxTxBytes = 64 << 10
	// MaxChainIDBytes is the engine's own bound on a chain id.
	MaxChainIDBytes = 50
	// MaxStudiesPerTx bounds one DefineStudy. A busy centre makes some hundred studies a day, so one
	// transaction an hour is enough.
	MaxStudiesPerTx = 256
	// MaxURLBytes bounds an endpoint. Every node keeps every endpoint for ever.
	MaxURLBytes = 512
	// MaxOIDs bounds the repository OIDs that one source declares. Large centres have one for each site.
	MaxOIDs = 16
	// MaxOIDBytes is IHE's and DICOM's bound on an OID. ITI TF-3: Table 4.2.3.1.7-2
	MaxOIDBytes = 64
	// MaxGrantsPerStudy bounds the grants and tombstones of a study under one owner in one epoch, and the
	// room that grants of earlier epochs may take besides them. It is what one owner can make every node
	// store: 4096 records of about 130 bytes, 0.5 MiB a study. A patient who lets in one party a week
	// reaches it after 79 years.
	MaxGrantsPerStudy = 4096
	// MaxGrantLife bounds how far behind chain time a grant may end: two years, leap day and lagging chain
	// time included. A forgotten grant should not outlive its reason for long.
	MaxGrantLife = 732 * 24 * time.Hour
	// MaxValidators bounds the validators of a genesis; the engine votes among that many at every height.
	MaxValidators = 256
)

const (
	// maxSPKIBytes bounds a signer's key in DER: RSA-8192 takes 1,062 bytes.
	maxSPKIBytes = 1100
	// maxSignatureBytes bounds a signature: RSA-8192 gives 1,024 bytes.
	maxSignatureBytes = 1024
	// maxNesting is the depth of the deepest body: message, body, map, list, study.
	maxNesting = 6
	// maxMapPairs is above the fields of the largest body, and the least that the decoder can be set to.
	maxMapPairs = 16
)
