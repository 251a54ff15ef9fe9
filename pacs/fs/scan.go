package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"

	"collimate/dicom"
)

// found is a DICOM file of the folder.
type found struct {
	path           string
	size           int64
	sopInstanceUID string
}

// scan reads the headers of all files and returns the DICOM ones by study, and the studies in the order of
// their first file. The walk is in lexical order, so that the same folder gives the same archive.
func (i *importer) scan(ctx context.Context) (order []string, files map[string][]found, err error) {
	files = make(map[string][]found)
	seen := 0
	err = iofs.WalkDir(i.from.FS(), ".", func(name string, d iofs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			i.refuse(name, err)
			return iofs.SkipDir
		}
		if d.IsDir() {
			return ctx.Err()
		}
		if seen++; seen > maxFiles {
			return fmt.Errorf("the folder has more than %d files", maxFiles)
		}
		f, uid, err := i.look(name)
		switch {
		case errors.Is(err, dicom.ErrNotDICOM):
			i.done.Skipped++
		case err != nil:
			i.refuse(name, err)
		default:
			if files[uid] == nil {
				order = append(order, uid)
			}
			files[uid] = append(files[uid], f)
			i.progress.TotalFiles++
			i.progress.TotalBytes += f.size
		}
		return ctx.Err()
	})
	return order, files, err
}

// look reads the header of a file. What is no instance of a study is dicom.ErrNotDICOM here: directories
// behind links, devices, DICOMDIR files.
func (i *importer) look(name string) (f found, studyInstanceUID string, err error) {
	info, err := i.from.Stat(name) // follows links, and refuses those that lead out
	if err != nil {
		return found{}, "", err
	}
	if !info.Mode().IsRegular() { // opening a pipe would block
		return found{}, "", dicom.ErrNotDICOM
	}
	r, err := i.from.Open(name)
	if err != nil {
		return found{}, "", err
	}
	defer r.Close()
	h, err := readHeader(r)
	if err != nil {
		return found{}, "", err
	}
	return found{name, info.Size(), h.Text(dicom.SOPInstanceUID)}, h.Text(dicom.StudyInstanceUID), nil
}

// readHeader reads the header of an instance that can be held.
func readHeader(r io.Reader) (*dicom.Header, error) {
	h, err := dicom.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	if h.MediaStorageSOPClassUID() == dicom.MediaStorageDirectory {
		return nil, dicom.ErrNotDICOM
	}
	return h, h.Validate()
}
