package dimse

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// element is the lower half of a tag of group 0000. PS3.7 E.1
type element uint16

const (
	groupLength         element = 0x0000
	affectedClass       element = 0x0002
	commandField        element = 0x0100
	messageID           element = 0x0110
	respondedTo         element = 0x0120
	moveDestination     element = 0x0600
	priority            element = 0x0700
	dataSetType         element = 0x0800
	status              element = 0x0900
	errorComment        element = 0x0902
	affectedInstance    element = 0x1000
	moveOriginatorID    element = 0x1031
	completedSubOps     element = 0x1021
	failedSubOps        element = 0x1022
	warningSubOps       element = 0x1023
	noDataSet                   = 0x0101 // a value of dataSetType
	withDataSet                 = 0x0001
	responseBit                 = 0x8000 // of commandField
	cStoreRQ                    = 0x0001
	cGetRQ                      = 0x0010
	cFindRQ                     = 0x0020
	cMoveRQ                     = 0x0021
	cEchoRQ                     = 0x0030
	cCancelRQ                   = 0x0fff
	statusSuccess               = 0x0000
	statusPending               = 0xff00
	statusPendingNote           = 0xff01
	statusDuplicate             = 0x0111
	statusNotAuthorized         = 0x0124
	statusUnknownOp             = 0x0211
	statusNoResources           = 0xa700
	statusMismatch              = 0xa900
	statusNotUnderstood         = 0xc000
	statusOtherPatient          = 0xc001 // ours, as errorComment says. PS3.4 B.2.3
)

// command is a command set.
type command map[element][]byte

func number(v uint16) []byte { return binary.LittleEndian.AppendUint16(nil, v) }

// text is padded to an even length by pad: NUL for UIDs, a space for the rest.
func text(s string, pad byte) []byte {
	b := []byte(s)
	if len(b)%2 == 1 {
		b = append(b, pad)
	}
	return b
}

func uid(s string) []byte { return text(s, 0) }

func (c command) number(e element) uint16 {
	if b := c[e]; len(b) == 2 {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c command) text(e element) string { return strings.TrimRight(string(c[e]), "\x00 ") }

// encode writes the elements in order, behind their length.
func (c command) encode() []byte {
	b := make([]byte, 12, 256)
	binary.LittleEndian.PutUint32(b[4:], 4)
	keys := make([]element, 0, len(c))
	for e := range c {
		keys = append(keys, e)
	}
	slices.Sort(keys)
	for _, e := range keys {
		b = append(b, 0, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(e))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(c[e])))
		b = append(b, c[e]...)
	}
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-12))
	return b
}

// decodeCommand reads a command set.
func decodeCommand(b []byte) (command, error) {
	c := make(command)
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, fmt.Errorf("%w: a command that ends within an element", errProtocol)
		}
		group, e, n := binary.LittleEndian.Uint16(b), element(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
		if uint64(n) > uint64(len(b)-8) {
			return nil, fmt.Errorf("%w: a command with an element that is longer than the rest", errProtocol)
		}
		// QUIRK: Orthanc 1.10 puts the UIDs that it failed to send, (0008,0058), into the command.
		if group == 0 {
			if _, twice := c[e]; twice {
				return nil, fmt.Errorf("%w: a command with an element that stands twice", errProtocol)
			}
			c[e] = b[8 : 8+n]
		}
		b = b[8+n:]
	}
	delete(c, groupLength)
	return c, nil
}

// statusError is a message answered with something other than success.
type statusError uint16

// Error returns the status as the standard writes it. PS3.7 C and PS3.4 C.4
func (e statusError) Error() string {
	return fmt.Sprintf("the PACS answers with status %04X", uint16(e))
}
