package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"collimate/dicom"
	"collimate/pacs"
)

// PACS is what a protocol offers. Its errors carry no UID, URL or text of a patient. Errors other than
// pacs.ErrNotFound and ErrRefused are taken as passing, and the call is made again.
type PACS interface {
	// List lists a study, pacs.ErrNotFound if there is none. Of the instances Size and CRC32 stay zero, and
	// SOPClassUID and TransferSyntaxUID may stay empty. An answer that is shorter than the PACS itself says it has to be is an
	// error. The order is free.
	List(ctx context.Context, studyInstanceUID string) (*pacs.Study, error)

	// Studies is pacs.Lister's.
	Studies(ctx context.Context, from time.Time) iter.Seq2[pacs.Summary, error]

	// Fetch opens an instance as a Part 10 file, in the bytes that are stored. Reading ends in io.EOF only if
	// the protocol has said that this was all of it. Close before that gives the rest up.
	Fetch(ctx context.Context, i pacs.Instance) (io.ReadCloser, error)
}

// ErrRefused is wrapped by a PACS that does not let us in: there is no use in trying again.
var ErrRefused = errors.New("the PACS refuses us")

// errChanged is an instance that is not what was measured.
var errChanged = errors.New("the PACS gave other bytes than when the study was listed; ask again")

// Archive is a pacs.Archive over a PACS.
type Archive struct {
	pacs  PACS
	index *index

	mu      sync.Mutex
	studies map[string]*turn // being listed
}

var _ interface {
	pacs.Archive
	pacs.Lister
} = (*Archive)(nil)

// Open makes an Archive of p that keeps its measurements in dir.
func Open(p PACS, dir string) (*Archive, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the index of the PACS: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the index of the PACS: %w", err)
	}
	x := &index{root: root, max: maxStudies}
	if err := x.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("opening the index of the PACS: %w", err)
	}
	return &Archive{pacs: p, index: x, studies: make(map[string]*turn)}, nil
}

// Close releases the index, and the PACS if it is an io.Closer.
func (a *Archive) Close() error {
	err := a.index.root.Close()
	if c, ok := a.pacs.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}

