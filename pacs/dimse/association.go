package dimse

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errReleased is an association that the peer has ended in good order.
var errReleased = errors.New("the peer has ended the association")

// association is an open association. One goroutine at a time uses it.
type association struct {
	conn     *conn
	r        *bufio.Reader
	contexts map[byte]presentation // accepted ones, each with its one transfer syntax
	maxSend  int                   // bytes of a PDU behind its head
	message  uint16                // the last message id
	out      []byte                // a PDU being written

	pdu  uint32 // bytes left of the P-DATA PDU
	pdv  uint32 // bytes left of the PDV
	flag byte   // of the PDV
	id   byte   // of its presentation context
}

func newAssociation(c *conn) *association {
	return &association{conn: c, r: bufio.NewReaderSize(c, readBuffer), contexts: make(map[byte]presentation)}
}

// agree takes over what was negotiated.
func (a *association) agree(peerMax uint32) {
	a.maxSend = maxSend
	if peerMax > 0 {
		a.maxSend = int(min(peerMax, maxSend))
	}
}

// find returns an accepted context of an abstract syntax.
func (a *association) find(abstract string) (presentation, error) {
	for id := 1; id < 256; id += 2 {
		if c, ok := a.contexts[byte(id)]; ok && c.abstract == abstract {
			return c, nil
		}
	}
	return presentation{}, errors.New("the PACS does not offer this service to us: let it know our AE title")
}

func (a *association) nextID() uint16 {
	a.message++
	return a.message
}

// send writes a command, and data behind it if it is not nil, in as few pieces as the peer's PDU length allows.
func (a *association) send(c presentation, cmd command, data []byte) error {
	cmd[dataSetType] = number(noDataSet)
	if data != nil {
		cmd[dataSetType] = number(withDataSet)
	}
	a.out = a.out[:0]
	a.append(c.id, 1, cmd.encode())
	if data != nil {
		a.append(c.id, 0, data)
	}
	_, err := a.conn.Write(a.out)
	return err
}

// append appends b as P-DATA PDUs.
func (a *association) append(id, kind byte, b []byte) {
	for {
		n := min(len(b), a.maxSend-6)
		flag := kind
		if n == len(b) {
			flag |= 2
		}
		a.out = append(a.out, pduData, 0)
		a.out = binary.BigEndian.AppendUint32(a.out, uint32(n)+6)
		a.out = binary.BigEndian.AppendUint32(a.out, uint32(n)+2)
		a.out = append(append(a.out, id, flag), b[:n]...)
		if b = b[n:]; flag&2 != 0 {
			return
		}
	}
}

// next goes to the next PDV.
func (a *association) next() error {
	for a.pdu == 0 {
		kind, length, err := readHead(a.r)
		if err == io.EOF {
			return errors.New("the peer has closed the connection within the association")
		} else if err != nil {
			return err
		}
		switch {
		case kind == pduData && length <= maxPDU:
			a.pdu = length
		case kind == pduReleaseRequest && length == 4:
			if _, err := a.r.Discard(4); err != nil {
				return err
			}
			writePDU(a.conn, pduReleaseReply, make([]byte, 4)) // the peer may be gone
			return errReleased
		case kind == pduReleaseReply && length == 4:
			return errReleased
		case kind == pduAbort && length == 4:
			return errors.New("the peer has aborted the association")
		default:
			return fmt.Errorf("%w: a PDU of type %d with %d bytes", errProtocol, kind, length)
		}
	}
	var b [6]byte
	if a.pdu < 6 {
		return fmt.Errorf("%w: half a PDV", errProtocol)
	}
	if _, err := io.ReadFull(a.r, b[:]); err != nil {
		return broken(err)
	}
	length := binary.BigEndian.Uint32(b[:])
	if length < 2 || length > a.pdu-4 {
		return fmt.Errorf("%w: a PDV that is longer than its PDU", errProtocol)
	}
	a.pdu -= 4 + length
	a.pdv, a.id, a.flag = length-2, b[4], b[5]
	return nil
}

