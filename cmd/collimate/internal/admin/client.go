package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"collimate/gateway"
	"collimate/keys"
	"collimate/ledger"
)

// ErrNotRunning is returned when the organisation's server is not there to answer.
var ErrNotRunning = errors.New("the organisation's server is not running: start it with 'collimate serve'")

// Client is the command's side of the door.
type Client struct {
	endpoint endpoint
	http     *http.Client
}

// Open finds the door of the organisation with a data directory.
func Open(dataDir string) (*Client, error) {
	raw, err := os.ReadFile(filepath.Join(dataDir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	c := &Client{http: &http.Client{}}
	if err := json.Unmarshal(raw, &c.endpoint); err != nil {
		return nil, fmt.Errorf("reading %s: %w", File, err)
	}
	return c, nil
}

// DefineSource is Operations.DefineSource.
func (c *Client) DefineSource(ctx context.Context) (*Source, error) {
	var s Source
	err := c.do(ctx, pathDefine, struct{}{}, nil, &s)
	return &s, err
}

// PublishFolder is Operations.PublishFolder; folder must be absolute, and is read by the server.
func (c *Client) PublishFolder(ctx context.Context, folder string, progress func(Progress)) ([]*gateway.Ticket, error) {
	var tickets []*gateway.Ticket
	err := c.do(ctx, pathStudies, studiesRequest{From: folder}, progress, &tickets)
	return tickets, err
}

// DefineGroup is Operations.DefineGroup.
func (c *Client) DefineGroup(ctx context.Context, owner keys.Owner) (id ledger.StudyID, err error) {
	err = c.do(ctx, pathGroups, groupRequest{Owner: owner}, nil, &id)
	return id, err
}

// PublishStudies is Operations.PublishStudies.
func (c *Client) PublishStudies(ctx context.Context, studyInstanceUIDs []string) ([]*gateway.Ticket, error) {
	var tickets []*gateway.Ticket
	err := c.do(ctx, pathNamed, namedRequest{Studies: studyInstanceUIDs}, nil, &tickets)
	return tickets, err
}

// Ticket is Operations.Ticket.
func (c *Client) Ticket(ctx context.Context, study string) (*Ticket, error) {
	var t Ticket
	err := c.do(ctx, pathTicket, studyRequest{Study: study}, nil, &t)
	return &t, err
}

// Published is Operations.Published.
func (c *Client) Published(ctx context.Context, since time.Time) (all []Published, err error) {
	err = c.do(ctx, pathList, listRequest{Since: since}, nil, &all)
	return all, err
}

// BackFill is Operations.BackFill.
func (c *Client) BackFill(ctx context.Context, r BackFillRequest, progress func(Progress)) (*BackFilled, error) {
	var b BackFilled
	err := c.do(ctx, pathBackFill, r, progress, &b)
	return &b, err
}

// Watcher is Operations.Watcher.
func (c *Client) Watcher(ctx context.Context) (*Watcher, error) {
	var w Watcher
	err := c.do(ctx, pathWatcher, struct{}{}, nil, &w)
	return &w, err
}

// Act is Operations.Act.
func (c *Client) Act(ctx context.Context, study string, act Act) error {
	return c.do(ctx, pathAct, actRequest{Study: study, Act: act}, nil, &struct{}{})
}

// do sends a request and reads the events of the answer.
func (c *Client) do(ctx context.Context, path string, request any, progress func(Progress), result any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint.URL+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("reading %s: %w", File, err)
	}
	r.Header.Set("Authorization", "Bearer "+c.endpoint.Token)
	response, err := c.http.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNotRunning
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxRequestBytes))
		return fmt.Errorf("the server answered %s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	return readEvents(response.Body, progress, result)
}

// readEvents reads up to the result or the error. A stream that ends before is an error: the server stopped.
func readEvents(r io.Reader, progress func(Progress), result any) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEventBytes)
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("reading the server's answer: %w", err)
		}
		switch {
		case e.Error != "":
			return errors.New(e.Error)
		case e.Result != nil:
			return json.Unmarshal(e.Result, result)
		case e.Progress != nil && progress != nil:
			progress(*e.Progress)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return errors.New("the server stopped before it was done: see its log, and try again")
}
