package fs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"time"

	"collimate/dicom"
	"collimate/pacs"
)

// ErrBusy is returned by Import while someone else imports into the same archive or instances are coming in, and by
// Receive if another process receives into it.
var ErrBusy = errors.New("the archive is being imported into or is receiving instances; try again when that is done")

// Progress is how far an Import has come.
type Progress struct {
	Files, TotalFiles int   // DICOM files taken in or refused, and those found
	Bytes, TotalBytes int64 // of these
}

// Imported is what an Import did.
type Imported struct {
	Studies []string // Study Instance UIDs of all that was found and is now held, in order of their first file
	Files   int      // DICOM files now held, also those that were held before
	New     int      // of these, files that were not
	Bytes   int64    // of Files
	Skipped int      // files that are not DICOM, DICOMDIR files
	Refused int      // files that cannot be held; the first of them are in Refusals
	// Refusals say why, file by file.
	Refusals []Refusal
}

// Refusal is a file that was not taken in. The path may tell a patient's name, as folders from scanners do: it
// is for whoever started the import, not for a log.
type Refusal struct {
	Path string // relative to the folder, with slashes
	Err  error
}

// Error returns path and reason.
func (r Refusal) Error() string { return r.Path + ": " + r.Err.Error() }

// Unwrap returns Err.
func (r Refusal) Unwrap() error { return r.Err }

// Import copies the DICOM files of a folder, and of the folders in it, into the archive. Symbolic links are
// followed to files within the folder only. Files that cannot be held are refused one by one and do not stop
// the rest; what the disk refuses does. Each study becomes visible as a whole when its last file is in, and an
// import that ends early, by error or by ctx, leaves whole studies. Importing again what is held changes
// nothing. progress may be nil; it is called after each file.
func (a *Archive) Import(ctx context.Context, from string, progress func(Progress)) (Imported, error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	i := &importer{archive: a, report: progress, buffer: make([]byte, copyBuffer)}
	if i.report == nil {
		i.report = func(Progress) {}
	}
	if err := i.run(ctx, from); err != nil {
		return i.done, fmt.Errorf("importing into the archive: %w", err)
	}
	return i.done, nil
}

// importer is one Import.
type importer struct {
	archive  *Archive
	report   func(Progress)
	buffer   []byte
	from     *os.Root
	progress Progress
	done     Imported
}

func (i *importer) run(ctx context.Context, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", from)
	}
	if i.from, err = os.OpenRoot(from); err != nil {
		return err
	}
	defer i.from.Close()
	unlock, err := i.archive.lock()
	if err != nil {
		return err
	}
	defer unlock()
	order, files, err := i.scan(ctx)
	if err != nil {
		return err
	}
	for _, uid := range order {
		if err := i.study(ctx, uid, files[uid]); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) refuse(path string, err error) {
	i.done.Refused++
	if len(i.done.Refusals) < maxRefused {
		i.done.Refusals = append(i.done.Refusals, Refusal{path, err})
	}
}

// study takes in the files of one study and makes them visible.
func (i *importer) study(ctx context.Context, uid string, files []found) error {
	x, err := i.archive.index(uid)
	if errors.Is(err, pacs.ErrNotFound) {
		x, err = &index{Version: indexVersion}, nil
	}
	if err != nil {
		return err
	}
	dirty := make(map[string]bool) // directories with new names in them
	held, bytes, added := 0, int64(0), 0
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		isNew, err := i.file(x, uid, f, dirty)
		if refused := (Refusal{}); errors.As(err, &refused) {
			i.refuse(f.path, refused.Err)
		} else if err != nil {
			return err
		} else {
			held++
			bytes += f.size
			if isNew {
				added++
			}
		}
		i.progress.Files++
		i.progress.Bytes += f.size
		i.report(i.progress)
	}
	if added > 0 {
		if err := i.archive.commit(x, dirty); err != nil {
			return err
		}
	}
	if held > 0 {
		i.done.Studies = append(i.done.Studies, uid)
		i.done.Files += held
		i.done.New += added
		i.done.Bytes += bytes
	}
	return nil
}

// file takes in one file. A Refusal as error means this file only.
func (i *importer) file(x *index, uid string, f found, dirty map[string]bool) (isNew bool, err error) {
	r, err := i.from.Open(f.path)
	if err != nil {
		return false, Refusal{f.path, err}
	}
	defer r.Close()
	source := &source{r: r}
	if held, ok := x.Digests[f.sopInstanceUID]; ok { // then there is nothing to write
		switch again, err := digestOf(source, i.buffer); {
		case err != nil:
			return false, Refusal{f.path, err}
		case again != held:
			return false, Refusal{f.path, pacs.ErrConflict}
		}
		return false, nil
	}
	c, err := i.archive.copy(source, i.buffer)
	if source.err != nil {
		return false, Refusal{f.path, source.err}
	} else if err != nil {
		return false, err
	}
	defer i.archive.root.Remove(c.path) // to no effect after the rename
	// What counts is the header of the copy: the file may have changed since it was looked at.
	h, err := i.archive.header(c.path)
	if err != nil {
		return false, Refusal{f.path, err}
	}
	if h.Text(dicom.StudyInstanceUID) != uid || h.Text(dicom.SOPInstanceUID) != f.sopInstanceUID {
		return false, Refusal{f.path, errors.New("it changed while it was imported")}
	}
	e := entryOf(h, c.size, c.crc, c.digest, time.Now().UTC())
	if err := x.admit(e); err != nil {
		return false, Refusal{f.path, err}
	}
	if err := i.archive.place(c, objectPath(uid, f.sopInstanceUID), dirty); err != nil {
		return false, err
	}
	x.add(e)
	return true, nil
}

// header reads the header of a file of the archive.
func (a *Archive) header(name string) (*dicom.Header, error) {
	f, err := a.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readHeader(f)
}

// commit makes a study visible: the files it names are on disk, then its index is, then it has its name.
func (a *Archive) commit(x *index, dirty map[string]bool) error {
	x.Study.Sort()
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if len(b) > maxIndexBytes {
		return fmt.Errorf("the index of a study would have more than %d bytes", maxIndexBytes)
	}
	for dir := range dirty {
		if err := a.syncDir(dir); err != nil {
			return err
		}
	}
	c, err := a.write(b)
	if err != nil {
		return err
	}
	if err := a.rename(c, indexPath(x.Study.InstanceUID)); err != nil {
		return err
	}
	if err := a.syncDir(studies); err != nil {
		return err
	}
	// The index holds what the journal says. A journal that stays, says it again.
	if err := a.root.Remove(journalPath(x.Study.InstanceUID)); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	return nil
}
