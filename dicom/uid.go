package dicom

import (
	"crypto/sha256"
	"errors"
	"math/big"
)

// UIDs that this package reads, writes or decides by. DICOM PS3.6 Table A-1
const (
	ImplicitVRLittleEndian         = "1.2.840.10008.1.2"
	ExplicitVRLittleEndian         = "1.2.840.10008.1.2.1"
	DeflatedExplicitVRLittleEndian = "1.2.840.10008.1.2.1.99"
	ExplicitVRBigEndian            = "1.2.840.10008.1.2.2" // retired, still found
	RLELossless                    = "1.2.840.10008.1.2.5"

	MediaStorageDirectory      = "1.2.840.10008.1.3.10" // SOP class of a DICOMDIR
	CTImageStorage             = "1.2.840.10008.5.1.4.1.1.2"
	KeyObjectSelectionDocument = "1.2.840.10008.5.1.4.1.1.88.59"
)

// Who wrote the file or speaks: in the file meta information of all that we write and in all associations. DICOM
// PS3.10 7.1, PS3.7 D.3.3.2
const (
	ImplementationClassUID    = "2.25.284130615919056929251199295419868474497"
	ImplementationVersionName = "COLLIMATE_1"
)

// CheckUID reports why s cannot stand as a UID: it must have 1 to 64 characters, digits in components parted
// by single dots. DICOM PS3.5 9.1. The error does not quote s.
//
// Components with leading zeros pass although the standard forbids them: modalities write them, and a study
// must keep the UIDs that it has.
func CheckUID(s string) error {
	if s == "" {
		return errors.New("UID is empty")
	}
	if len(s) > MaxUID {
		return errors.New("UID has more than 64 characters")
	}
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && digits > 0:
			digits = 0
		default:
			return errors.New("UID is not digits and single dots")
		}
	}
	if digits == 0 {
		return errors.New("UID ends in a dot")
	}
	return nil
}

// DeriveUID names a thing by a tag and the parts that make it what it is: the same arguments give the same
// UID for ever, others another. It is 2.25 and the decimal value of a UUIDv8 (RFC 9562 section 5.8) over
// SHA-256(tag 0x00 part 0x00 part ...); at most 44 characters. No part holds a NUL. DICOM PS3.5 B.2
func DeriveUID(tag string, parts ...string) string {
	h := sha256.New()
	h.Write([]byte(tag))
	for _, p := range parts {
		h.Write([]byte{0})
		h.Write([]byte(p))
	}
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return "2.25." + new(big.Int).SetBytes(u).String()
}
