package soap

import (
	"bytes"
	"io"

	"collimate/soap/mtom"
)

// Attachments yields the attachments of a request as a stream. It may be used until Operation.Handle returns, by one
// goroutine.
type Attachments struct {
	held  []attachment // that came before the rest was left in the stream
	parts *mtom.Reader
}

type attachment struct {
	id    string
	bytes io.Reader
}

// Next returns the Content-ID of the next attachment, as mtom.CleanID, and its bytes, which can be read until Next is
// called again. It returns io.EOF when the whole message has arrived. Any other error, from Next or from reading, is a
// *Fault that says what is wrong with the message.
func (a *Attachments) Next() (contentID string, bytes io.Reader, err error) {
	if len(a.held) > 0 {
		next := a.held[0]
		a.held = a.held[1:]
		return next.id, next.bytes, nil
	}
	part, err := a.parts.Next()
	if err == io.EOF {
		return "", nil, io.EOF
	}
	if err != nil {
		return "", nil, packageFault(err)
	}
	return part.ContentID, arriving{part}, nil
}

// rest reads what has not been read.
func (a *Attachments) rest() error {
	for {
		_, bytes, err := a.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, bytes); err != nil {
			return err
		}
	}
}

// arriving is a part whose errors are faults.
type arriving struct{ io.Reader }

// Read implements io.Reader.
func (a arriving) Read(b []byte) (int, error) {
	n, err := a.Reader.Read(b)
	if err != nil && err != io.EOF {
		return n, packageFault(err)
	}
	return n, err
}

// taken are the parts of a package that have been read.
type taken struct {
	root  string   // Content-ID
	order []string // Content-IDs
	bytes map[string][]byte
	total int64
}

func (t *taken) add(id string, b []byte) {
	t.order = append(t.order, id)
	t.bytes[id] = b
	t.total += int64(len(b))
}

// attached returns how many bytes there are of attachments, and room how many more are held for sure.
func (t *taken) attached() int64 { return t.total - int64(len(t.bytes[t.root])) }
func (t *taken) room() int64     { return max(0, maxHeldAttachments-t.attached()) }

// stream returns the attachments that have not been put into the envelope, with the part that has been begun and all
// that follows it.
func (t *taken) stream(begun *mtom.Part, front []byte, parts *mtom.Reader) *Attachments {
	a := &Attachments{parts: parts}
	for _, id := range t.order {
		if b, left := t.bytes[id]; left && id != t.root {
			a.held = append(a.held, attachment{id, bytes.NewReader(b)})
		}
	}
	a.held = append(a.held, attachment{begun.ContentID, io.MultiReader(bytes.NewReader(front), arriving{begun})})
	return a
}
