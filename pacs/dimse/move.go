package dimse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"collimate/pacs"
	"collimate/pacs/remote"
)

// expected is an instance that a Client has asked a PACS to send.
type expected struct {
	instance string
	message  uint16 // id of the C-MOVE, by which the PACS names it when it sends
	arrived  chan *delivery
	gone     chan struct{} // closed when nobody waits any more
}

// delivery is an instance that has begun to come. It is read by the Client while the Server's association waits.
type delivery struct {
	file io.Reader
	done chan error // takes one: nil when all was read
}

// errGivenUp ends the association of an instance that nobody reads any more.
var errGivenUp = errors.New("the instance was given up")

// expect says that an instance will be read when it comes.
func (s *Server) expect(instance string) *expected {
	e := &expected{instance: instance, message: uint16(s.moves.Add(1)), arrived: make(chan *delivery), gone: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[instance] = append(s.waiting[instance], e)
	return e
}

// forget takes it back.
func (s *Server) forget(e *expected) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(e)
	close(e.gone)
}

// drop removes e from those waiting, if it is there.
func (s *Server) drop(e *expected) {
	list := s.waiting[e.instance]
	if n := slices.Index(list, e); n >= 0 {
		list = slices.Delete(list, n, n+1)
	}
	if s.waiting[e.instance] = list; len(list) == 0 {
		delete(s.waiting, e.instance)
	}
}

// claim returns who waits for an instance that was sent for a C-MOVE: the one whose id it is, or, if the PACS does not
// say (0), the first. nil if there is none. Each gets one.
func (s *Server) claim(instance string, message uint16) *expected {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.waiting[instance] {
		if message == 0 || e.message == message {
			s.drop(e)
			return e
		}
	}
	return nil
}

// deliver hands an instance over and waits until it was read.
func (e *expected) deliver(ctx context.Context, file io.Reader) error {
	d := &delivery{file: file, done: make(chan error, 1)}
	select {
	case e.arrived <- d:
	case <-e.gone:
		return errGivenUp
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-d.done // whoever took d sends, when it is closed at the latest
}

// move fetches by C-MOVE to our Server. PS3.7 9.1.4
func (c *Client) move(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	a, err := c.take(ctx, studyMove)
	if err != nil {
		return nil, err
	}
	m := &moving{
		client: c, a: a, ctx: ctx, stop: a.conn.until(ctx), expected: c.config.Receiver.expect(i.SOPInstanceUID),
		result: make(chan error, 1),
	}
	if err := m.start(i); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// moving is an instance on its way by C-MOVE.
type moving struct {
	client   *Client
	a        *pooled
	ctx      context.Context
	stop     func() bool
	expected *expected
	result   chan error // what the PACS says at the end
	d        *delivery  // nil once it was answered
	file     io.Reader
	err      error // the end, good or bad
	closed   bool
}

func (m *moving) start(i pacs.Instance) error {
	p, err := m.a.find(studyMove)
	if err != nil {
		m.result <- nil
		return fmt.Errorf("%w: C-MOVE: %w", remote.ErrRefused, err)
	}
	query, err := identifier(i, p)
	if err == nil {
		err = m.a.send(p, command{
			affectedClass: uid(studyMove), commandField: number(cMoveRQ), messageID: number(m.expected.message),
			moveDestination: text(m.client.config.Receiver.config.AETitle, ' '), priority: number(0),
		}, query)
	}
	if err != nil {
		m.result <- nil
		return err
	}
	m.a.conn.idle = 0 // silent for as long as the instance is read; the waiting is ours
	go func() { m.result <- m.wait() }()
	timer := time.NewTimer(m.client.config.Idle)
	defer timer.Stop()
	select {
	case m.d = <-m.expected.arrived:
		m.file = m.d.file
		return nil
	case err := <-m.result:
		m.result <- nil
		if err == nil {
			return pacs.ErrNotFound
		}
		return err
	case <-timer.C:
		return errors.New("the PACS does not send what it was asked to: let it know our AE title, host and port")
	case <-m.ctx.Done():
		return m.ctx.Err()
	}
}

// wait receives answers until the last.
func (m *moving) wait() error {
	for {
		cmd, p, hasData, err := m.a.receive()
		if err != nil {
			return err
		}
		if f := cmd.number(commandField); f != cMoveRQ|responseBit {
			return fmt.Errorf("%w: a message of type %04X within C-MOVE", errProtocol, f)
		}
		if final, err := retrieved(m.a.association, cmd, p, hasData); final || err != nil {
			return err
		}
	}
}

func (m *moving) Read(b []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n, err := m.file.Read(b)
	if err == io.EOF {
		err = m.finish()
	}
	m.err = err
	return n, err
}

// finish has the instance acknowledged and waits for the PACS to say that this was all. It returns io.EOF if it does.
func (m *moving) finish() error {
	m.d.done <- nil
	m.d = nil
	timer := time.NewTimer(m.client.config.Idle)
	defer timer.Stop()
	select {
	case err := <-m.result:
		m.result <- nil
		if err != nil {
			return err
		}
		m.leave(true)
		return io.EOF
	case <-timer.C:
		return errors.New("the PACS has sent an instance and does not say that it has")
	case <-m.ctx.Done():
		return m.ctx.Err()
	}
}

// leave ends the move, and puts its association to rest if all has been said over it.
func (m *moving) leave(good bool) {
	if m.closed {
		return
	}
	m.closed = true
	m.client.config.Receiver.forget(m.expected)
	stopped := m.stop()
	if !good {
		m.a.conn.Close() // so that the goroutine ends
	}
	<-m.result
	m.a.conn.idle = m.client.config.Idle
	m.client.put(m.a, good && stopped)
}

// Close gives up what has not come.
func (m *moving) Close() error {
	if m.d != nil {
		m.d.done <- errGivenUp
		m.d = nil
	}
	m.leave(false)
	return nil
}
