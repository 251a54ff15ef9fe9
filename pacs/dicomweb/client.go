package dicomweb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"collimate/dicom"
	"collimate/pacs"
	"collimate/pacs/remote"
	"collimate/soap/mtom"
)

// Config says where the PACS is and who we are to it.
type Config struct {
	// URL is the root of the DICOMweb services, such as https://pacs.example/dicom-web.
	URL string
	// User and Password are sent by HTTP basic authentication if User is not empty.
	User, Password string
	// Token returns a bearer token, for each request anew as tokens run out; nil for none.
	Token func(context.Context) (string, error)
	// TLS holds the authorities of the PACS and our client certificate; nil for those of the system and none.
	TLS *tls.Config
	// Plain allows http to another machine: images, names and credentials then travel for all to read.
	Plain bool
	// Idle is how long the PACS may be silent; 0 for a minute.
	Idle time.Duration
}

// Validate reports all that is wrong.
func (c *Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the URL of the PACS is no http or https URL")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		errs = append(errs, errors.New("the URL of the PACS has credentials, a query or a fragment: give credentials apart"))
	case u.Scheme == "http" && !c.Plain && !loopback(u.Hostname()):
		errs = append(errs, errors.New("the URL of the PACS is http to another machine: use https, or allow it"))
	}
	if c.User != "" && c.Token != nil {
		errs = append(errs, errors.New("the PACS has both a user and a token: give one"))
	}
	if c.Idle < 0 {
		errs = append(errs, errors.New("the time-out of the PACS is negative"))
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Client is a PACS that speaks DICOMweb.
type Client struct {
	config Config
	base   string
	http   *http.Client
}

var _ remote.SeriesPACS = (*Client)(nil)

// New makes a Client. It does not connect.
func New(c Config) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("DICOMweb: %w", err)
	}
	if c.Idle == 0 {
		c.Idle = defaultIdle
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:       c.TLS.Clone(),
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: c.Idle,
		IdleConnTimeout:       keepConnection,
		MaxConnsPerHost:       maxConnections,
		MaxIdleConnsPerHost:   maxConnections,
		DisableCompression:    true, // what is stored is wanted, and compressed pixels do not shrink
		ReadBufferSize:        64 << 10,
	}
	return &Client{config: c, base: strings.TrimRight(c.URL, "/"), http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes the idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// statusError is an answer other than 200 and 204.
type statusError int

// Error returns the status.
func (e statusError) Error() string {
	return fmt.Sprintf("the PACS answers with HTTP status %d %s", int(e), http.StatusText(int(e)))
}

// Unwrap sorts the status.
func (e statusError) Unwrap() error {
	switch int(e) {
	case http.StatusNotFound, http.StatusGone:
		return pacs.ErrNotFound
	case http.StatusTooManyRequests, http.StatusRequestTimeout:
		return nil
	}
	if e < 500 { // a wrong password, a redirect, a request that it does not understand: no use in trying again
		return remote.ErrRefused
	}
	return nil
}

// get sends a request and returns its answer, of status 200 or 204.
func (c *Client) get(ctx context.Context, path, accept string) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		cancel(nil)
		return nil, errors.New("the request to the PACS cannot be made: check its URL")
	}
	req.Header.Set("Accept", accept)
	switch {
	case c.config.User != "":
		req.SetBasicAuth(c.config.User, c.config.Password)
	case c.config.Token != nil:
		token, err := c.config.Token(ctx)
		if err != nil {
			cancel(nil)
			return nil, fmt.Errorf("the token for the PACS: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		cancel(nil)
		return nil, bare(err)
	}
	resp.Body = &watched{body: resp.Body, cancel: cancel, ctx: ctx, idle: c.config.Idle}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		resp.Body.Close()
		return nil, statusError(resp.StatusCode)
	}
	return resp, nil
}

// bare takes the URL, which names a study, out of an error of net/http. A certificate that is not taken, ours or
// theirs, is no passing trouble.
func bare(err error) error {
	if outer := new(url.Error); errors.As(err, &outer) {
		err = outer.Err
	}
	alert, invalid := new(net.OpError), new(tls.CertificateVerificationError)
	if errors.As(err, &alert) && alert.Op == "remote error" || errors.As(err, &invalid) {
		return fmt.Errorf("%w: %w", remote.ErrRefused, err)
	}
	return fmt.Errorf("the PACS: %w", err)
}

// errSilent is the cause of an answer that was given up.
var errSilent = errors.New("the PACS has been silent for too long")

