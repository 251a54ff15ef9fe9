package soap

import (
	"io"

	"collimate/soap/mtom"
	"collimate/xmlsec"
)

// EnvelopeSigner makes the wsse:Security header of an outgoing envelope.
type EnvelopeSigner interface {
	// SecurityHeader gets a serialised envelope without a wsse:Security header, whose Body and addressing
	// headers carry the wsu:Id attributes in ids. It returns the serialised wsse:Security element, with all
	// its namespaces declared in itself; it becomes the last child of the Header.
	SecurityHeader(envelope []byte, ids []string) ([]byte, error)
}

// The wsu:Id attributes of an envelope that is to be signed.
const (
	idTo        = "id-to"
	idAction    = "id-action"
	idMessageID = "id-messageid"
	idRelatesTo = "id-relatesto"
	idFrom      = "id-from"
	idReplyTo   = "id-replyto"
	idFaultTo   = "id-faultto"
	idBody      = "id-body"
)

// Envelope is a message to be sent.
type Envelope struct {
	// Action is required. The others are addresses; an empty one is left out. From, ReplyTo and FaultTo become
	// endpoint references with an address and nothing else.
	Action, To, MessageID, RelatesTo, From, ReplyTo, FaultTo string
	// Payload is the child of Body, serialised, with all its namespaces declared in itself.
	Payload []byte
	// MTOM selects the packaging.
	MTOM bool
	// Attachments yields the attachments of a request in MTOM one after the other, and io.EOF at the end; nil if
	// there are none. The bytes of each are read before it is called again.
	Attachments func() (mtom.Part, io.Reader, error)

	blocks []byte // further header blocks, which are never signed: those that go with a fault
}

// Marshal serialises the envelope, with a wsse:Security header if signer is not nil. The namespaces of the
// envelope are declared at its root, and nothing stands between the elements.
func (e *Envelope) Marshal(signer EnvelopeSigner) ([]byte, error) {
	b := make([]byte, 0, 1024+len(e.Payload))
	b = append(b, `<soap:Envelope xmlns:soap="`+NSEnvelope+`" xmlns:wsa="`+NSAddressing+`"`...)
	if signer != nil {
		b = append(b, ` xmlns:wsu="`+NSUtility+`"`...)
	}
	b = append(b, `><soap:Header>`...)
	w := envelopeWriter{signed: signer != nil}
	// wsa:Action SHALL be understood; on ReplyTo the mark makes toolkits choke. ITI TF-2: V.3.2.2
	b = w.header(b, "Action", ` soap:mustUnderstand="true"`, idAction, e.Action)
	b = w.header(b, "MessageID", "", idMessageID, e.MessageID)
	b = w.header(b, "RelatesTo", "", idRelatesTo, e.RelatesTo)
	b = w.header(b, "To", "", idTo, e.To)
	b = w.endpoint(b, "From", idFrom, e.From)
	b = w.endpoint(b, "ReplyTo", idReplyTo, e.ReplyTo)
	b = w.endpoint(b, "FaultTo", idFaultTo, e.FaultTo)
	b = append(b, e.blocks...)
	endOfHeader := len(b)
	b = append(b, `</soap:Header><soap:Body`...)
	b = w.id(b, idBody)
	b = append(b, '>')
	b = append(b, e.Payload...)
	b = append(b, `</soap:Body></soap:Envelope>`...)
	if signer == nil {
		return b, nil
	}
	security, err := signer.SecurityHeader(b, w.ids)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(b)+len(security))
	out = append(out, b[:endOfHeader]...)
	out = append(out, security...)
	return append(out, b[endOfHeader:]...), nil
}

// envelopeWriter remembers which wsu:Id attributes it has written.
type envelopeWriter struct {
	signed bool
	ids    []string
}

func (w *envelopeWriter) id(b []byte, id string) []byte {
	if !w.signed {
		return b
	}
	w.ids = append(w.ids, id)
	return append(b, ` wsu:Id="`+id+`"`...)
}

func (w *envelopeWriter) header(b []byte, name, attributes, id, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, `<wsa:`+name+attributes...)
	b = w.id(b, id)
	b = append(b, '>')
	b = xmlsec.EscapeText(b, value)
	return append(b, `</wsa:`+name+`>`...)
}

// endpoint writes an endpoint reference. WS-Addressing Core 1.0 section 2.1
func (w *envelopeWriter) endpoint(b []byte, name, id, address string) []byte {
	if address == "" {
		return b
	}
	b = append(b, `<wsa:`+name...)
	b = w.id(b, id)
	b = append(b, `><wsa:Address>`...)
	b = xmlsec.EscapeText(b, address)
	return append(b, `</wsa:Address></wsa:`+name+`>`...)
}
