package fs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"collimate/pacs"
)

// The folders of an archive.
const (
	objects      = "objects"
	studies      = "studies"
	incoming     = "incoming"
	lockName     = "lock"
	receiverName = "receiver"
)

// Archive is a pacs.Archive in a folder.
type Archive struct {
	root    *os.Root
	writing sync.Mutex // held by Import

	receiving sync.Mutex        // of what follows, and of journals
	receiver  func()            // gives up being the one that receives; nil before the first instance
	growing   map[string]*grown // studies that instances came for of late, by UID

	listing sync.Mutex // of listed
	listed  map[string]listed

	// fault is called before each step that changes the disk; tests make it fail or kill the process.
	fault func(step string) error
}

var _ interface {
	pacs.Archive
	pacs.Lister
} = (*Archive)(nil)

// Open opens the archive in dir, and makes one if there is none.
func Open(dir string) (*Archive, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the archive: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the archive: %w", err)
	}
	a := &Archive{root: root, fault: func(string) error { return nil }}
	if err := a.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("opening the archive: %w", err)
	}
	return a, nil
}

// prepare makes the folders, and removes what imports that were killed have left, unless one is running.
func (a *Archive) prepare() error {
	for _, name := range []string{objects, studies, incoming} {
		if err := a.root.MkdirAll(name, 0o700); err != nil {
			return err
		}
	}
	if err := a.syncDir("."); err != nil {
		return err
	}
	unlock, err := a.lock()
	if errors.Is(err, ErrBusy) {
		return nil
	} else if err != nil {
		return err
	}
	defer unlock()
	return a.clearIncoming()
}

func (a *Archive) clearIncoming() error {
	names, err := a.names(incoming)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := a.root.Remove(path.Join(incoming, name)); err != nil {
			return err
		}
	}
	return nil
}

// names lists a folder of the archive, sorted.
func (a *Archive) names(folder string) ([]string, error) {
	f, err := a.root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// Close releases the folder. Instances that are open stay readable.
func (a *Archive) Close() error {
	a.receiving.Lock()
	defer a.receiving.Unlock()
	if a.receiver != nil {
		a.receiver()
		a.receiver = nil
	}
	return a.root.Close()
}

// Study implements pacs.Archive.
func (a *Archive) Study(ctx context.Context, studyInstanceUID string) (*pacs.Study, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x, err := a.index(studyInstanceUID)
	if err != nil {
		return nil, err
	}
	return &x.Study, nil
}

// Open implements pacs.Archive. A file on disk that has not the size listed is an error here, before its first
// byte is sent.
func (a *Archive) Open(ctx context.Context, i pacs.Instance) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := a.root.Open(objectPath(i.StudyInstanceUID, i.SOPInstanceUID))
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, fmt.Errorf("opening an instance: %w", pacs.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("opening an instance: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() != i.Size {
		err = fmt.Errorf("%w: it has %d bytes, %d are listed", errDamaged, info.Size(), i.Size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening an instance: %w", err)
	}
	return &exact{f: f, left: i.Size}, nil
}

// exact reads the bytes that are listed, and takes an earlier end for the error that it is.
type exact struct {
	f    *os.File
	left int64
}

func (e *exact) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.f.Read(b[:min(int64(len(b)), e.left)])
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (e *exact) Close() error { return e.f.Close() }

// objectPath is where an instance is kept. The study takes part in the name so that a study's files are never
// another's.
func objectPath(studyInstanceUID, sopInstanceUID string) string {
	name := hash(studyInstanceUID, sopInstanceUID)
	return path.Join(objects, name[:2], name+".dcm")
}

// studyPath is where the index of a study and its journal are kept, but for their endings.
func studyPath(studyInstanceUID string) string { return path.Join(studies, hash(studyInstanceUID)) }

func indexPath(studyInstanceUID string) string { return studyPath(studyInstanceUID) + ".json" }

func journalPath(studyInstanceUID string) string { return studyPath(studyInstanceUID) + ".journal" }

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}
