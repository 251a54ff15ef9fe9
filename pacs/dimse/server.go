package dimse

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

// Sink takes the instances that come in; pacs/fs is one.
type Sink interface {
	// Receive reads a Part 10 file to its end and keeps it, durably, before it returns. pacs.ErrConflict,
	// pacs.ErrOtherPatient and pacs.ErrUnfit tell the sender what is wrong with it; any other error is taken as ours.
	Receive(ctx context.Context, file io.Reader) error
}

// Peer is someone who may open associations.
type Peer struct {
	AETitle string
	// Networks are where it calls from.
	Networks []netip.Prefix
}

// ServerConfig says who may send what to us.
type ServerConfig struct {
	AETitle string // ours; who calls another is rejected
	Peers   []Peer
	// Sink takes what comes unasked; nil refuses it, and only what a Client has asked for by C-MOVE is taken.
	Sink Sink
	// TLS holds our certificate, and asks for those of the peers if it says so; nil for none.
	TLS *tls.Config
	// Associations bounds those open at once; 0 for 16.
	Associations int
	// Idle is how long a peer may be silent; 0 for a minute.
	Idle time.Duration
	Log  *slog.Logger
}

// Validate reports all that is wrong.
func (c *ServerConfig) Validate() error {
	var errs []error
	if err := checkAE(c.AETitle); err != nil {
		errs = append(errs, fmt.Errorf("our AE title: %w", err))
	}
	for n, p := range c.Peers {
		if err := checkAE(p.AETitle); err != nil {
			errs = append(errs, fmt.Errorf("the AE title of peer %d: %w", n+1, err))
		}
		if len(p.Networks) == 0 {
			errs = append(errs, fmt.Errorf("peer %d has no network that it may call from", n+1))
		}
	}
	if c.Associations < 0 || c.Idle < 0 {
		errs = append(errs, errors.New("a limit is negative"))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("no log"))
	}
	return errors.Join(errs...)
}

// Server answers C-ECHO and takes C-STORE.
type Server struct {
	config ServerConfig
	slots  chan struct{}

	moves   atomic.Uint32 // asked for by Clients so far
	mu      sync.Mutex
	waiting map[string][]*expected // by SOP Instance UID
}

// NewServer makes a Server; Serve runs it.
func NewServer(c ServerConfig) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("DIMSE: %w", err)
	}
	if c.Associations == 0 {
		c.Associations = defaultAssociations
	}
	if c.Idle == 0 {
		c.Idle = defaultIdle
	}
	return &Server{config: c, slots: make(chan struct{}, c.Associations), waiting: make(map[string][]*expected)}, nil
}

// Serve accepts associations until ctx ends, and returns when all have ended. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	for {
		raw, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil { // out of files, most likely; it passes
			s.config.Log.Warn("accepting a DICOM connection", "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case s.slots <- struct{}{}:
		default: // one too many gets a moment to hear it, and no goroutine may pile up
			raw.Close()
			s.config.Log.Warn("too many DICOM associations", "limit", cap(s.slots))
			continue
		}
		wg.Go(func() {
			defer func() { <-s.slots }()
			s.handle(ctx, raw)
		})
	}
}

// handle runs one association.
func (s *Server) handle(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	log := s.config.Log.With("peer", raw.RemoteAddr().String())
	defer func() { // a stranger's bytes must not end the gateway
		if r := recover(); r != nil {
			log.Error("a fault in a DICOM association", "fault", fmt.Sprint(r))
		}
	}()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	address := raw.RemoteAddr()
	raw.SetDeadline(time.Now().Add(connectTimeout))
	if s.config.TLS != nil {
		secure := tls.Server(raw, s.config.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			log.Warn("a DICOM connection without TLS as we want it", "error", err)
			return
		}
		raw = secure
	}
	a, n, err := s.accept(newConn(raw, connectTimeout), address)
	if err != nil {
		log.Warn("no DICOM association", "error", err)
		return
	}
	raw.SetDeadline(time.Time{})
	a.conn.idle = s.config.Idle
	stored, err := s.serve(ctx, a)
	if !errors.Is(err, errReleased) {
		a.abort()
		log.Warn("a DICOM association has failed", "ae", n.calling, "stored", stored, "error", err)
		return
	}
	log.Info("a DICOM association has ended", "ae", n.calling, "stored", stored)
}

// accept negotiates.
func (s *Server) accept(c *conn, address net.Addr) (*association, *negotiation, error) {
	a := newAssociation(c)
	kind, body, err := readNegotiation(a.r)
	if err != nil {
		return nil, nil, err
	}
	if kind != pduRequest {
		return nil, nil, fmt.Errorf("%w: a PDU of type %d at the start", errProtocol, kind)
	}
	n, err := decodeNegotiation(body)
	if err != nil {
		writePDU(c, pduReject, []byte{0, 1, 1, 1}) // permanent, service user, no reason given
		return nil, nil, err
	}
	if n.called != s.config.AETitle {
		writePDU(c, pduReject, []byte{0, 1, 1, 7})
		return nil, nil, errors.New("it calls another AE title")
	}
	if !s.known(n.calling, address) {
		writePDU(c, pduReject, []byte{0, 1, 1, 3})
		return nil, nil, errors.New("its AE title is not known, or not from this address")
	}
	for k := range n.contexts {
		p := &n.contexts[k]
		p.syntaxes, p.result = choose(p.abstract, p.syntaxes)
		if _, twice := a.contexts[p.id]; twice || p.id%2 == 0 {
			writePDU(c, pduReject, []byte{0, 1, 1, 1})
			return nil, nil, fmt.Errorf("%w: a presentation context number that is even or stands twice", errProtocol)
		}
		if p.result == resultAcceptance {
			a.contexts[p.id] = *p
		}
	}
	a.agree(n.maxLength)
	return a, n, writePDU(c, pduAccept, n.encode(pduAccept))
}

