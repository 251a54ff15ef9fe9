package gateway

import (
	"errors"
	"io"

	"collimate/xds"
)

// relayedContent streams the answers of several sources one after the other, without storing them. While one
// streams, the others wait in their sockets.
type relayedContent struct {
	parts []relayedPart
	next  int
}

// relayedPart is the answer of one source; its documents stand from first on in the merged answer.
type relayedPart struct {
	response *xds.RetrieveResponse
	first    int
}

var _ xds.Content = (*relayedContent)(nil)

func (c *relayedContent) add(r *xds.RetrieveResponse, first int) {
	c.parts = append(c.parts, relayedPart{r, first})
}

// Next returns the next document of the present source, or the first of the next.
func (c *relayedContent) Next() (int, io.WriterTo, error) {
	for c.next < len(c.parts) {
		part := c.parts[c.next]
		if part.response.Content != nil {
			i, document, err := part.response.Content.Next()
			if err == nil {
				return part.first + i, document, nil
			}
			if err != io.EOF {
				return 0, nil, err
			}
		}
		c.next++
	}
	return 0, nil, io.EOF
}

// Close closes all answers, read or not.
func (c *relayedContent) Close() error {
	var errs []error
	for _, part := range c.parts {
		errs = append(errs, part.response.Close())
	}
	return errors.Join(errs...)
}
