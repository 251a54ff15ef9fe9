package xds

import (
	"strings"

	"collimate/xds/metadata"
)

const urnOID = "urn:oid:"

// isDocumentUniqueID reports whether s is an OID, an OID and an extension, or a URN: the format is that of the
// document's own standard. ITI TF-3: 4.2.3.2.26
func isDocumentUniqueID(s string) bool {
	if len(s) > maxDocumentUniqueID || !isPrintable(s) {
		return false
	}
	if urn, ok := strings.CutPrefix(s, "urn:"); ok { // QUIRK: urn:uuid (wxdsb-retrieve_res)
		return urn != ""
	}
	oid, extension, ok := strings.Cut(s, "^")
	return metadata.IsOID(oid) && (!ok || extension != "")
}

// isHomeCommunityID reports whether s is a urn:oid. ITI TF-3: 4.2.3.2.12
func isHomeCommunityID(s string) bool {
	// QUIRK: without the prefix (openxds-RetrieveDocumentSetRequest). It is only echoed.
	return metadata.IsOID(strings.TrimPrefix(s, urnOID))
}

// isPrintable reports whether s consists of printable ASCII characters and has no blanks.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isMimeType reports whether s can stand in a header line as it is.
func isMimeType(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && kind != "" && sub != "" && len(s) <= maxMimeType &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
