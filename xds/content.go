package xds

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"collimate/soap"
)

// noContent yields nothing.
type noContent struct{}

// Next implements Content.
func (noContent) Next() (int, io.WriterTo, error) { return 0, nil, io.EOF }

// Close implements Content.
func (noContent) Close() error { return nil }

// replyContent is the Content of an answer that comes in: first the documents that stood in the envelope, then
// the attachments in the order of arrival.
type replyContent struct {
	reply   *soap.Reply
	inline  []int // indices of documents
	bodies  []body
	pending map[string]int // index by Content-ID, of attachments that have not come
	err     error          // the end of the stream
}

func newContent(reply *soap.Reply, bodies []body) (*replyContent, error) {
	c := &replyContent{reply: reply, bodies: bodies, pending: map[string]int{}}
	for i, b := range bodies {
		if b.contentID == "" {
			c.inline = append(c.inline, i)
			continue
		}
		if _, twice := c.pending[b.contentID]; twice {
			return nil, errors.New("two documents refer to the same attachment")
		}
		c.pending[b.contentID] = i
	}
	return c, nil
}

// Next implements Content.
func (c *replyContent) Next() (int, io.WriterTo, error) {
	if len(c.inline) > 0 {
		i := c.inline[0]
		c.inline = c.inline[1:]
		return i, bytes.NewReader(c.bodies[i].inline), nil
	}
	if c.err != nil {
		return 0, nil, c.err
	}
	part, err := c.reply.Next()
	switch {
	case err == io.EOF && len(c.pending) > 0:
		err = fmt.Errorf("%d of the attachments did not come: %w", len(c.pending), io.ErrUnexpectedEOF)
	case err == nil:
		if i, ok := c.pending[part.ContentID]; ok {
			delete(c.pending, part.ContentID)
			return i, part, nil
		}
		err = errors.New("there is an attachment that no document refers to, or one that came twice")
	}
	c.err = err
	return 0, nil, err
}

// Close implements Content.
func (c *replyContent) Close() error { return c.reply.Close() }
