// Package keystore keeps keys and certificates in files, and makes new ones.
//
// A private key is one PEM block, PKCS#8 (RFC 5958), unencrypted: what protects it is the file system, so Save
// writes mode 0600 and Load refuses a file that others can read. A certificate file is one or more PEM blocks,
// the end-entity first, as TLS stacks expect. Files are written in full and synced before they get their name:
// a crash leaves the old state or the new one, never half a key.
//
// This package is the edge of keys: it has the files, the randomness and nothing else. It knows no ledger and
// no gateway. All functions may be called concurrently.
package keystore
