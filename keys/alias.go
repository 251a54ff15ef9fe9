package keys

import (
	"math/big"
	"strings"
)

// aliasRoot is the arc under which any UUID is an OID without registration (ITU-T X.667).
const aliasRoot = "2.25."

// OIDAlias returns the OID alias of a 32-byte name: 2.25 followed by the decimal value of the UUIDv8 made
// from its first 16 bytes (RFC 9562 section 5.8). The result has at most 44 characters. Six bits are
// overwritten by version and variant, so 122 bits remain; an alias is therefore unique only because the
// ledger refuses a second holder of one.
func OIDAlias(name [32]byte) string {
	var u [16]byte
	copy(u[:], name[:])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return aliasRoot + new(big.Int).SetBytes(u[:]).String()
}

// IsAlias reports whether oid has exactly the form that OIDAlias produces.
func IsAlias(oid string) bool {
	digits, ok := strings.CutPrefix(oid, aliasRoot)
	if !ok || len(digits) > 39 {
		return false
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 || n.String() != digits {
		return false
	}
	var u [16]byte
	n.FillBytes(u[:])
	return u[6]>>4 == 8 && u[8]>>6 == 2
}
