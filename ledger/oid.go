package ledger

import (
	"strings"

	"collimate/keys"
)

// checkOIDs accepts at most MaxOIDs valid OIDs in ascending order. An OID of the form of an alias is refused:
// it could be the alias of somebody else's key. ledger-spec 5.1
func checkOIDs(oids []string) error {
	if len(oids) > MaxOIDs {
		return outOfBounds("%d OIDs are declared, at most %d are allowed", len(oids), MaxOIDs)
	}
	for i, oid := range oids {
		if !isOID(oid) {
			return outOfBounds("OID %d of %d is not an OID of at most %d characters", i+1, len(oids), MaxOIDBytes)
		}
		if keys.IsAlias(oid) {
			return outOfBounds("OID %d of %d has the form of a key's alias, which is not declared", i+1, len(oids))
		}
		if i > 0 && oids[i-1] >= oid {
			return outOfBounds("the OIDs are not in ascending order without repetition")
		}
	}
	return nil
}

// isOID accepts a dotted decimal OID of at most MaxOIDBytes characters. ITU-T X.660, DICOM PS3.5 section 9.1
func isOID(s string) bool {
	if len(s) > MaxOIDBytes {
		return false
	}
	arcs := strings.Split(s, ".")
	if len(arcs) < 2 {
		return false
	}
	for _, arc := range arcs {
		if arc == "" || len(arc) > 1 && arc[0] == '0' || strings.Trim(arc, "0123456789") != "" {
			return false
		}
	}
	switch arcs[0] {
	case "0", "1":
		return len(arcs[1]) == 1 || len(arcs[1]) == 2 && arcs[1] < "40"
	case "2":
		return true
	}
	return false
}