// watched gives an answer up when nothing comes for a while. The time that the reader takes does not count.
type watched struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	idle   time.Duration
	timer  *time.Timer
}

func (w *watched) Read(b []byte) (int, error) {
	if w.timer == nil {
		w.timer = time.AfterFunc(w.idle, func() { w.cancel(errSilent) })
	} else {
		w.timer.Reset(w.idle)
	}
	n, err := w.body.Read(b)
	w.timer.Stop()
	if err != nil && err != io.EOF {
		if cause := context.Cause(w.ctx); cause != nil {
			err = cause
		}
		err = bare(err)
	}
	return n, err
}

func (w *watched) Close() error {
	if w.timer != nil {
		w.timer.Stop()
	}
	err := w.body.Close()
	w.cancel(nil)
	return err
}

// acceptStored asks for instances in the bytes that are stored. DICOM PS3.18 8.7.3.5.2
const acceptStored = `multipart/related; type="application/dicom"; transfer-syntax=*`

// Fetch implements remote.PACS.
func (c *Client) Fetch(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	for _, uid := range []string{i.StudyInstanceUID, i.SeriesInstanceUID, i.SOPInstanceUID} {
		if dicom.CheckUID(uid) != nil {
			return nil, pacs.ErrNotFound
		}
	}
	path := "/studies/" + i.StudyInstanceUID + "/series/" + i.SeriesInstanceUID + "/instances/" + i.SOPInstanceUID
	resp, err := c.get(ctx, path, acceptStored)
	if err != nil {
		return nil, err
	}
	r, err := single(resp)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return r, nil
}

// FetchSeries implements remote.SeriesPACS.
func (c *Client) FetchSeries(ctx context.Context, studyInstanceUID, seriesInstanceUID string) (remote.Parts, error) {
	for _, uid := range []string{studyInstanceUID, seriesInstanceUID} {
		if dicom.CheckUID(uid) != nil {
			return nil, pacs.ErrNotFound
		}
	}
	resp, err := c.get(ctx, "/studies/"+studyInstanceUID+"/series/"+seriesInstanceUID, acceptStored)
	if err != nil {
		return nil, err
	}
	p, err := newParts(resp)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return p, nil
}

// parts are the instances of an answer.
type parts struct {
	body io.ReadCloser
	all  *mtom.Reader
}

func newParts(resp *http.Response) (*parts, error) {
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/related" || params["boundary"] == "" {
		return nil, errors.New("the PACS does not answer with multipart/related, as WADO-RS does")
	}
	all, err := mtom.NewPartsReader(resp.Body, params["boundary"], mtom.Limits{Parts: dicom.MaxInstances, HeaderBytes: maxPartHeader})
	if err != nil {
		return nil, broken(err)
	}
	return &parts{resp.Body, all}, nil
}

// Next implements remote.Parts: io.EOF stands behind the closing boundary.
func (p *parts) Next() (io.Reader, error) {
	next, err := p.all.Next()
	if err == io.EOF {
		return nil, io.EOF
	} else if err != nil {
		return nil, broken(err)
	}
	if kind, _, err := mime.ParseMediaType(next.ContentType); err != nil || kind != "application/dicom" {
		return nil, errors.New("the PACS answers with something other than application/dicom")
	}
	return next, nil
}

// Close implements remote.Parts.
func (p *parts) Close() error { return p.body.Close() }

// single returns the one part of an answer.
func single(resp *http.Response) (*part, error) {
	all, err := newParts(resp)
	if err != nil {
		return nil, err
	}
	first, err := all.Next()
	if err == io.EOF {
		return nil, fmt.Errorf("the PACS answers with no instance: %w", pacs.ErrNotFound)
	} else if err != nil {
		return nil, err
	}
	return &part{parts: all, part: first}, nil
}

// broken says what is wrong with an answer.
func broken(err error) error {
	malformed := new(mtom.FormatError)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the answer of the PACS breaks off")
	case errors.As(err, &malformed):
		return errors.New("the answer of the PACS: " + malformed.Msg)
	}
	return err
}

// part reads the one part of an answer; it ends well only behind the closing boundary.
type part struct {
	*parts
	part io.Reader
	err  error
}

func (p *part) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.part.Read(b)
	if err == io.EOF {
		err = p.end()
	} else if err != nil {
		err = broken(err)
	}
	p.err = err
	return n, err
}

// end returns io.EOF if this was all that was promised.
func (p *part) end() error {
	if _, err := p.parts.Next(); err != nil {
		return err
	}
	return errors.New("the PACS answers with more than one instance")
}
