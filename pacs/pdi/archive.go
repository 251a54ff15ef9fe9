package pdi

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

// Archive is the ZIP archive of one study, planned to the byte and not yet written. It does not change and may
// be written any number of times, also concurrently.
type Archive struct {
	dicomdir  []byte
	entries   []entry // DICOMDIR first
	instances []pacs.Instance
	modified  dosTime
	directory []byte // central directory and what follows it
	size      int64
}

// New plans the archive of a study. It reads no instance: their sizes and checksums are in the listing. An
// error says that the study cannot be laid out, such as by a UID that is none; it quotes nothing of it.
func New(s *pacs.Study) (*Archive, error) {
	listing := study(s)
	dicomdir, err := dicom.Directory(listing)
	if err != nil {
		return nil, fmt.Errorf("laying out a study: %w", err)
	}
	a := &Archive{dicomdir: dicomdir, modified: modified(s.Date)}
	a.add("DICOMDIR", int64(len(dicomdir)), crc32.ChecksumIEEE(dicomdir))
	for n, series := range s.Series {
		for k, i := range series.Instances {
			if i.Size < 0 || i.Size > maxInstanceBytes {
				return nil, fmt.Errorf("laying out a study: an instance of %d bytes", i.Size)
			}
			a.instances = append(a.instances, i)
			a.add(strings.Join(listing.Series[n].Instances[k].FileID, "/"), i.Size, i.CRC32)
		}
	}
	a.directory = appendDirectory(nil, a.entries, a.modified)
	a.size += int64(len(a.directory))
	return a, nil
}

// add appends an entry where the archive ends so far.
func (a *Archive) add(name string, size int64, crc uint32) {
	e := entry{name: name, size: uint64(size), crc: crc, offset: uint64(a.size)}
	a.entries = append(a.entries, e)
	a.size += int64(len(e.appendLocal(nil, a.modified))) + size
}

// modified is the time that all entries carry, midnight of the study date, so that it does not depend on when
// or where the archive is made.
func modified(studyDate string) dosTime {
	t, err := time.Parse("20060102", studyDate)
	if err != nil {
		return dosTimeOf(time.Time{})
	}
	return dosTimeOf(t)
}

// Size returns the length of the archive in bytes.
func (a *Archive) Size() int64 { return a.size }

// WriteArchive writes the archive, opening one instance at a time, and returns the number of bytes written:
// Size, or fewer and an error. An instance that is shorter, longer or other than its listing says is an
// error as soon as it shows; the bytes that were written till then are of no use to anyone, and the caller
// must make the reader see that, by breaking the connection.
func (a *Archive) WriteArchive(w io.Writer, open func(pacs.Instance) (io.ReadCloser, error)) (int64, error) {
	c := copier{w: w, buffer: make([]byte, copyBuffer)}
	c.write(a.entries[0].appendLocal(nil, a.modified))
	c.write(a.dicomdir)
	for n, i := range a.instances {
		c.write(a.entries[n+1].appendLocal(nil, a.modified))
		c.instance(i, open)
		if c.err != nil {
			return c.written, fmt.Errorf("writing instance %d of %d: %w", n+1, len(a.instances), c.err)
		}
	}
	c.write(a.directory)
	return c.written, c.err
}

// WriterTo returns the archive over open as an io.WriterTo.
func (a *Archive) WriterTo(open func(pacs.Instance) (io.ReadCloser, error)) io.WriterTo {
	return writerTo{a, open}
}

type writerTo struct {
	archive *Archive
	open    func(pacs.Instance) (io.ReadCloser, error)
}

func (t writerTo) WriteTo(w io.Writer) (int64, error) { return t.archive.WriteArchive(w, t.open) }

// copier writes until the first error and counts.
type copier struct {
	w       io.Writer
	buffer  []byte
	written int64
	err     error
}

// Write lets instances pass to w and counts them.
func (c *copier) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.written += int64(n)
	return n, err
}

func (c *copier) write(b []byte) {
	if c.err == nil {
		_, c.err = c.Write(b)
	}
}

// instance copies one instance and holds it against its listing.
func (c *copier) instance(i pacs.Instance, open func(pacs.Instance) (io.ReadCloser, error)) {
	if c.err == nil {
		c.err = c.copy(i, open)
	}
}

func (c *copier) copy(i pacs.Instance, open func(pacs.Instance) (io.ReadCloser, error)) error {
	r, err := open(i)
	if err != nil {
		return err
	}
	defer r.Close()
	checksum := crc32.NewIEEE()
	n, err := io.CopyBuffer(io.MultiWriter(c, checksum), io.LimitReader(r, i.Size), c.buffer)
	switch {
	case err != nil:
		return err
	case n < i.Size:
		return fmt.Errorf("it ends after %d of %d bytes: %w", n, i.Size, io.ErrUnexpectedEOF)
	case checksum.Sum32() != i.CRC32:
		return errors.New("its checksum is not the one listed")
	}
	if n, err := io.ReadFull(r, c.buffer[:1]); n > 0 {
		return fmt.Errorf("it goes on after the %d bytes listed", i.Size)
	} else if err != io.EOF {
		return err
	}
	return nil
}
