package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// message is what goes into the primitive: the hash of the canonical SignedInfo, or itself for Ed25519.
func (s scheme) message(w *workspace, signedInfo []byte) []byte {
	if s.hash == 0 {
		return signedInfo
	}
	h := w.hash(s.hash)
	h.Write(signedInfo)
	return h.Sum(w.digest[:0])
}

// verify checks one signature value over a message. The key must be of the family that the algorithm names: an
// RSA key is never tried as anything else, and neither padding as the other.
func (s scheme) verify(key crypto.PublicKey, message, value []byte, der bool) error {
	valid := false
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("RSA key of %d bits: %w", bits, ErrAlgorithm)
		}
		switch s.family {
		case familyRSA:
			valid = rsa.VerifyPKCS1v15(k, s.hash, message, value) == nil
		case familyPSS:
			valid = rsa.VerifyPSS(k, s.hash, message, value, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		default:
			return fmt.Errorf("RSA key: %w", ErrAlgorithm)
		}
	case *ecdsa.PublicKey:
		size := coordinateSize(k.Curve)
		if s.family != familyECDSA || size == 0 {
			return fmt.Errorf("ECDSA key: %w", ErrAlgorithm)
		}
		var buffer [2*48 + 9]byte
		// RFC 4050, section 3.3: r and s, each as long as the order of the curve.
		if len(value) == 2*size {
			valid = ecdsa.VerifyASN1(k, message, appendDER(buffer[:0], value[:size], value[size:]))
		}
		if !valid && der {
			valid = ecdsa.VerifyASN1(k, message, value)
		}
	case ed25519.PublicKey:
		if s.family != familyEd25519 || len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key: %w", ErrAlgorithm)
		}
		valid = ed25519.Verify(k, message, value)
	default:
		return fmt.Errorf("key of type %T: %w", key, ErrAlgorithm)
	}
	if !valid {
		return ErrSignature
	}
	return nil
}

// coordinateSize returns the bytes of r, and of s, on the curves that are accepted, and 0 on others.
func coordinateSize(c elliptic.Curve) int {
	switch c {
	case elliptic.P256():
		return 32
	case elliptic.P384():
		return 48
	}
	return 0
}

// appendDER writes r and s, big-endian, as the SEQUENCE of two INTEGERs that crypto/ecdsa reads. They have 48
// bytes at most, so every length fits one byte.
func appendDER(dst []byte, r, s []byte) []byte {
	start := len(dst)
	dst = append(dst, 0x30, 0)
	for _, n := range [2][]byte{r, s} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		length := byte(len(n))
		if n[0]&0x80 != 0 {
			dst = append(dst, 0x02, length+1, 0)
		} else {
			dst = append(dst, 0x02, length)
		}
		dst = append(dst, n...)
	}
	dst[start+1] = byte(len(dst) - start - 2)
	return dst
}

// fixedLength turns the DER that crypto.Signer returns into r and s side by side.
func fixedLength(der []byte, size int) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("signing: key returned no DER signature: %w", ErrSignature)
	}
	if v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 8*size || v.S.BitLen() > 8*size {
		return nil, fmt.Errorf("signing: key returned a signature for another curve: %w", ErrSignature)
	}
	value := make([]byte, 2*size)
	v.R.FillBytes(value[:size])
	v.S.FillBytes(value[size:])
	return value, nil
}
