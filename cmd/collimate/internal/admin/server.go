package admin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"collimate/keys"
)

// Door is the server's side: an http.Handler that lets in whoever has read its file.
type Door struct {
	file  string
	token string
	mux   *http.ServeMux
}

// NewDoor draws a token for operations of an organisation, whose data directory it is given.
func NewDoor(dataDir string, ops Operations) *Door {
	b := make([]byte, tokenBytes)
	rand.Read(b) // never fails: crypto/rand
	d := &Door{file: filepath.Join(dataDir, File), token: hex.EncodeToString(b), mux: http.NewServeMux()}
	d.mux.HandleFunc("POST "+pathDefine, answer(func(ctx context.Context, _ struct{}, _ func(Progress)) (any, error) {
		return ops.DefineSource(ctx)
	}))
	d.mux.HandleFunc("POST "+pathStudies, answer(func(ctx context.Context, r studiesRequest, progress func(Progress)) (any, error) {
		if !filepath.IsAbs(r.From) {
			return nil, errors.New("'from' must be an absolute path")
		}
		return ops.PublishFolder(ctx, r.From, progress)
	}))
	d.mux.HandleFunc("POST "+pathGroups, answer(func(ctx context.Context, r groupRequest, _ func(Progress)) (any, error) {
		return ops.DefineGroup(ctx, r.Owner)
	}))
	d.mux.HandleFunc("POST "+pathAct, answer(func(ctx context.Context, r actRequest, _ func(Progress)) (any, error) {
		return struct{}{}, ops.Act(ctx, r.Study, r.Act)
	}))
	d.mux.HandleFunc("POST "+pathNamed, answer(func(ctx context.Context, r namedRequest, _ func(Progress)) (any, error) {
		return ops.PublishStudies(ctx, r.Studies)
	}))
	d.mux.HandleFunc("POST "+pathTicket, answer(func(ctx context.Context, r studyRequest, _ func(Progress)) (any, error) {
		return ops.Ticket(ctx, r.Study)
	}))
	d.mux.HandleFunc("POST "+pathList, answer(func(ctx context.Context, r listRequest, _ func(Progress)) (any, error) {
		return ops.Published(ctx, r.Since)
	}))
	d.mux.HandleFunc("POST "+pathBackFill, answer(func(ctx context.Context, r BackFillRequest, progress func(Progress)) (any, error) {
		return ops.BackFill(ctx, r, progress)
	}))
	d.mux.HandleFunc("POST "+pathWatcher, answer(func(ctx context.Context, _ struct{}, _ func(Progress)) (any, error) {
		return ops.Watcher(ctx)
	}))
	return d
}

type namedRequest struct {
	Studies []string `json:"studies"`
}

type listRequest struct {
	Since time.Time `json:"since"`
}

type studyRequest struct {
	Study string `json:"study"`
}

type groupRequest struct {
	Owner keys.Owner `json:"owner"`
}

type actRequest struct {
	Study string `json:"study"`
	Act   Act    `json:"act"`
}

type studiesRequest struct {
	From string `json:"from"`
}

// ServeHTTP refuses whoever does not show the token.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+d.token)) != 1 {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the token is in "+File+" in the data directory", http.StatusUnauthorized)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// Open writes the file that says where the door is.
func (d *Door) Open(url string) error {
	raw, err := json.Marshal(endpoint{URL: url, Token: d.token})
	if err != nil {
		return err
	}
	// A new file moved into place: a reader never sees half of it, and its mode is ours from the beginning.
	temp := d.file + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(temp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, d.file)
}

// Close removes the file.
func (d *Door) Close() error { return os.Remove(d.file) }

// answer makes a handler of a function: it reads the request, and writes the stream of events.
func answer[Request any](f func(context.Context, Request, func(Progress)) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request Request
		body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes))
		body.DisallowUnknownFields()
		if err := body.Decode(&request); err != nil {
			http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		s := &stream{w: w, json: json.NewEncoder(w)}
		result, err := f(r.Context(), request, s.progress)
		if err != nil {
			s.send(Event{Error: err.Error()})
			return
		}
		raw, err := json.Marshal(result)
		if err != nil {
			s.send(Event{Error: fmt.Sprintf("encoding the result: %v", err)})
			return
		}
		s.send(Event{Result: raw})
	}
}

// stream writes events; progress may come from several goroutines.
type stream struct {
	mu   sync.Mutex
	w    http.ResponseWriter
	json *json.Encoder
	last time.Time // of the last progress sent
	step string    // of the last progress sent
}

func (s *stream) send(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(e)
}

func (s *stream) progress(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if p.Refused == "" && p.Step == s.step && now.Sub(s.last) < progressInterval {
		return
	}
	if p.Refused == "" {
		s.last, s.step = now, p.Step
	}
	s.write(Event{Progress: &p})
}

// write sends one event. A peer that has gone ends the request's context, which ends the work.
func (s *stream) write(e Event) {
	if s.json.Encode(e) == nil {
		_ = http.NewResponseController(s.w).Flush()
	}
}
