package ledger

import "time"

// The limits of the ledger. They are rules of the chain: nodes that differ in one of them do not agree on the
// same state, so to change one is to fork. ledger-spec 10
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
	// MaxPayers bounds the payers: each vote counts them all.
	MaxPayers = 64
	// MaxUnits bounds the units of one payer, so that sums over all payers, and a thousand times them, stay far
	// below 2^63.
	MaxUnits = 1 << 40
	// MaxGroups bounds the groups that a source admits in emergencies.
	MaxGroups = 16
	// MaxGuardians bounds the guardians of a study.
	MaxGuardians = 8
	// MaxAttempts bounds how often a guardian can change its mind: each time takes from the allowance of all.
	MaxAttempts = 16
	// MaxCleared bounds the grants of earlier epochs that one grant deletes, so that no block can be made to delete
	// what it took months to write.
	MaxCleared = 256
	// MaxDuePerBlock bounds what is done of each kind at the beginning of a block because its time has come. The rest
	// waits for the next block.
	MaxDuePerBlock = 1024
)

const (
	// maxRecordKind is the greatest kind of record.
	maxRecordKind = 255
	// maxPeerBytes bounds a libp2p peer: 64 for the id, 255 for a host name.
	maxPeerBytes = 320
	// maxChangeBlocks bounds how far ahead new params are decided.
	maxChangeBlocks = 1_000_000
	// maxRecoveryDelay bounds what an owner can make guardians wait: 366 days in seconds.
	maxRecoveryDelay = 366 * 86400
	// maxTime bounds the genesis time in Unix nanoseconds: the year 2116. An allowance reaches at most 28 years
	// ahead of chain time, which keeps it below 2^63 till 2234.
	maxTime = 1 << 62
	// maxSPKIBytes bounds a signer's key in DER: RSA-8192 takes 1,062 bytes.
	maxSPKIBytes = 1100
	// maxSignatureBytes bounds a signature: RSA-8192 gives 1,024 bytes.
	maxSignatureBytes = 1024
	// maxNesting is above the depth of the deepest body: map, list, study.
	maxNesting = 6
	// maxMapPairs is above the fields of the largest body, and the least that the decoder can be set to.
	maxMapPairs = 16
)
