package dimse

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"collimate/dicom"
	"collimate/pacs"
	"collimate/pacs/remote"
)

// The services of an archive. PS3.4 A.4, C.6.2
const (
	verification = "1.2.840.10008.1.1"
	studyFind    = "1.2.840.10008.5.1.4.1.2.2.1"
	studyMove    = "1.2.840.10008.5.1.4.1.2.2.2"
	studyGet     = "1.2.840.10008.5.1.4.1.2.2.3"
)

// storedSyntaxes are the transfer syntaxes that an instance may be stored in, each of which a Client proposes in a
// context of its own. PS3.6 Table A-1
var storedSyntaxes = []string{
	dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian, dicom.DeflatedExplicitVRLittleEndian,
	dicom.ExplicitVRBigEndian, dicom.RLELossless,
	"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", // JPEG
	"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", // JPEG-LS
	"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93", // JPEG 2000
	"1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101", // MPEG-2
	"1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103", "1.2.840.10008.1.2.4.104", // MPEG-4
	"1.2.840.10008.1.2.4.105", "1.2.840.10008.1.2.4.106",
	"1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.108", // HEVC
	"1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112", // JPEG XL
	"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203", // HTJ2K
	"1.2.840.10008.1.2.8.1", // deflated frames
}

// querySyntaxes are those that queries are encoded in.
var querySyntaxes = []string{dicom.ExplicitVRLittleEndian, dicom.ImplicitVRLittleEndian}

// Config says where the PACS is and who we are to it.
type Config struct {
	Address string // host:port
	AETitle string // of the PACS
	OurAE   string // ours, which the PACS has to know
	// Receiver takes what C-MOVE has sent; nil for C-GET. The PACS has to know its AE title, host and port.
	Receiver *Server
	// TLS holds the authorities of the PACS and our certificate; nil for none, as is the custom within a hospital.
	TLS *tls.Config
	// Associations bounds those open at once; 0 for 4.
	Associations int
	// Idle is how long the PACS may be silent; 0 for a minute.
	Idle time.Duration
}

// Validate reports all that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if _, port, err := net.SplitHostPort(c.Address); err != nil || port == "" {
		errs = append(errs, errors.New("the address of the PACS is not host:port"))
	}
	for _, ae := range []struct{ whose, title string }{{"of the PACS", c.AETitle}, {"of ours", c.OurAE}} {
		if err := checkAE(ae.title); err != nil {
			errs = append(errs, fmt.Errorf("the AE title %s: %w", ae.whose, err))
		}
	}
	if c.Associations < 0 || c.Idle < 0 {
		errs = append(errs, errors.New("a limit of the PACS is negative"))
	}
	return errors.Join(errs...)
}

// checkAE reports why an AE title is none. PS3.5 6.2
func checkAE(title string) error {
	if title == "" || len(title) > 16 || strings.Trim(title, " ") != title ||
		strings.ContainsFunc(title, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		return errors.New("want 1 to 16 ASCII characters without backslash")
	}
	return nil
}

// Client is a PACS that speaks DICOM.
type Client struct {
	config Config
	slots  chan struct{} // one for each association that is in use

	mu      sync.Mutex
	idle    []pooled          // oldest first
	classes map[string]string // SOP class by series, as found out of late
}

// pooled is an association at rest.
type pooled struct {
	*association
	purpose string
	since   time.Time
}

var _ remote.PACS = (*Client)(nil)

// NewClient makes a Client. It does not connect.
func NewClient(c Config) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("DIMSE: %w", err)
	}
	if c.Associations == 0 {
		c.Associations = defaultOpened
	}
	if c.Idle == 0 {
		c.Idle = defaultIdle
	}
	return &Client{config: c, slots: make(chan struct{}, c.Associations), classes: make(map[string]string)}, nil
}

// Close ends the associations at rest.
func (c *Client) Close() error {
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, p := range idle {
		p.release()
	}
	return nil
}

// Echo asks the PACS whether it is there and knows us. PS3.7 9.1.5
func (c *Client) Echo(ctx context.Context) error {
	a, err := c.take(ctx, verification)
	if err != nil {
		return err
	}
	defer c.put(a, false)
	p, err := a.find(verification)
	if err != nil {
		return err
	}
	defer a.conn.until(ctx)()
	cmd := command{affectedClass: uid(verification), commandField: number(cEchoRQ), messageID: number(a.nextID())}
	if err := a.send(p, cmd, nil); err != nil {
		return err
	}
	answer, _, _, err := a.receive()
	if err == nil && answer.number(status) != statusSuccess {
		err = statusError(answer.number(status))
	}
	return err
}

