package dimse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"collimate/dicom"
)

// errProtocol is a peer that does not speak as PS3.7 and PS3.8 say.
var errProtocol = errors.New("the peer does not keep to the protocol")

// PDU types. PS3.8 9.3.1
const (
	pduRequest        = 1
	pduAccept         = 2
	pduReject         = 3
	pduData           = 4
	pduReleaseRequest = 5
	pduReleaseReply   = 6
	pduAbort          = 7
)

// Item types within negotiation. PS3.8 9.3.2, PS3.7 D.3.3
const (
	itemApplication  = 0x10
	itemProposed     = 0x20
	itemAccepted     = 0x21
	itemAbstract     = 0x30
	itemSyntax       = 0x40
	itemUser         = 0x50
	itemMaxLength    = 0x51
	itemClass        = 0x52
	itemRole         = 0x54
	itemVersion      = 0x55
	applicationName  = "1.2.840.10008.3.1.1.1" // PS3.7 A.2.1
	resultAcceptance = 0
	resultNoAbstract = 3
	resultNoSyntax   = 4
)

// presentation is a presentation context: what is spoken of, and how it is encoded.
type presentation struct {
	id       byte
	abstract string
	syntaxes []string // proposed; or the one that was accepted
	result   byte
	provide  bool // the requestor asks to be sent this, as C-GET needs
}

// negotiation is the body of an A-ASSOCIATE-RQ and -AC.
type negotiation struct {
	called, calling string
	contexts        []presentation
	maxLength       uint32 // of P-DATA PDUs that the sender of this takes; 0 for any
}

func appendItem(b []byte, kind byte, value []byte) []byte {
	b = append(b, kind, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// encode writes a request, or an acceptance.
func (n *negotiation) encode(kind byte) []byte {
	b := []byte{0, 1, 0, 0}
	b = fmt.Appendf(b, "%-16.16s%-16.16s", n.called, n.calling)
	b = append(b, make([]byte, 32)...)
	b = appendItem(b, itemApplication, []byte(applicationName))
	user := appendItem(nil, itemMaxLength, binary.BigEndian.AppendUint32(nil, maxPDU))
	user = appendItem(user, itemClass, []byte(dicom.ImplementationClassUID))
	roles := make(map[string]bool)
	for _, c := range n.contexts {
		item := []byte{c.id, 0, c.result, 0}
		if kind == pduRequest {
			item = appendItem(item, itemAbstract, []byte(c.abstract))
		}
		for _, s := range c.syntaxes {
			item = appendItem(item, itemSyntax, []byte(s))
		}
		if kind == pduRequest {
			b = appendItem(b, itemProposed, item)
		} else {
			b = appendItem(b, itemAccepted, item)
		}
		if c.provide && !roles[c.abstract] {
			roles[c.abstract] = true
			role := binary.BigEndian.AppendUint16(nil, uint16(len(c.abstract)))
			role = append(append(role, c.abstract...), 0, 1) // not the user, the provider of the service
			user = appendItem(user, itemRole, role)
		}
	}
	user = appendItem(user, itemVersion, []byte(dicom.ImplementationVersionName))
	return appendItem(b, itemUser, user)
}

// eachItem calls do with each item of b.
func eachItem(b []byte, do func(kind byte, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return fmt.Errorf("%w: half an item", errProtocol)
		}
		n := 4 + int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) {
			return fmt.Errorf("%w: an item that is longer than what holds it", errProtocol)
		}
		if err := do(b[0], b[4:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// decodeNegotiation reads a request or an acceptance. Items that it does not know are passed over, as PS3.8 asks.
func decodeNegotiation(b []byte) (*negotiation, error) {
	if len(b) < 68 {
		return nil, fmt.Errorf("%w: a negotiation of %d bytes", errProtocol, len(b))
	}
	if binary.BigEndian.Uint16(b)&1 == 0 {
		return nil, fmt.Errorf("%w: another version of the protocol", errProtocol)
	}
	n := &negotiation{called: strings.Trim(string(b[4:20]), " \x00"), calling: strings.Trim(string(b[20:36]), " \x00")}
	return n, eachItem(b[68:], func(kind byte, value []byte) error {
		switch kind {
		case itemProposed, itemAccepted:
			return n.decodeContext(value)
		case itemUser:
			return eachItem(value, func(kind byte, value []byte) error {
				if kind == itemMaxLength && len(value) == 4 {
					n.maxLength = binary.BigEndian.Uint32(value)
				}
				return nil
			})
		}
		return nil
	})
}

func (n *negotiation) decodeContext(b []byte) error {
	if len(b) < 4 || len(n.contexts) == maxContexts {
		return fmt.Errorf("%w: half a presentation context, or too many", errProtocol)
	}
	c := presentation{id: b[0], result: b[2]}
	err := eachItem(b[4:], func(kind byte, value []byte) error {
		name := strings.TrimRight(string(value), "\x00 ")
		switch {
		case kind != itemAbstract && kind != itemSyntax:
		case name == "" && kind == itemSyntax: // of a context that was refused
		case dicom.CheckUID(name) != nil:
			return fmt.Errorf("%w: a presentation context with something other than UIDs", errProtocol)
		case kind == itemAbstract:
			c.abstract = name
		default:
			c.syntaxes = append(c.syntaxes, name)
		}
		return nil
	})
	n.contexts = append(n.contexts, c)
	return err
}

// writePDU writes a PDU in one piece.
func writePDU(w io.Writer, kind byte, body []byte) error {
	b := make([]byte, 6, 6+len(body))
	b[0] = kind
	binary.BigEndian.PutUint32(b[2:], uint32(len(body)))
	_, err := w.Write(append(b, body...))
	return err
}

// readHead reads type and length of a PDU.
func readHead(r io.Reader) (kind byte, length uint32, err error) {
	var b [6]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, 0, err
	}
	return b[0], binary.BigEndian.Uint32(b[2:]), nil
}

// readNegotiation reads the PDU that opens an association, of either side.
func readNegotiation(r io.Reader) (kind byte, body []byte, err error) {
	kind, length, err := readHead(r)
	if err != nil {
		return 0, nil, err
	}
	if length > maxNegotiation || kind < pduRequest || kind > pduAbort {
		return 0, nil, fmt.Errorf("%w: a PDU of type %d with %d bytes at the start", errProtocol, kind, length)
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return kind, body, err
}
