package ledgercmd

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
)

// Blind is the secret of a commitment.
type Blind [32]byte

// NewBlind draws one.
func NewBlind() (b Blind) {
	rand.Read(b[:]) // never fails: crypto/rand
	return b
}

// MarshalText writes 64 hexadecimal digits.
func (b Blind) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b[:])), nil }

// UnmarshalText reads them.
func (b *Blind) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(b) {
		return errors.New("a blind is 64 hexadecimal digits")
	}
	copy(b[:], raw)
	return nil
}