// proposal returns the contexts of an association for a purpose: a service, the SOP class that is to be fetched, or
// where in storageClasses to begin to find one out.
func proposal(purpose string) []presentation {
	switch purpose {
	case verification:
		return []presentation{{id: 1, abstract: verification, syntaxes: []string{dicom.ImplicitVRLittleEndian}}}
	case studyFind, studyMove:
		return []presentation{{id: 1, abstract: purpose, syntaxes: querySyntaxes}}
	}
	all := []presentation{{id: 1, abstract: studyGet, syntaxes: querySyntaxes}}
	if from, err := strconv.Atoi(purpose); err == nil { // to find a class out
		for n, class := range storageClasses[from:min(from+maxContexts-1, len(storageClasses))] {
			all = append(all, presentation{id: byte(3 + 2*n), abstract: storage + class, syntaxes: storedSyntaxes, provide: true})
		}
		return all
	}
	for n, s := range storedSyntaxes {
		all = append(all, presentation{id: byte(3 + 2*n), abstract: purpose, syntaxes: []string{s}, provide: true})
	}
	return all
}

// take returns an association for a purpose. Whoever takes it puts it back.
func (c *Client) take(ctx context.Context, purpose string) (*pooled, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p := c.rested(purpose); p != nil {
		return p, nil
	}
	p, err := c.open(ctx, purpose)
	if err != nil {
		<-c.slots
		return nil, err
	}
	return p, nil
}

// rested returns an association at rest that is still alive, nil if there is none. Of other purposes it leaves so many
// that with those in use they stay within the limit.
func (c *Client) rested(purpose string) *pooled {
	c.mu.Lock()
	var drop []pooled
	var found *pooled
	for n := len(c.idle) - 1; n >= 0; n-- {
		p := c.idle[n]
		old := time.Since(p.since) > keepAssociation
		if !old && (found != nil || p.purpose != purpose) {
			continue
		}
		c.idle = append(c.idle[:n], c.idle[n+1:]...)
		if old || !p.alive() {
			drop = append(drop, p)
		} else {
			found = &p
		}
	}
	if found == nil && len(c.idle) > 0 && len(c.idle)+len(c.slots) > cap(c.slots) {
		drop, c.idle = append(drop, c.idle[0]), c.idle[1:]
	}
	c.mu.Unlock()
	for _, p := range drop {
		p.abort()
	}
	return found
}

// alive reports whether the peer has not ended an association that has rested for long enough to matter.
func (p *pooled) alive() bool {
	if time.Since(p.since) < 100*time.Millisecond {
		return true
	}
	p.conn.Conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	var b [1]byte
	_, err := p.conn.Conn.Read(b[:])
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func (c *Client) open(ctx context.Context, purpose string) (*pooled, error) {
	dial, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(dial, "tcp", c.config.Address)
	if err != nil {
		return nil, fmt.Errorf("the PACS: %w", err)
	}
	if c.config.TLS != nil {
		config := c.config.TLS.Clone()
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(c.config.Address)
		}
		secure := tls.Client(raw, config)
		if err := secure.HandshakeContext(dial); err != nil {
			raw.Close()
			return nil, fmt.Errorf("%w: %w", remote.ErrRefused, err)
		}
		raw = secure
	}
	a, err := request(dial, newConn(raw, c.config.Idle), &negotiation{
		called: c.config.AETitle, calling: c.config.OurAE, contexts: proposal(purpose),
	})
	if err != nil {
		raw.Close()
		if r := (reject{}); errors.As(err, &r) && r.result == 1 { // for good
			return nil, fmt.Errorf("%w: %w", remote.ErrRefused, err)
		}
		return nil, fmt.Errorf("the PACS: %w", err)
	}
	return &pooled{association: a, purpose: purpose}, nil
}

// put gives an association back, to rest if it can be used again.
func (c *Client) put(p *pooled, good bool) {
	if good && !p.conn.closed.Load() {
		p.since = time.Now()
		c.mu.Lock()
		c.idle = append(c.idle, *p)
		c.mu.Unlock()
	} else {
		p.abort()
	}
	<-c.slots
}

// identifier is the data set of a request for one instance, in the transfer syntax of p.
func identifier(i pacs.Instance, p presentation) ([]byte, error) {
	var d dicom.Dataset
	d.Put(dicom.QueryRetrieveLevel, "IMAGE")
	d.Put(dicom.StudyInstanceUID, i.StudyInstanceUID)
	d.Put(dicom.SeriesInstanceUID, i.SeriesInstanceUID)
	d.Put(dicom.SOPInstanceUID, i.SOPInstanceUID)
	return d.AppendDataSet(nil, p.syntaxes[0])
}

// Fetch implements remote.PACS.
func (c *Client) Fetch(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	for _, uid := range []string{i.StudyInstanceUID, i.SeriesInstanceUID, i.SOPInstanceUID} {
		if dicom.CheckUID(uid) != nil {
			return nil, pacs.ErrNotFound
		}
	}
	if c.config.Receiver != nil {
		return c.move(ctx, i)
	}
	return c.get(ctx, i)
}

