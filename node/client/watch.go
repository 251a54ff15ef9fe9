package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"collimate/ledger"
)

// maxFrame bounds a line of a stream of events.
const maxFrame = 64 << 10

// Notice is one thing that happened. Either Block or Event is set.
type Notice struct {
	Block *Block // is final, and all its events have been told
	Event *Event // Final or, for a revocation, only seen by the node, from where on it counts there
	Final bool
}

// Watch calls f with what happens, after the block since if that is above 0, until ctx ends, f returns an error, or the
// node ends the stream: then the error is an *Error, and the height of the last Block is where to go on.
func (c *Client) Watch(ctx context.Context, since int64, studies []ledger.StudyID, f func(Notice) error) error {
	q := url.Values{}
	for _, id := range studies {
		q.Add("study", id.String())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v1/events?"+q.Encode(), nil)
	if err != nil {
		return fmt.Errorf("asking the node: %w", err)
	}
	req.Header.Set("Accept", MediaTypeEvents)
	if since > 0 {
		req.Header.Set("Last-Event-ID", strconv.FormatInt(since, 10))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the node: %w", err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxFrame)
	if resp.StatusCode != http.StatusOK {
		lines.Scan()
		return problem(resp.StatusCode, lines.Bytes())
	}
	var name string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			if err := notify(name, []byte(value), f); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the node's events: %w", err)
	}
	return fmt.Errorf("reading the node's events: the stream broke off")
}

// notify decodes one event of a stream. https://html.spec.whatwg.org/multipage/server-sent-events.html
func notify(name string, data []byte, f func(Notice) error) error {
	var n Notice
	var p Problem
	var v any
	switch name {
	case "block":
		n.Block = &Block{}
		v = n.Block
	case "study", "seen":
		n.Event, n.Final = &Event{}, name == "study"
		v = n.Event
	case "end":
		v = &p
	default:
		return nil // of a later version
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decoding the node's events: %w", err)
	}
	if name == "end" {
		return &Error{Status: http.StatusServiceUnavailable, Code: p.Error.Code, Detail: p.Error.Detail}
	}
	return f(n)
}
