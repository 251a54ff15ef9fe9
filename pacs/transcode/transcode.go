// Package transcode gives an instance in a transfer syntax that its reader can take, as RAD-69 and WADO-RS ask.
//
//	stored in one that is listed       the stored bytes, nothing touched
//	uncompressed, deflated or RLE      dicom.Recode, to the first listed that it can make
//	anything else                      a program of the operator's, to the first listed; none unless configured
//	                                   otherwise *dicom.TransferSyntaxError: urn:dicom:wado:0007
//
// What is not as stored is made whole in a file before the first byte is handed out, so that it has a size and whatever
// fails does so politely. The file has no name once it is open, and is gone when it is closed or the process ends.
//
// The program is started without a shell, with the paths of two files and the UID of a transfer syntax in its arguments;
// neither path tells anything of the patient. What it makes is held against what was asked: the same SOP instance, the
// transfer syntax, a file that ends where its elements do.
package transcode

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

const (
	// maxListed bounds the transfer syntaxes that are looked at: more than there are.
	maxListed = 100

	// defaultTimeout is how long the program may take for one instance.
	defaultTimeout = 2 * time.Minute

	// waitDelay is what is waited for a program that was killed.
	waitDelay = 5 * time.Second
)

// Config says what to do where stored bytes and dicom.Recode do not serve.
type Config struct {
	// Dir is where files are made; "" for the system's folder.
	Dir string
	// Command is a program and its arguments, of which {in}, {out} and {syntax} are replaced; nil for none. For
	// example gdcmconv --raw {in} {out}. It runs with our rights: name it by its whole path.
	Command []string
	// Syntaxes are those that the program can make.
	Syntaxes []string
	// Timeout bounds it; 0 for two minutes.
	Timeout time.Duration
}

// Validate reports all that is wrong.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Command) > 0 {
		if !filepath.IsAbs(c.Command[0]) {
			errs = append(errs, errors.New("the transcoder is not named by its whole path"))
		}
		if !slices.Contains(c.Command, "{in}") || !slices.Contains(c.Command, "{out}") {
			errs = append(errs, errors.New("the transcoder's arguments lack {in} or {out}"))
		}
		if len(c.Syntaxes) == 0 {
			errs = append(errs, errors.New("the transcoder makes no transfer syntax: list those that it makes"))
		}
	}
	for _, s := range c.Syntaxes {
		if err := dicom.CheckUID(s); err != nil {
			errs = append(errs, fmt.Errorf("a transfer syntax of the transcoder: %w", err))
		}
	}
	if c.Timeout < 0 {
		errs = append(errs, errors.New("the transcoder's time-out is negative"))
	}
	return errors.Join(errs...)
}

// Transcoder opens instances in transfer syntaxes. It may be called concurrently; as many instances as there are
// processors are recoded at a time, and the others wait.
type Transcoder struct {
	config Config
	turns  chan struct{} // a token for each instance that is being recoded
}

// New makes a Transcoder.
func New(c Config) (*Transcoder, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return &Transcoder{c, make(chan struct{}, runtime.GOMAXPROCS(0))}, nil
}

// Document is an instance in a transfer syntax. Reading it yields exactly Size bytes, or an error.
type Document struct {
	io.ReadCloser
	TransferSyntaxUID string
	Size              int64
}

// Choose returns the transfer syntax that Open would give an instance in, and a *dicom.TransferSyntaxError if none will
// do. It reads nothing: pixels that RLE cannot hold are found by Open. listed is in the order of preference, but what
// is stored goes first wherever it stands.
func (t *Transcoder) Choose(stored string, listed []string) (string, error) {
	listed = listed[:min(len(listed), maxListed)]
	if slices.Contains(listed, stored) {
		return stored, nil
	}
	for _, to := range listed {
		if dicom.CanRecode(stored, to) {
			return to, nil
		}
	}
	for _, to := range listed {
		if slices.Contains(t.config.Syntaxes, to) && len(t.config.Command) > 0 {
			return to, nil
		}
	}
	return "", &dicom.TransferSyntaxError{From: stored, To: strings.Join(listed, ", ")}
}

// Open opens an instance of an archive in one of the transfer syntaxes that are listed.
func (t *Transcoder) Open(ctx context.Context, a pacs.Archive, i pacs.Instance, listed []string) (*Document, error) {
	to, err := t.Choose(i.TransferSyntaxUID, listed)
	if err != nil {
		return nil, err
	}
	if to == i.TransferSyntaxUID {
		r, err := a.Open(ctx, i)
		if err != nil {
			return nil, err
		}
		return &Document{r, to, i.Size}, nil
	}
	select {
	case t.turns <- struct{}{}:
		defer func() { <-t.turns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to recode an instance: %w", ctx.Err())
	}
	r, err := a.Open(ctx, i)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var f *os.File
	if dicom.CanRecode(i.TransferSyntaxUID, to) {
		f, err = t.recode(r, to)
	} else {
		f, err = t.run(ctx, r, i, to)
	}
	if err != nil {
		return nil, fmt.Errorf("recoding an instance: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("recoding an instance: %w", err)
	}
	return &Document{f, to, size}, nil
}

// recode makes the file ourselves.
func (t *Transcoder) recode(r io.Reader, to string) (*os.File, error) {
	f, err := os.CreateTemp(t.config.Dir, "recoded-*")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // it stays while it is open
	if err := dicom.Recode(f, r, to); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// run has the program make the file.
func (t *Transcoder) run(ctx context.Context, r io.Reader, i pacs.Instance, to string) (*os.File, error) {
	dir, err := os.MkdirTemp(t.config.Dir, "recoded-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "in-"+rand.Text()), filepath.Join(dir, "out-"+rand.Text())
	f, err := os.OpenFile(in, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(f, r)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	args := slices.Clone(t.config.Command)
	for n, arg := range args {
		args[n] = strings.NewReplacer("{in}", in, "{out}", out, "{syntax}", to).Replace(arg)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.WaitDelay = dir, waitDelay
	if err := cmd.Run(); err != nil { // what it prints may tell of the patient and is dropped
		return nil, fmt.Errorf("the transcoder: %w", err)
	}
	if f, err = os.Open(out); err != nil {
		return nil, errors.New("the transcoder has made no file")
	}
	if err := made(f, i, to); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// made holds what the program has made against what was asked.
func made(f *os.File, i pacs.Instance, to string) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.New("the transcoder has made no file")
	}
	h, err := dicom.Inspect(f)
	if err != nil {
		return fmt.Errorf("what the transcoder has made: %w", err)
	}
	switch {
	case h.TransferSyntaxUID != to:
		return &dicom.TransferSyntaxError{From: i.TransferSyntaxUID, To: to}
	case h.Validate() != nil || h.Text(dicom.SOPInstanceUID) != i.SOPInstanceUID ||
		h.Text(dicom.StudyInstanceUID) != i.StudyInstanceUID || h.Text(dicom.SeriesInstanceUID) != i.SeriesInstanceUID:
		return errors.New("the transcoder has made another instance")
	}
	return nil
}