// get fetches by C-GET. PS3.7 9.1.3
func (c *Client) get(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	if i.SOPClassUID != "" {
		return c.getAs(ctx, i, i.SOPClassUID)
	}
	// QUIRK: dcmqrscp 3.6.7 lists images without their class. What is fetched has to be proposed, so the class is found
	// out by an association that proposes all, and given up as soon as the instance names its class.
	c.mu.Lock()
	class, known := c.classes[i.SeriesInstanceUID]
	c.mu.Unlock()
	if known {
		if g, err := c.getAs(ctx, i, class); err == nil {
			return g, nil
		}
	}
	err := error(pacs.ErrNotFound)
	for from := 0; from < len(storageClasses); from += maxContexts - 1 {
		var g *getting
		if g, err = c.getAs(ctx, i, strconv.Itoa(from)); err != nil {
			continue
		}
		class = g.p.abstract
		g.Close()
		c.mu.Lock()
		if len(c.classes) >= maxClasses {
			clear(c.classes)
		}
		c.classes[i.SeriesInstanceUID] = class
		c.mu.Unlock()
		return c.getAs(ctx, i, class)
	}
	return nil, err
}

// getAs fetches over an association for a purpose.
func (c *Client) getAs(ctx context.Context, i pacs.Instance, purpose string) (*getting, error) {
	a, err := c.take(ctx, purpose)
	if err != nil {
		return nil, err
	}
	g := &getting{client: c, a: a, stop: a.conn.until(ctx)}
	if err := g.start(i); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// getting is an instance on its way by C-GET.
type getting struct {
	client *Client
	a      *pooled
	stop   func() bool
	store  command      // what carries the instance
	p      presentation // its context
	r      io.Reader    // meta information, then the data set
	err    error        // the end, good or bad
	put    bool
}

// start asks and waits until the instance begins to come.
func (g *getting) start(i pacs.Instance) error {
	p, err := g.a.find(studyGet)
	if err != nil {
		return fmt.Errorf("%w: C-GET: %w", remote.ErrRefused, err)
	}
	query, err := identifier(i, p)
	if err != nil {
		return err
	}
	err = g.a.send(p, command{
		affectedClass: uid(studyGet), commandField: number(cGetRQ), messageID: number(g.a.nextID()), priority: number(0),
	}, query)
	if err != nil {
		return err
	}
	for {
		cmd, p, hasData, err := g.a.receive()
		if err != nil {
			return err
		}
		if cmd.number(commandField) != cStoreRQ {
			switch final, err := g.answer(cmd, p, hasData); {
			case err != nil:
				return err
			case final:
				g.end()
				return pacs.ErrNotFound
			}
			continue
		}
		if !hasData || cmd.text(affectedInstance) != i.SOPInstanceUID || cmd.text(affectedClass) != p.abstract {
			return errors.New("the PACS sends another instance than was asked for")
		}
		meta, err := dicom.AppendMeta(nil, p.abstract, i.SOPInstanceUID, p.syntaxes[0])
		if err != nil {
			return err
		}
		g.store, g.p = cmd, p
		g.r = io.MultiReader(bytes.NewReader(meta), g.a.data(p))
		return nil
	}
}

// answer reads an answer to C-GET or C-MOVE, and whether it is the last.
func (g *getting) answer(cmd command, p presentation, hasData bool) (final bool, err error) {
	if f := cmd.number(commandField); f != cGetRQ|responseBit {
		return false, fmt.Errorf("%w: a message of type %04X within C-GET", errProtocol, f)
	}
	return retrieved(g.a.association, cmd, p, hasData)
}

// retrieved sorts the status of an answer to C-GET or C-MOVE. What went wrong with the one instance that was asked for
// is an error, whatever the status of the whole is.
func retrieved(a *association, cmd command, p presentation, hasData bool) (final bool, err error) {
	if hasData { // the UIDs that failed
		if _, err := io.Copy(io.Discard, io.LimitReader(a.data(p), maxIdentifier)); err != nil {
			return false, err
		}
	}
	s := cmd.number(status)
	if s == statusPending || s == statusPendingNote {
		return false, nil
	}
	if s != statusSuccess {
		return true, statusError(s)
	}
	if n := cmd.number(failedSubOps); n > 0 {
		return true, fmt.Errorf("the PACS failed to send %d instances", n)
	}
	return true, nil
}

func (g *getting) Read(b []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.r.Read(b)
	if err == io.EOF {
		err = g.finish()
	}
	g.err = err
	return n, err
}

// finish thanks for the instance and waits for the PACS to say that this was all. It returns io.EOF if it does.
func (g *getting) finish() error {
	err := g.a.send(g.p, command{
		affectedClass: g.store[affectedClass], commandField: number(cStoreRQ | responseBit), respondedTo: g.store[messageID],
		status: number(statusSuccess), affectedInstance: g.store[affectedInstance],
	}, nil)
	if err != nil {
		return err
	}
	for {
		cmd, p, hasData, err := g.a.receive()
		if err != nil {
			return err
		}
		final, err := g.answer(cmd, p, hasData)
		if err != nil {
			return err
		}
		if final {
			g.end()
			return io.EOF
		}
	}
}

// end puts the association, over which all has been said, back.
func (g *getting) end() {
	if !g.put {
		g.put = true
		g.client.put(g.a, g.stop())
	}
}

// Close gives up what has not come.
func (g *getting) Close() error {
	if !g.put {
		g.put = true
		g.stop()
		g.client.put(g.a, false)
	}
	return nil
}