func (s *Server) known(ae string, address net.Addr) bool {
	from, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return false
	}
	for _, p := range s.config.Peers {
		if p.AETitle != ae {
			continue
		}
		for _, network := range p.Networks {
			if network.Contains(from.Addr().Unmap()) {
				return true
			}
		}
	}
	return false
}

// choose takes C-ECHO and all storage classes, also those of vendors, in the transfer syntax that the peer names
// first: it will be the one it stores in.
func choose(abstract string, syntaxes []string) ([]string, byte) {
	refused := []string{dicom.ImplicitVRLittleEndian}
	ours := strings.HasPrefix(abstract, "1.2.840.10008.")
	if abstract != verification && ours && !strings.HasPrefix(abstract, "1.2.840.10008.5.1.4.1.1.") {
		return refused, resultNoAbstract
	}
	for _, s := range syntaxes {
		if s == dicom.ImplicitVRLittleEndian || strings.HasPrefix(s, dicom.ImplicitVRLittleEndian+".") {
			return []string{s}, resultAcceptance
		}
	}
	return refused, resultNoSyntax
}

// serve answers messages until the association ends.
func (s *Server) serve(ctx context.Context, a *association) (stored int, err error) {
	for {
		cmd, p, hasData, err := a.receive()
		if err != nil {
			return stored, err
		}
		field := cmd.number(commandField)
		answer := command{
			affectedClass: cmd[affectedClass], commandField: number(field | responseBit), respondedTo: cmd[messageID],
			status: number(statusSuccess),
		}
		switch {
		case field == cCancelRQ:
			continue // of an operation that is over
		case field == cEchoRQ && !hasData:
		case field == cStoreRQ && hasData && p.abstract != verification:
			code, err := s.store(ctx, a, cmd, p)
			if err != nil {
				return stored, err
			}
			if code == statusSuccess {
				stored++
			}
			answer[status], answer[affectedInstance] = number(code), cmd[affectedInstance]
			if code == statusOtherPatient {
				answer[errorComment] = text("another patient id than the study's: correct and resend", ' ') // at most 64
			}
		default:
			if hasData {
				return stored, fmt.Errorf("%w: a message of type %04X with data", errProtocol, field)
			}
			answer[status] = number(statusUnknownOp)
		}
		if err := a.send(p, answer, nil); err != nil {
			return stored, err
		}
	}
}

// store takes an instance. An error ends the association; a status is for the sender.
func (s *Server) store(ctx context.Context, a *association, cmd command, p presentation) (uint16, error) {
	instance, data := cmd.text(affectedInstance), a.data(p)
	meta, err := dicom.AppendMeta(nil, p.abstract, instance, p.syntaxes[0])
	if err != nil || cmd.text(affectedClass) != p.abstract {
		return statusMismatch, drain(data)
	}
	file := io.MultiReader(bytes.NewReader(meta), data)
	if e := s.claim(instance, cmd.number(moveOriginatorID)); e != nil {
		return statusSuccess, e.deliver(ctx, file)
	}
	if s.config.Sink == nil {
		return statusNotAuthorized, drain(data)
	}
	checked := &matching{r: file, class: p.abstract, instance: instance}
	err = s.config.Sink.Receive(ctx, checked)
	if data.err != nil && data.err != io.EOF {
		return 0, data.err
	}
	switch {
	case err == nil:
		return statusSuccess, drain(data)
	case errors.Is(err, errMismatch):
		return statusMismatch, drain(data)
	case errors.Is(err, pacs.ErrConflict):
		return statusDuplicate, drain(data)
	case errors.Is(err, pacs.ErrOtherPatient):
		s.config.Log.Warn("an instance is refused: it names another patient than the study that it says it is of")
		return statusOtherPatient, drain(data)
	case errors.Is(err, pacs.ErrUnfit):
		return statusNotUnderstood, drain(data)
	}
	s.config.Log.Error("storing an instance", "error", err)
	return statusNoResources, drain(data)
}

// drain reads the rest of a data set, up to a limit.
func drain(data *dataSet) error {
	n, err := io.Copy(io.Discard, io.LimitReader(data, maxDrain))
	if err == nil && n == maxDrain {
		err = fmt.Errorf("an instance that cannot be taken goes on for more than %d bytes", maxDrain)
	}
	return err
}

// errMismatch is a data set that is not what its command says.
var errMismatch = errors.New("the data set is of another SOP instance or class than its command says")

// matching passes a file on whose data set is of the SOP class and instance that its command named, as far as its first
// bytes tell.
type matching struct {
	r               io.Reader
	class, instance string
	looked          bool
}

func (m *matching) Read(b []byte) (int, error) {
	if !m.looked {
		m.looked = true
		start := make([]byte, 16<<10)
		n, err := io.ReadFull(m.r, start)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		start = start[:n]
		if h, err := dicom.ReadHeader(bytes.NewReader(start)); err == nil &&
			(h.Text(dicom.SOPInstanceUID) != m.instance || h.Text(dicom.SOPClassUID) != m.class) {
			return 0, errMismatch
		}
		m.r = io.MultiReader(bytes.NewReader(start), m.r)
	}
	return m.r.Read(b)
}
