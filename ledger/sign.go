package ledger

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"io"

	"github.com/veraison/go-cose"
)

// Sign encodes and signs a body for one chain. It refuses a body that Parse would refuse. Lists whose order has
// no meaning are put in order first. rand is what the key's own Sign asks for; Ed25519, which always makes the
// same signature, and ECDSA, which never does, take nil too.
func Sign(rand io.Reader, chainID string, body Body, key crypto.Signer) ([]byte, error) {
	pub := key.Public()
	alg, err := algorithmOf(pub)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encoding the signer's key: %w", err)
	}
	if err := checkChainID(chainID); err != nil {
		return nil, err
	}
	body = body.canonical()
	if err := body.validate(); err != nil {
		return nil, err
	}
	with, err := cose.NewSigner(alg, key)
	if err != nil {
		return nil, fmt.Errorf("preparing to sign: %w", err)
	}
	m := cose.NewSign1Message()
	m.Headers.Protected.SetAlgorithm(alg)
	m.Headers.Protected[labelSPKI] = spki
	m.Payload = encode(payload{Kind: body.Kind(), Body: encode(body)})
	if err := m.Sign(rand, context(chainID), with); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	normalise(pub, m.Signature)
	raw, err := m.MarshalCBOR()
	if err != nil {
		return nil, fmt.Errorf("encoding the signed message: %w", err)
	}
	if len(raw) > MaxTxBytes {
		return nil, malformed(CodeTooLarge, nil, "the transaction has %d bytes, at most %d are allowed", len(raw), MaxTxBytes)
	}
	return raw, nil
}
