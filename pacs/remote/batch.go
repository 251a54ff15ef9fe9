package remote

import (
	"bufio"
	"bytes"
	"context"
	"hash"
	"hash/crc32"
	"io"

	"collimate/dicom"
	"collimate/pacs"
)

// SeriesPACS is a PACS that gives all instances of a series in one answer, at less cost than one by one.
type SeriesPACS interface {
	PACS
	// FetchSeries opens a series: its instances as Part 10 files, in the bytes that are stored, in any order.
	FetchSeries(ctx context.Context, studyInstanceUID, seriesInstanceUID string) (Parts, error)
}

// Parts are the instances of one answer.
type Parts interface {
	// Next returns the next instance, which can be read until Next is called again. It returns io.EOF only if
	// the protocol has said that this was all.
	Next() (io.Reader, error)
	Close() error
}

var _ pacs.Batcher = (*Archive)(nil)

// Batch implements pacs.Batcher: where many instances of a series are wanted, and the PACS can, the series is asked for as
// a whole. It is a short cut and no more: each instance is held against its listing as Open does, what the answer does
// not have is opened by itself, and an instance that breaks off is gone on with by itself from where it stood.
func (a *Archive) Batch(instances []pacs.Instance) pacs.Batch {
	b := &batch{archive: a, instances: instances, given: make([]bool, len(instances)), buffer: bufio.NewReaderSize(nil, readAhead)}
	b.pacs, _ = a.pacs.(SeriesPACS)
	type series struct{ study, series string }
	at := make(map[series]int)
	for n, i := range instances {
		of := series{i.StudyInstanceUID, i.SeriesInstanceUID}
		k, ok := at[of]
		if !ok {
			k = len(b.series)
			at[of] = k
			b.series = append(b.series, nil)
		}
		b.series[k] = append(b.series[k], n)
	}
	return b
}

// batch gives instances series by series.
type batch struct {
	archive   *Archive
	pacs      SeriesPACS // nil if the PACS is none
	instances []pacs.Instance
	given     []bool
	series    [][]int        // what is to be read after the present one: indices of instances
	rest      []int          // of the present series
	parts     Parts          // the answer that has them; nil if they are opened by themselves
	wanted    map[string]int // from it: indices by SOP Instance UID
	idle      int            // instances that came in vain
	buffer    *bufio.Reader  // of the instance that is being read
}

// Next implements pacs.Batch.
func (b *batch) Next(ctx context.Context) (int, io.ReadCloser, error) {
	for {
		for b.parts != nil {
			r, uid, err := b.part()
			if err != nil {
				b.giveUp()
				break
			}
			if n, ok := b.wanted[uid]; ok {
				delete(b.wanted, uid)
				b.given[n] = true
				return n, b.check(ctx, b.instances[n], r), nil
			}
			if b.idle++; b.idle > maxIdleParts+len(b.rest) {
				b.giveUp()
			}
		}
		for len(b.rest) > 0 {
			n := b.rest[0]
			b.rest = b.rest[1:]
			if !b.given[n] {
				b.given[n] = true
				r, err := b.archive.Open(ctx, b.instances[n])
				return n, r, err
			}
		}
		if len(b.series) == 0 {
			return 0, nil, io.EOF
		}
		b.begin(ctx)
	}
}

// begin takes the next series, and asks for it as a whole if many of its instances are wanted.
func (b *batch) begin(ctx context.Context) {
	b.rest, b.series = b.series[0], b.series[1:]
	first := b.instances[b.rest[0]]
	if b.pacs == nil || len(b.rest) < minBatch || dicom.CheckUID(first.StudyInstanceUID) != nil || dicom.CheckUID(first.SeriesInstanceUID) != nil {
		return
	}
	parts, err := b.pacs.FetchSeries(ctx, first.StudyInstanceUID, first.SeriesInstanceUID)
	if err != nil {
		return
	}
	b.parts, b.idle, b.wanted = parts, 0, make(map[string]int, len(b.rest))
	for _, n := range b.rest {
		if _, twice := b.wanted[b.instances[n].SOPInstanceUID]; !twice {
			b.wanted[b.instances[n].SOPInstanceUID] = n
		}
	}
}

// part returns the next instance of the answer and which it is.
func (b *batch) part() (*bufio.Reader, string, error) {
	next, err := b.parts.Next()
	if err != nil {
		return nil, "", err
	}
	r := b.buffer
	r.Reset(next)
	start, err := r.Peek(readAhead)
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	h, err := dicom.ReadHeader(bytes.NewReader(start))
	if err != nil {
		return nil, "", err
	}
	return r, h.Text(dicom.SOPInstanceUID), nil
}

// giveUp ends the answer. What is left of the series is opened by itself.
func (b *batch) giveUp() {
	if b.parts != nil {
		b.parts.Close()
		b.parts = nil
	}
}

// Close implements pacs.Batch.
func (b *batch) Close() error {
	b.giveUp()
	return nil
}

// check holds an instance of an answer against its listing.
func (b *batch) check(ctx context.Context, i pacs.Instance, r *bufio.Reader) io.ReadCloser {
	o := &opened{instance: i, c: io.NopCloser(nil), r: r, left: i.Size, sum: crc32.NewIEEE()}
	return &resumed{ReadCloser: o, batch: b, ctx: ctx, instance: i, sum: crc32.NewIEEE()}
}

// resumed reads an instance of an answer, and goes on with the instance by itself if the answer fails.
type resumed struct {
	io.ReadCloser
	batch    *batch
	ctx      context.Context
	instance pacs.Instance
	alone    bool
	n        int64 // bytes handed out of the answer
	sum      hash.Hash32
}

func (r *resumed) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.alone {
		return n, err
	}
	r.n += int64(n)
	r.sum.Write(p[:n])
	if err == nil || err == io.EOF || r.ctx.Err() != nil {
		return n, err
	}
	if err := r.resume(); err != nil || n > 0 {
		return n, err
	}
	return r.ReadCloser.Read(p)
}

// resume opens the instance by itself, where the answer broke off. The bytes before have to be those that were handed out.
func (r *resumed) resume() error {
	r.alone = true
	r.batch.giveUp()
	again, err := r.batch.archive.Open(r.ctx, r.instance)
	if err != nil {
		return err
	}
	r.ReadCloser = again
	before := crc32.NewIEEE()
	if _, err := io.CopyN(before, again, r.n); err != nil {
		return err
	}
	if before.Sum32() != r.sum.Sum32() {
		return errChanged
	}
	return nil
}
