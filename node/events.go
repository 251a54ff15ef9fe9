package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"collimate/ledger"
	"collimate/node/client"
)

// The names of server-sent events. https://html.spec.whatwg.org/multipage/server-sent-events.html
const (
	eventBlock = "block" // a client.Block is final. Its id is the height: all of that block has been sent
	eventStudy = "study" // a client.Event of a final block; the block follows
	eventSeen  = "seen"  // a client.Event: a revocation that counts here already, but is not final
	eventEnd   = "end"   // a client.Problem: why the stream ends
)

// frameOf encodes one event. An id of 0 is none.
func frameOf(name string, id int64, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("node: encoding a %T: %v", v, err)) // a bug: all are plain values
	}
	var b bytes.Buffer
	if id > 0 {
		fmt.Fprintf(&b, "id: %d\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
	return b.Bytes()
}

// events streams what happens, until the client goes, is too slow, or the node stops.
func (n *Node) events(w http.ResponseWriter, r *http.Request) {
	studies, err := watchedOf(r)
	if err != nil {
		n.fail(w, err)
		return
	}
	since, resumes, err := resumedOf(r)
	if err != nil {
		n.fail(w, err)
		return
	}
	s, height, ok := n.hub.join(n.gate.address(r), studies)
	if !ok {
		busy(w, "there are too many streams of events, at this node or from this address: close one, or ask another node")
		return
	}
	defer n.hub.leave(s)
	var missed []byte
	if resumes {
		if missed, err = n.missed(studies, since, height); err != nil {
			n.fail(w, err)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", client.MediaTypeEvents)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for proxies that collect answers
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	stream(w, r, s, missed)
}

// stream writes first, then what the subscriber is sent.
func stream(w http.ResponseWriter, r *http.Request, s *subscriber, first []byte) {
	control := http.NewResponseController(w)
	write := func(parts ...[]byte) bool {
		err := control.SetWriteDeadline(time.Now().Add(eventsWriteTimeout))
		for _, b := range parts {
			_, failed := w.Write(b)
			err = errors.Join(err, failed)
		}
		return errors.Join(err, control.Flush()) == nil
	}
	heartbeat := time.NewTicker(eventsHeartbeat)
	defer heartbeat.Stop()
	for ok := write([]byte(": welcome\n\n"), first); ok; {
		select {
		case frames, open := <-s.frames:
			if !open {
				write(s.farewell())
				return
			}
			ok = write(frames...)
		case <-heartbeat.C:
			ok = write([]byte(":\n\n"))
		case <-r.Context().Done(): // the client has gone, or the node stops
			write(stopping)
			return
		}
	}
}

// farewell says why a stream ends whose frames are closed.
func (s *subscriber) farewell() []byte {
	if s.slow {
		return frameOf(eventEnd, 0, problemOf(client.CodeTooSlow, "this stream was read too slowly: connect again with Last-Event-ID"))
	}
	return stopping
}

var stopping = frameOf(eventEnd, 0, problemOf(client.CodeUnavailable,
	"this node is stopping: connect again with Last-Event-ID, here or to another node"))

// missed returns the events that a stream missed after the block since, up to the block now, as frames.
func (n *Node) missed(studies []ledger.StudyID, since, now int64) ([]byte, error) {
	if since >= now {
		return nil, nil
	}
	var events []client.Event
	for _, id := range studies {
		err := n.index.visit(id, cursor{height: since + 1}, func(e client.Event, _ cursor) error {
			if e.Height > now {
				return errPageEnds
			}
			if events = append(events, e); len(events) > maxBackfill || time.Since(e.Time) > backfillAge {
				return errTooOld
			}
			return nil
		})
		if err := ignore(err, errPageEnds); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(events, func(a, b client.Event) int { return int(a.Height - b.Height) })
	var b []byte
	for _, e := range events {
		b = append(b, frameOf(eventStudy, 0, e)...)
	}
	return b, nil
}

var errTooOld = errors.New("the node no longer has what this stream missed: read the present state, then connect without Last-Event-ID")

// watchedOf returns the studies that a request names.
func watchedOf(r *http.Request) ([]ledger.StudyID, error) {
	names := r.URL.Query()["study"]
	if len(names) > maxWatched {
		return nil, requestError(fmt.Sprintf("a stream watches at most %d studies: open another one", maxWatched))
	}
	var studies []ledger.StudyID
	for _, name := range names {
		id, err := ledger.ParseStudyID(name)
		if err != nil {
			return nil, requestError(err.Error())
		}
		if !slices.Contains(studies, id) {
			studies = append(studies, id)
		}
	}
	return studies, nil
}

// resumedOf returns the last block that a client has received, and whether it says so.
func resumedOf(r *http.Request) (height int64, ok bool, err error) {
	s := r.Header.Get("Last-Event-ID")
	if s == "" {
		s = r.URL.Query().Get("since")
	}
	if s == "" {
		return 0, false, nil
	}
	height, err = strconv.ParseInt(s, 10, 64)
	if err != nil || height < 0 {
		return 0, false, requestError("Last-Event-ID and since are the height of a block")
	}
	return height, true, nil
}
