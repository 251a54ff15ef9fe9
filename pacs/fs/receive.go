package fs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"
	"os"
	"path"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

// grown is a study that instances are coming for: its index with its journal, as they are on disk.
type grown struct {
	index   *index
	file    os.FileInfo // of the index; nil if there is none
	journal int64       // bytes of its journal
}

// Receive takes one instance, a Part 10 file that r yields to its end. When it returns without an error the instance is
// on disk and listed, or was before. pacs.ErrUnfit refuses what cannot be held, pacs.ErrConflict other bytes for what
// is, pacs.ErrOtherPatient an image of another patient under the UID of a study. While an import runs, Receive waits for its end or ctx's.
func (a *Archive) Receive(ctx context.Context, r io.Reader) error {
	if err := a.takeReceiver(); err != nil {
		return fmt.Errorf("receiving an instance: %w", err)
	}
	unlock, err := a.waitShare(ctx)
	if err != nil {
		return fmt.Errorf("receiving an instance: %w", err)
	}
	defer unlock()
	c, err := a.copy(&source{r: r}, make([]byte, copyBuffer))
	if err != nil {
		return fmt.Errorf("receiving an instance: %w", err)
	}
	defer a.root.Remove(c.path) // to no effect after the rename
	h, err := a.header(c.path)
	if err != nil {
		return fmt.Errorf("receiving an instance: %w: %w", pacs.ErrUnfit, err)
	}
	a.receiving.Lock()
	defer a.receiving.Unlock()
	if err := a.takeIn(c, h); err != nil {
		return fmt.Errorf("receiving an instance: %w", err)
	}
	return nil
}

// takeReceiver makes this the process that receives.
func (a *Archive) takeReceiver() error {
	a.receiving.Lock()
	defer a.receiving.Unlock()
	if a.receiver != nil {
		return nil
	}
	release, err := a.receive()
	if err == nil {
		a.receiver, a.growing = release, make(map[string]*grown)
	}
	return err
}

// waitShare takes the archive for an instance, after the import that runs.
func (a *Archive) waitShare(ctx context.Context) (unlock func(), err error) {
	for {
		unlock, err := a.share()
		if !errors.Is(err, ErrBusy) {
			return unlock, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// takeIn makes a copy an instance of its study.
func (a *Archive) takeIn(c copied, h *dicom.Header) error {
	e := entryOf(h, c.size, c.crc, c.digest, time.Now().UTC())
	uid, instance := e.Study.InstanceUID, e.instance().SOPInstanceUID
	g, err := a.grow(uid)
	if err != nil {
		return err
	}
	if held, ok := g.index.Digests[instance]; ok {
		if held != c.digest {
			return pacs.ErrConflict
		}
		return nil
	}
	if err := g.index.admit(e); err != nil {
		return err
	}
	delete(a.growing, uid) // until it is on disk as it is in memory
	dirty := make(map[string]bool)
	if err := a.place(c, objectPath(uid, instance), dirty); err != nil {
		return err
	}
	for dir := range dirty {
		if err := a.syncDir(dir); err != nil {
			return err
		}
	}
	if err := a.note(e, g); err != nil {
		return err
	}
	g.index.add(e)
	if g.journal > foldAfter && (g.file == nil || g.journal > g.file.Size()) {
		return a.commit(g.index, nil)
	}
	if len(a.growing) >= maxGrowing {
		clear(a.growing)
	}
	a.growing[uid] = g
	return nil
}

// grow returns what is held of a study, from memory if nobody else has changed it on disk.
func (a *Archive) grow(uid string) (*grown, error) {
	file, err := a.stat(indexPath(uid))
	if err != nil {
		return nil, err
	}
	journal, err := a.stat(journalPath(uid))
	if err != nil {
		return nil, err
	}
	if g := a.growing[uid]; g != nil && same(g.file, file) && journal != nil && journal.Size() == g.journal {
		return g, nil
	}
	x, err := a.index(uid)
	if errors.Is(err, pacs.ErrNotFound) {
		x, err = &index{Version: indexVersion}, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := a.readFile(journalPath(uid))
	if err != nil {
		return nil, err
	}
	whole, err := new(index).replay(b)
	return &grown{x, file, whole}, err
}

// stat returns nil for a file that is not there.
func (a *Archive) stat(name string) (os.FileInfo, error) {
	info, err := a.root.Stat(name)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

func same(a, b os.FileInfo) bool {
	return a == nil && b == nil || a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime())
}

// note appends an entry to the journal of its study, in place of half a line that may stand at its end.
func (a *Archive) note(e entry, g *grown) error {
	line, err := e.line()
	if err != nil {
		return err
	}
	if err := a.fault("append"); err != nil {
		return err
	}
	name := journalPath(e.Study.InstanceUID)
	f, err := a.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(g.journal); err != nil {
		return err
	}
	if _, err := f.WriteAt(line, g.journal); err != nil {
		return err
	}
	if err := a.fault("sync"); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if g.journal == 0 { // its name is new
		if err := a.syncDir(path.Dir(name)); err != nil {
			return err
		}
	}
	g.journal += int64(len(line))
	return nil
}

// line is an entry as a journal has it: 8 hex digits, CRC-32 of the JSON; a space; JSON; line feed.
func (e entry) line() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(b), b), nil
}

// replay adds the entries of a journal and returns how many of its bytes are whole lines. What is wrong with any but
// the last line is damage.
func (x *index) replay(journal []byte) (whole int64, err error) {
	for len(journal) > 0 {
		line, rest, ended := bytes.Cut(journal, []byte("\n"))
		sum, text, _ := bytes.Cut(line, []byte(" "))
		if !ended || string(sum) != fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) {
			if len(rest) == 0 {
				return whole, nil // cut short, and so never acknowledged
			}
			return whole, errDamaged
		}
		var e entry
		if json.Unmarshal(text, &e) != nil || len(e.Study.Series) != 1 || len(e.Study.Series[0].Instances) != 1 ||
			e.instance().Size < 0 || dicom.CheckUID(e.Study.InstanceUID) != nil ||
			x.Study.InstanceUID != "" && e.Study.InstanceUID != x.Study.InstanceUID {
			return whole, errDamaged
		}
		x.add(e)
		whole += int64(len(line)) + 1
		journal = rest
	}
	return whole, nil
}
