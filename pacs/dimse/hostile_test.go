package dimse

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"collimate/dicom"
	"collimate/pacs"
	"collimate/pacs/pacstest/peer"
)

// sink keeps what is received, or refuses it.
type sink struct {
	mu   sync.Mutex
	got  [][]byte
	fail error
}

func (s *sink) Receive(_ context.Context, r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, b)
	return s.fail
}

// serve runs a server that knows PEER on loopback, and returns its address and its log.
func serve(t testing.TB, c ServerConfig) (string, *syncBuffer) {
	t.Helper()
	text := new(syncBuffer)
	c.AETitle, c.Log = "US", slog.New(slog.NewTextHandler(text, nil))
	if c.Peers == nil {
		c.Peers = []Peer{{"PEER", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	}
	s, err := NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := peer.Serve(t, s.Serve)
	return at.String(), text
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

const ctImage = dicom.CTImageStorage

// associate opens an association with CT in explicit VR as context 1 and C-ECHO as 3.
func associate(t testing.TB, address, ae string) (*association, error) {
	t.Helper()
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return request(t.Context(), newConn(raw, 5*time.Second), &negotiation{called: "US", calling: ae, contexts: []presentation{
		{id: 1, abstract: ctImage, syntaxes: []string{dicom.ExplicitVRLittleEndian}},
		{id: 3, abstract: verification, syntaxes: []string{dicom.ImplicitVRLittleEndian}},
		{id: 5, abstract: studyFind, syntaxes: []string{dicom.ImplicitVRLittleEndian}},
		{id: 7, abstract: "1.2.3.4", syntaxes: []string{"1.2.3"}},
	}})
}

// dataSetOf is a data set with the UIDs given.
func dataSetOf(t testing.TB, class, instance string) []byte {
	t.Helper()
	var d dicom.Dataset
	d.Put(dicom.SOPClassUID, class)
	d.Put(dicom.SOPInstanceUID, instance)
	d.Put(dicom.PatientName, "Doe^Jane")
	d.Put(dicom.StudyInstanceUID, "1.2.3")
	d.Put(dicom.SeriesInstanceUID, "1.2.3.4")
	b, err := d.AppendDataSet(nil, dicom.ExplicitVRLittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// store sends an instance and returns the status.
func store(t testing.TB, a *association, class, instance string, data []byte) uint16 {
	t.Helper()
	err := a.send(a.contexts[1], command{
		affectedClass: uid(class), commandField: number(cStoreRQ), messageID: number(a.nextID()), affectedInstance: uid(instance),
	}, data)
	if err != nil {
		t.Fatal(err)
	}
	answer, _, _, err := a.receive()
	if err != nil {
		t.Fatal(err)
	}
	return answer.number(status)
}

func TestStore(t *testing.T) {
	s := &sink{}
	address, log := serve(t, ServerConfig{Sink: s})
	a, err := associate(t, address, "PEER")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := a.contexts[5]; ok || len(a.contexts) != 2 {
		t.Errorf("accepted %v", a.contexts)
	}
	data := dataSetOf(t, ctImage, "1.2.3.4.5")
	data = append(data, 0xe0, 0x7f, 0x10, 0, 'O', 'W', 0, 0, 0, 0, 8, 0)
	data = append(data, make([]byte, 8<<16)...) // several PDUs
	for _, tt := range []struct {
		name, class, instance string
		fail                  error
		want                  uint16
	}{
		{"good", ctImage, "1.2.3.4.5", nil, statusSuccess},
		{"another instance", ctImage, "1.2.3.4.6", nil, statusMismatch},
		{"another class", "1.2.840.10008.5.1.4.1.1.4", "1.2.3.4.5", nil, statusMismatch},
		{"a path", ctImage, "../../../etc/passwd", nil, statusMismatch},
		{"line breaks", ctImage, "1.2\r\nlevel=ERROR", nil, statusMismatch},
		{"conflict", ctImage, "1.2.3.4.5", pacs.ErrConflict, statusDuplicate},
		{"unfit", ctImage, "1.2.3.4.5", pacs.ErrUnfit, statusNotUnderstood},
		{"another patient", ctImage, "1.2.3.4.5", pacs.ErrOtherPatient, statusOtherPatient},
		{"disk full", ctImage, "1.2.3.4.5", errors.New("disk full"), statusNoResources},
	} {
		s.fail = tt.fail
		if got := store(t, a, tt.class, tt.instance, data); got != tt.want {
			t.Errorf("%s: status %04X, want %04X", tt.name, got, tt.want)
		}
	}
	if want, err := dicom.AppendMeta(nil, ctImage, "1.2.3.4.5", dicom.ExplicitVRLittleEndian); err != nil || !bytes.Equal(s.got[0], append(want, data...)) {
		t.Errorf("what came is not what was sent: %v", err)
	}
	a.release()
	if text := log.String(); strings.Contains(text, "Doe") || strings.Contains(text, "1.2.3.4.5") || strings.Contains(text, "passwd") {
		t.Errorf("the log tells: %s", text)
	}
}

func TestWhoCalls(t *testing.T) {
	address, _ := serve(t, ServerConfig{})
	if _, err := associate(t, address, "STRANGER"); !errors.As(err, new(reject)) {
		t.Errorf("a stranger: %v", err)
	}
	a, err := associate(t, address, "PEER")
	if err != nil {
		t.Fatal(err)
	}
	if got := store(t, a, ctImage, "1.2.3.4.5", dataSetOf(t, ctImage, "1.2.3.4.5")); got != statusNotAuthorized {
		t.Errorf("without a sink: status %04X", got)
	}
	elsewhere, _ := serve(t, ServerConfig{Peers: []Peer{{"PEER", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}})
	if _, err := associate(t, elsewhere, "PEER"); err == nil {
		t.Error("from another network: no error")
	}
	one, _ := serve(t, ServerConfig{Associations: 1})
	if _, err := associate(t, one, "PEER"); err != nil {
		t.Fatal(err)
	}
	if _, err := associate(t, one, "PEER"); err == nil {
		t.Error("one association too many: no error")
	}
}

// pdu is a PDU as it stands on the wire.
func pdu(kind byte, length uint32, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind, 0}, length)) + body
}

// pdv is a PDV in a P-DATA PDU.
func pdv(id, flag byte, fragment string) string {
	n := uint32(len(fragment))
	return pdu(pduData, n+6, string(binary.BigEndian.AppendUint32(nil, n+2))+string([]byte{id, flag})+fragment)
}

// TestHostile: bytes of a stranger end the association, and nothing else.
func TestHostile(t *testing.T) {
	s := &sink{}
	address, log := serve(t, ServerConfig{Sink: s, Idle: 300 * time.Millisecond})
	storing := string(command{
		affectedClass: uid(ctImage), commandField: number(cStoreRQ), messageID: number(1), affectedInstance: uid("1.2.3.4.5"),
		dataSetType: number(withDataSet),
	}.encode())
	for name, bytes := range map[string]string{
		"a PDU of 4 GB":                  pdu(pduData, 0xffffffff, ""),
		"an unknown PDU":                 pdu(99, 4, "xxxx"),
		"a second request":               pdu(pduRequest, 68, strings.Repeat("x", 68)),
		"half a PDV":                     pdu(pduData, 3, "xxx"),
		"a PDV longer than its PDU":      pdu(pduData, 6, "\x00\x00\xff\xff\x01\x03"),
		"a PDV of 1":                     pdu(pduData, 6, "\x00\x00\x00\x01\x01\x03"),
		"data without a command":         pdv(1, 2, "xx"),
		"a context that is not there":    pdv(9, 3, storing),
		"half a command":                 pdv(1, 3, storing[:len(storing)-3]),
		"a command without end":          strings.Repeat(pdv(1, 1, strings.Repeat("\x00", 4096)), 10),
		"an element longer than all":     pdv(1, 3, "\x00\x00\x00\x01\xff\xff\xff\xff"),
		"an element twice":               pdv(1, 3, "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00"),
		"a command within a data set":    pdv(1, 3, storing) + pdv(1, 0, "xx") + pdv(1, 3, storing),
		"a release within a data set":    pdv(1, 3, storing) + pdv(1, 0, "xx") + pdu(pduReleaseRequest, 4, "xxxx"),
		"an abort within a data set":     pdv(1, 3, storing) + pdv(1, 0, "xx") + pdu(pduAbort, 4, "xxxx"),
		"data of another context":        pdv(1, 3, storing) + pdv(3, 0, "xx"),
		"a data set that stops":          pdv(1, 3, storing) + pdv(1, 0, "xx"),
		"silence":                        "",
		"an empty PDU, again and again":  strings.Repeat(pdu(pduData, 0, ""), 100),
		"C-STORE over the echo context":  pdv(3, 3, storing) + pdv(3, 2, "xx"),
		"C-FIND with data, not accepted": pdv(1, 3, strings.Replace(storing, "\x00\x01\x02\x00\x00\x00\x01\x00", "\x00\x01\x02\x00\x00\x00\x20\x00", 1)) + pdv(1, 2, "xx"),
	} {
		t.Run(name, func(t *testing.T) {
			a, err := associate(t, address, "PEER")
			if err != nil {
				t.Fatal(err)
			}
			a.conn.idle = 3 * time.Second
			a.conn.Write([]byte(bytes)) // it may be ended before all is written
			kind, _, err := readHead(a.r)
			if err == nil && kind != pduAbort && kind != pduReleaseReply {
				t.Errorf("answered with a PDU of type %d", kind)
			}
			if n := (net.Error)(nil); errors.As(err, &n) && n.Timeout() {
				t.Error("the association is still open")
			}
		})
	}
	if len(s.got) != 0 {
		t.Errorf("%d instances were taken", len(s.got))
	}
	if strings.Contains(log.String(), "fault") {
		t.Error("something panicked: " + log.String())
	}
	// And it still serves.
	a, err := associate(t, address, "PEER")
	if err != nil {
		t.Fatal(err)
	}
	if got := store(t, a, ctImage, "1.2.3.4.5", dataSetOf(t, ctImage, "1.2.3.4.5")); got != statusSuccess {
		t.Errorf("status %04X", got)
	}
}

// TestLyingPACS: a PACS that answers C-GET with something else than it was asked for, or with half of it.
func TestLyingPACS(t *testing.T) {
	i := pacs.Instance{StudyInstanceUID: "1.2.3", SeriesInstanceUID: "1.2.3.4", SOPClassUID: ctImage, SOPInstanceUID: "1.2.3.4.5"}
	data := dataSetOf(t, ctImage, i.SOPInstanceUID)
	final := func(a *association, p presentation, code, failed uint16) {
		a.send(p, command{affectedClass: uid(studyGet), commandField: number(cGetRQ | responseBit), respondedTo: number(1),
			status: number(code), failedSubOps: number(failed)}, nil)
	}
	give := func(a *association, instance string, data []byte) {
		for _, p := range a.contexts {
			if p.abstract == ctImage && p.syntaxes[0] == dicom.ExplicitVRLittleEndian {
				a.send(p, command{affectedClass: uid(ctImage), commandField: number(cStoreRQ), messageID: number(1), affectedInstance: uid(instance)}, data)
			}
		}
	}
	for name, tt := range map[string]struct {
		script func(a *association, p presentation)
		is     error
		good   bool
	}{
		"good":      {func(a *association, p presentation) { give(a, i.SOPInstanceUID, data); a.receive(); final(a, p, 0, 0) }, nil, true},
		"nothing":   {func(a *association, p presentation) { final(a, p, 0, 0) }, pacs.ErrNotFound, false},
		"a failure": {func(a *association, p presentation) { final(a, p, 0xa702, 1) }, statusError(0xa702), false},
		"a warning": {func(a *association, p presentation) {
			give(a, i.SOPInstanceUID, data)
			a.receive()
			final(a, p, 0xb000, 1)
		}, statusError(0xb000), false},
		"success, but":     {func(a *association, p presentation) { give(a, i.SOPInstanceUID, data); a.receive(); final(a, p, 0, 1) }, nil, false},
		"another instance": {func(a *association, p presentation) { give(a, "1.2.3.4.6", data) }, nil, false},
		"two": {func(a *association, p presentation) {
			give(a, i.SOPInstanceUID, data)
			a.receive()
			give(a, i.SOPInstanceUID, data)
		}, errProtocol, false},
		"half of it": {func(a *association, p presentation) {
			give(a, i.SOPInstanceUID, data[:20]) // a good end of half a data set: for the measuring to find
			a.conn.Close()
		}, nil, false},
		"no end": {func(a *association, p presentation) { give(a, i.SOPInstanceUID, data); a.receive(); a.conn.Close() }, nil, false},
		"abort":  {func(a *association, p presentation) { a.abort() }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				raw, err := l.Accept()
				if err != nil {
					return
				}
				defer raw.Close()
				a := newAssociation(newConn(raw, 5*time.Second))
				_, body, err := readNegotiation(a.r)
				if err != nil {
					return
				}
				n, err := decodeNegotiation(body)
				if err != nil {
					return
				}
				for _, p := range n.contexts {
					p.syntaxes = p.syntaxes[:1]
					a.contexts[p.id] = p
				}
				a.agree(n.maxLength)
				for k := range n.contexts {
					n.contexts[k].syntaxes = n.contexts[k].syntaxes[:1]
				}
				writePDU(a.conn, pduAccept, n.encode(pduAccept))
				_, p, hasData, err := a.receive()
				if err != nil || !hasData {
					return
				}
				io.Copy(io.Discard, a.data(p))
				tt.script(a, p)
				a.receive()
			}()
			c, err := NewClient(Config{Address: l.Addr().String(), AETitle: "PEER", OurAE: "US", Idle: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			r, err := c.Fetch(t.Context(), i)
			if err == nil {
				defer r.Close()
				_, err = io.Copy(io.Discard, r)
			}
			if (err == nil) != tt.good || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "1.2.3") {
				t.Errorf("the error tells: %v", err)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	c := Config{Address: "pacs", AETitle: "a title of more than 16 characters", OurAE: `A\B`, Idle: -1}
	err := c.Validate()
	for _, want := range []string{"host:port", "of the PACS", "of ours", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	s := ServerConfig{AETitle: "", Peers: []Peer{{"PEER", nil}}}
	err = s.Validate()
	for _, want := range []string{"our AE title", "no network", "no log"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, n := range []int{0, maxContexts - 1} {
		if got := len(proposal([]string{"0", "127"}[min(n, 1)])); got > maxContexts {
			t.Errorf("%d contexts proposed", got)
		}
	}
	if got := len(proposal(ctImage)); got > maxContexts {
		t.Errorf("%d contexts proposed", got)
	}
}

func FuzzNegotiation(f *testing.F) {
	n := &negotiation{called: "US", calling: "PEER", contexts: proposal(ctImage), maxLength: 16384}
	f.Add(n.encode(pduRequest))
	f.Add(n.encode(pduAccept))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeNegotiation(b)
		if err != nil {
			return
		}
		if len(n.contexts) > maxContexts {
			t.Errorf("%d contexts", len(n.contexts))
		}
		if again, err := decodeNegotiation(n.encode(pduAccept)); err != nil || len(again.contexts) != len(n.contexts) {
			t.Errorf("encoded and decoded: %v", err)
		}
	})
}

func FuzzCommand(f *testing.F) {
	f.Add(command{affectedClass: uid(ctImage), commandField: number(cStoreRQ)}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCommand(b)
		if err != nil {
			return
		}
		again, err := decodeCommand(c.encode())
		if err != nil || len(again) != len(c) {
			t.Errorf("%d elements of %d: %v", len(again), len(c), err)
		}
	})
}
