package documents

// copyBuffer is what a document is copied through; large enough that the calls to the system do not count.
const copyBuffer = 256 << 10

// reserve is what is left of a disk for others: the ledger, the registry and the audit trail may be on it too, and stop
// when it is full.
const reserve = 1 << 30