// broken makes the end of the stream an error.
func broken(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// receive returns the next command and its context. If hasData, data yields what follows and must be read to its end
// before anything else is received.
func (a *association) receive() (cmd command, c presentation, hasData bool, err error) {
	var b []byte
	for {
		if err := a.next(); err != nil {
			return nil, presentation{}, false, err
		}
		if a.flag&1 == 0 {
			return nil, presentation{}, false, fmt.Errorf("%w: data without a command", errProtocol)
		}
		if len(b)+int(a.pdv) > maxCommand {
			return nil, presentation{}, false, fmt.Errorf("%w: a command of more than %d bytes", errProtocol, maxCommand)
		}
		at := len(b)
		b = append(b, make([]byte, a.pdv)...)
		if _, err := io.ReadFull(a.r, b[at:]); err != nil {
			return nil, presentation{}, false, broken(err)
		}
		a.pdv = 0
		if a.flag&2 != 0 {
			break
		}
	}
	c, ok := a.contexts[a.id]
	if !ok {
		return nil, presentation{}, false, fmt.Errorf("%w: a presentation context that was not accepted", errProtocol)
	}
	cmd, err = decodeCommand(b)
	return cmd, c, err == nil && cmd.number(dataSetType) != noDataSet, err
}

// data returns the data set behind the command that was received.
func (a *association) data(c presentation) *dataSet { return &dataSet{a: a, id: c.id} }

// dataSet reads the PDVs of a data set.
type dataSet struct {
	a       *association
	id      byte
	started bool
	err     error
}

func (d *dataSet) Read(b []byte) (int, error) {
	if d.err != nil || len(b) == 0 {
		return 0, d.err
	}
	for !d.started || d.a.pdv == 0 {
		if d.started && d.a.flag&2 != 0 {
			d.err = io.EOF
			return 0, d.err
		}
		d.err = d.a.next()
		if d.err == nil && (d.a.flag&1 != 0 || d.a.id != d.id) {
			d.err = fmt.Errorf("%w: a command within a data set", errProtocol)
		} else if errors.Is(d.err, errReleased) {
			d.err = fmt.Errorf("%w: a release within a data set", errProtocol)
		}
		if d.err != nil {
			return 0, d.err
		}
		d.started = true
	}
	n, err := d.a.r.Read(b[:min(uint32(min(len(b), maxPDU)), d.a.pdv)])
	d.a.pdv -= uint32(n)
	if err != nil {
		d.err = broken(err)
	}
	return n, d.err
}

// release ends the association in good order.
func (a *association) release() {
	if writePDU(a.conn, pduReleaseRequest, make([]byte, 4)) == nil {
		a.next() // whatever it is, it is over
	}
	a.conn.Close()
}

// abort ends it at once. PS3.8 9.3.8
func (a *association) abort() {
	writePDU(a.conn, pduAbort, make([]byte, 4))
	a.conn.Close()
}

// reject is an association that was not granted. PS3.8 9.3.4
type reject struct{ result, source, reason byte }

// Error says what an operator can do.
func (r reject) Error() string {
	why := fmt.Sprintf("source %d, reason %d", r.source, r.reason)
	switch {
	case r.source == 1 && r.reason == 3:
		why = "it does not know our AE title"
	case r.source == 1 && r.reason == 7:
		why = "it has another AE title than the one we call"
	case r.source == 3:
		why = "it is busy"
	}
	return "the PACS rejects the association: " + why
}

// request opens an association over c.
func request(ctx context.Context, c *conn, n *negotiation) (*association, error) {
	stop := c.until(ctx)
	defer stop()
	a := newAssociation(c)
	if err := writePDU(c, pduRequest, n.encode(pduRequest)); err != nil {
		return nil, err
	}
	kind, body, err := readNegotiation(a.r)
	if err != nil {
		return nil, broken(err)
	}
	switch {
	case kind == pduReject && len(body) == 4:
		return nil, reject{body[1], body[2], body[3]}
	case kind != pduAccept:
		return nil, fmt.Errorf("%w: a PDU of type %d in answer to a request", errProtocol, kind)
	}
	granted, err := decodeNegotiation(body)
	if err != nil {
		return nil, err
	}
	for _, got := range granted.contexts {
		for _, asked := range n.contexts {
			if got.id == asked.id && got.result == resultAcceptance && len(got.syntaxes) == 1 {
				asked.syntaxes = got.syntaxes
				a.contexts[got.id] = asked
			}
		}
	}
	a.agree(granted.maxLength)
	return a, nil
}