// Study implements pacs.Archive. The first listing of a study reads all of it. Stored is when the newest instance
// was measured, as no PACS says when it came.
func (a *Archive) Study(ctx context.Context, studyInstanceUID string) (*pacs.Study, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if dicom.CheckUID(studyInstanceUID) != nil {
		return nil, fmt.Errorf("study: %w", pacs.ErrNotFound)
	}
	done, err := a.take(ctx, studyInstanceUID)
	if err != nil {
		return nil, err
	}
	defer done()
	var s *pacs.Study
	err = retry(ctx, func() (err error) {
		s, err = a.pacs.List(ctx, studyInstanceUID)
		if err == nil {
			err = check(s, studyInstanceUID)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing a study of the PACS: %w", err)
	}
	s.Sort()
	if err := a.measure(ctx, s); err != nil {
		return nil, fmt.Errorf("measuring a study of the PACS: %w", err)
	}
	return s, nil
}

// check holds a listing against what every listing is.
func check(s *pacs.Study, uid string) error {
	if s.InstanceUID != uid {
		return errors.New("the PACS lists another study than was asked for")
	}
	seen := make(map[string]bool)
	for _, series := range s.Series {
		if err := dicom.CheckUID(series.InstanceUID); err != nil {
			return fmt.Errorf("the PACS lists a series: %w", err)
		}
		for _, i := range series.Instances {
			if err := dicom.CheckUID(i.SOPInstanceUID); err != nil {
				return fmt.Errorf("the PACS lists an instance: %w", err)
			}
			if seen[i.SOPInstanceUID] {
				return errors.New("the PACS lists an instance twice")
			}
			seen[i.SOPInstanceUID] = true
		}
	}
	switch {
	case len(seen) == 0:
		return fmt.Errorf("a study without instances: %w", pacs.ErrNotFound)
	case len(seen) > dicom.MaxInstances:
		return fmt.Errorf("the study has more than %d instances", dicom.MaxInstances)
	}
	return nil
}

// measure fills what the PACS does not tell of the instances in.
func (a *Archive) measure(ctx context.Context, s *pacs.Study) error {
	known := a.index.load(s.InstanceUID)
	now := time.Now().UTC()
	fresh := &record{Stored: known.Stored, Instances: make(map[string]measured, len(known.Instances))}
	var missing []*pacs.Instance
	prints := make(map[*pacs.Instance]digest)
	for n := range s.Series {
		series := &s.Series[n]
		for k := range series.Instances {
			i := &series.Instances[k]
			prints[i] = printOf(s, series, i)
			if m, ok := known.Instances[i.SOPInstanceUID]; ok && m.Print == prints[i] {
				m.fill(i)
				fresh.Instances[i.SOPInstanceUID] = m
			} else {
				missing = append(missing, i)
			}
		}
	}
	if len(missing) == 0 && len(fresh.Instances) == len(known.Instances) {
		s.Stored = known.Stored
		a.index.touch(s.InstanceUID)
		return nil
	}
	var mu sync.Mutex // of fresh
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, i := range missing {
		g.Go(func() error {
			var m measured
			err := retry(gctx, func() (err error) {
				m, err = a.measureOne(gctx, s, *i)
				return err
			})
			if errors.Is(err, pacs.ErrNotFound) {
				// Not wrapped: it is not the study that is not there.
				return errors.New("the PACS lists an instance and does not give it")
			} else if err != nil {
				return err
			}
			m.Print = prints[i]
			m.fill(i)
			mu.Lock()
			defer mu.Unlock()
			fresh.Instances[i.SOPInstanceUID] = m
			fresh.Stored = now
			if len(fresh.Instances)%saveAfter == 0 {
				return a.index.save(s.InstanceUID, fresh)
			}
			return nil
		})
	}
	err := g.Wait()
	if saved := a.index.save(s.InstanceUID, fresh); err == nil {
		err = saved
	}
	s.Stored = fresh.Stored
	return err
}

// measureOne reads one instance of a study to its end.
func (a *Archive) measureOne(ctx context.Context, s *pacs.Study, i pacs.Instance) (measured, error) {
	r, err := a.pacs.Fetch(ctx, i)
	if err != nil {
		return measured{}, err
	}
	defer r.Close()
	sum, count := crc32.NewIEEE(), &counter{}
	b := bufio.NewReaderSize(io.TeeReader(r, io.MultiWriter(sum, count)), copyBuffer)
	h, err := dicom.Inspect(b)
	if err != nil {
		return measured{}, fmt.Errorf("an instance that the PACS gives: %w", err)
	}
	if _, err := io.Copy(io.Discard, b); err != nil {
		return measured{}, err
	}
	if h.Text(dicom.SOPInstanceUID) != i.SOPInstanceUID || h.Text(dicom.StudyInstanceUID) != i.StudyInstanceUID ||
		i.SOPClassUID != "" && h.Text(dicom.SOPClassUID) != i.SOPClassUID {
		return measured{}, errors.New("the PACS gave another instance than was asked for")
	}
	if err := h.Validate(); err != nil {
		return measured{}, fmt.Errorf("an instance that the PACS gives: %w", err)
	}
	return measured{
		Size: count.n, CRC32: sum.Sum32(),
		SOPClassUID: h.Text(dicom.SOPClassUID), TransferSyntaxUID: h.TransferSyntaxUID,
		OtherPatient: ofAnother(s, h.Text(dicom.PatientID), h.Text(dicom.IssuerOfPatientID)),
	}, nil
}

// ofAnother reports whether an instance names another patient than its study. Where the PACS says none of the study,
// any is another's: instances are looked at one by one, and two of them might name two.
func ofAnother(s *pacs.Study, patientID, issuer string) bool {
	return s.PatientID == "" && patientID != "" || s.Contradicts(patientID, issuer)
}

// counter counts what is written to it.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// Open implements pacs.Archive. The last bytes are handed out only after size and checksum of the whole were held
// against the listing.
func (a *Archive) Open(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, uid := range []string{i.StudyInstanceUID, i.SeriesInstanceUID, i.SOPInstanceUID, i.SOPClassUID} {
		if dicom.CheckUID(uid) != nil {
			return nil, fmt.Errorf("opening an instance: %w", pacs.ErrNotFound)
		}
	}
	var o *opened
	err := retry(ctx, func() error {
		r, err := a.pacs.Fetch(ctx, i)
		if err != nil {
			return err
		}
		o = &opened{
			archive: a, instance: i, c: r, r: bufio.NewReaderSize(r, readAhead), left: i.Size, sum: crc32.NewIEEE(),
		}
		if _, err := o.r.Peek(readAhead); err != nil && err != io.EOF {
			r.Close()
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening an instance of the PACS: %w", err)
	}
	return o, nil
}

// opened reads an instance and holds it against its listing.
type opened struct {
	archive  *Archive // nil if the bytes are not what a listing is measured by
	instance pacs.Instance
	c        io.Closer
	r        *bufio.Reader
	left     int64
	sum      hash.Hash32
	err      error // the end, good or bad
}

func (o *opened) Read(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := 0, error(nil)
	if o.left > 0 {
		n, err = o.r.Read(b[:min(int64(len(b)), o.left)])
		o.sum.Write(b[:n])
		o.left -= int64(n)
	}
	switch {
	case err == io.EOF:
		return o.fail(errChanged) // it ended well, but early
	case err != nil:
		return o.fail(fmt.Errorf("reading an instance of the PACS: %w", err))
	case o.left > 0:
		return n, nil
	}
	if _, err := o.r.ReadByte(); err == nil {
		return o.fail(errChanged)
	} else if err != io.EOF {
		return o.fail(fmt.Errorf("reading an instance of the PACS: %w", err))
	}
	if o.sum.Sum32() != o.instance.CRC32 {
		return o.fail(errChanged)
	}
	o.err = io.EOF
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// fail ends reading. Bytes that are not as listed are measured again at the next listing.
func (o *opened) fail(err error) (int, error) {
	o.err = err
	if errors.Is(err, errChanged) && o.archive != nil {
		o.archive.forget(o.instance)
	}
	return 0, err
}

func (o *opened) Close() error { return o.c.Close() }

// forget drops what is known of an instance.
func (a *Archive) forget(i pacs.Instance) {
	done, err := a.take(context.Background(), i.StudyInstanceUID)
	if err != nil {
		return
	}
	defer done()
	known := a.index.load(i.StudyInstanceUID)
	m, ok := known.Instances[i.SOPInstanceUID]
	if !ok || m.Size != i.Size || m.CRC32 != i.CRC32 { // it was never so, or is known better by now
		return
	}
	delete(known.Instances, i.SOPInstanceUID)
	if a.index.save(i.StudyInstanceUID, known) != nil {
		a.index.remove(i.StudyInstanceUID)
	}
}

// turn is the right to list a study; whoever is second waits and finds it measured.
type turn struct {
	free    chan struct{} // holds one token while nobody lists
	holders int           // those who list or wait
}

func (a *Archive) take(ctx context.Context, study string) (done func(), err error) {
	a.mu.Lock()
	t := a.studies[study]
	if t == nil {
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		a.studies[study] = t
	}
	t.holders++
	a.mu.Unlock()
	leave := func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if t.holders--; t.holders == 0 {
			delete(a.studies, study)
		}
	}
	select {
	case <-t.free:
		return func() { t.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// retry calls do until it succeeds, fails for good, or has failed often enough.
func retry(ctx context.Context, do func() error) error {
	pause := backOff
	for n := 1; ; n++ {
		err := do()
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		if err == nil || n == attempts || errors.Is(err, pacs.ErrNotFound) || errors.Is(err, ErrRefused) {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause *= 2
	}
}
