package ledger

import "collimate/keys"

// Unsigned returns what Parse would return for a body signed by a key, without the cost of the signature: for
// tests of many transactions that are not about signatures.
func Unsigned(chainID string, by keys.ID, body Body) (*Transaction, error) {
	body = body.canonical()
	body, err := parsePayload(encode(payload{Kind: body.Kind(), Body: encode(body)}))
	if err != nil {
		return nil, err
	}
	return &Transaction{Signer: by, Body: body, chainID: chainID}, nil
}

// Encode encodes a record as the state holds it.
func Encode(record any) []byte { return encode(record) }

// Payload returns the payload of a body as it is, in order and in bounds or not.
func Payload(body Body) []byte { return encode(payload{Kind: body.Kind(), Body: encode(body)}) }
