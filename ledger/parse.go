package ledger

import (
	"bytes"
	"crypto/sha256"

	"github.com/veraison/go-cose"

	"collimate/keys"
)

// Parse decodes a transaction and verifies its signature for one chain. Any error is a *SyntaxError. The
// cheap checks come first, so that garbage costs no signature verification. Parse does not change raw and keeps a
// reference to it.
func Parse(chainID string, raw []byte) (*Transaction, error) {
	if len(raw) > MaxTxBytes {
		return nil, malformed(CodeTooLarge, nil, "the transaction has %d bytes, at most %d are allowed", len(raw), MaxTxBytes)
	}
	e, err := parseEnvelope(raw)
	if err != nil {
		return nil, err
	}
	body, err := parsePayload(e.Payload)
	if err != nil {
		return nil, err
	}
	spki, err := verify(chainID, e)
	if err != nil {
		return nil, err
	}
	return &Transaction{
		ID:      sha256.Sum256(raw),
		Raw:     raw,
		Signer:  keys.IDOfSPKI(spki),
		Body:    body,
		chainID: chainID,
	}, nil
}

// parseEnvelope decodes a COSE_Sign1_Tagged message. RFC 9052 section 4.2
func parseEnvelope(raw []byte) (*envelope, error) {
	if len(raw) == 0 || raw[0] != tagSign1 {
		return nil, malformed(CodeMalformed, nil, "not a tagged COSE_Sign1 message")
	}
	var e envelope
	if err := decodeExact(raw[1:], &e, "message"); err != nil {
		return nil, err
	}
	switch {
	case !bytes.Equal(e.Unprotected, emptyMap):
		return nil, malformed(CodeMalformed, nil, "the unprotected header is not an empty map")
	case len(e.Protected) == 0, len(e.Payload) == 0, len(e.Signature) == 0:
		return nil, malformed(CodeMalformed, nil, "protected header, payload or signature is empty")
	case len(e.Signature) > maxSignatureBytes:
		return nil, outOfBounds("the signature has %d bytes, at most %d are allowed", len(e.Signature), maxSignatureBytes)
	}
	return &e, nil
}

// parsePayload decodes the kind and the body, and applies the rules that need no state.
func parsePayload(b []byte) (Body, error) {
	var p payload
	if err := decodeExact(b, &p, "payload"); err != nil {
		return nil, err
	}
	body, err := parseBody(p.Kind, p.Body)
	if err != nil {
		return nil, err
	}
	return body, body.validate()
}

// parseBody is the table of the kinds of transactions.
func parseBody(kind Kind, b []byte) (Body, error) {
	switch kind {
	case KindDefineSource:
		return decodeBody[DefineSource](b)
	case KindUpdateSource:
		return decodeBody[UpdateSource](b)
	case KindRotateKey:
		return decodeBody[RotateKey](b)
	case KindBond:
		return decodeBody[Bond](b)
	case KindUnbond:
		return decodeBody[Unbond](b)
	case KindSetParams:
		return decodeBody[SetParams](b)
	case KindUnjail:
		return decodeBody[Unjail](b)
	case KindAnchorReceipts:
		return decodeBody[AnchorReceipts](b)
	case KindDefineStudy:
		return decodeBody[DefineStudy](b)
	case KindAmendStudy:
		return decodeBody[AmendStudy](b)
	case KindHoldStudy:
		return decodeBody[HoldStudy](b)
	case KindWithdrawStudy:
		return decodeBody[WithdrawStudy](b)
	case KindTransferStudy:
		return decodeBody[TransferStudy](b)
	case KindAllowAccess:
		return decodeBody[AllowAccess](b)
	case KindRevokeAccess:
		return decodeBody[RevokeAccess](b)
	case KindSetGuardians:
		return decodeBody[SetGuardians](b)
	case KindRecover:
		return decodeBody[Recover](b)
	case KindCancelRecovery:
		return decodeBody[CancelRecovery](b)
	case KindEmergencyAccess:
		return decodeBody[EmergencyAccess](b)
	}
	return nil, malformed(CodeUnknownKind, nil, "no such kind of transaction")
}

func decodeBody[B Body](b []byte) (Body, error) {
	var body B
	if err := decodeExact(b, &body, string(body.Kind())+" body"); err != nil {
		return nil, err
	}
	return body, nil
}

// verify checks the signature and returns the signer's SubjectPublicKeyInfo.
func verify(chainID string, e *envelope) ([]byte, error) {
	if err := checkChainID(chainID); err != nil {
		return nil, err
	}
	var h protectedHeader
	if err := decodeExact(e.Protected, &h, "protected header"); err != nil {
		return nil, err
	}
	if len(h.SPKI) > maxSPKIBytes {
		return nil, outOfBounds("the signer's key has %d bytes, at most %d are allowed", len(h.SPKI), maxSPKIBytes)
	}
	pub, alg, err := parseSPKI(h.SPKI)
	if err != nil {
		return nil, malformed(CodeUnsupportedKey, err, "reading the signer's key")
	}
	if h.Algorithm != alg {
		return nil, malformed(CodeUnsupportedKey, nil, "the algorithm %d is not the %d of the signer's key", h.Algorithm, alg)
	}
	if err := checkForm(pub, e.Signature); err != nil {
		return nil, malformed(CodeBadSignature, err, "checking the form of the signature")
	}
	with, err := cose.NewVerifier(alg, pub)
	if err != nil {
		return nil, malformed(CodeUnsupportedKey, err, "preparing to verify")
	}
	m := cose.Sign1Message{
		Headers: cose.Headers{
			RawProtected: encode(e.Protected),
			Protected:    cose.ProtectedHeader{cose.HeaderLabelAlgorithm: alg},
		},
		Payload:   e.Payload,
		Signature: e.Signature,
	}
	if err := m.Verify(context(chainID), with); err != nil {
		return nil, malformed(CodeBadSignature, err, "verifying the signature for this chain")
	}
	return h.SPKI, nil
}
