// Package compare compares what a requester received with what the archive of the source holds, byte for byte.
//
// It is the operator's proof that nothing was lost or changed on the way: it reads the archive directly, beside
// the gateway, and so only the organisation that has the archive can run it.
package compare

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"collimate/dicom"
	"collimate/pacs"
)

// keyObjectSelection is the SOP class of a manifest. DICOM PS3.4 B.5, RAD TF-3: 4.68.4.1.2.1
const keyObjectSelection = "1.2.840.10008.5.1.4.1.1.88.59"

// maxManifestBytes bounds a manifest that is held in memory; one of 3,000 instances has 834 kB.
const maxManifestBytes = 64 << 20

// bufferBytes is how much of two files is compared at a time.
const bufferBytes = 256 << 10

// Study compares the ZIP of a whole study with the study in an archive: the same instances, by SOP Instance
// UID, and each with the same bytes. It returns how many instances and bytes it compared, and an error that
// tells the first difference.
func Study(ctx context.Context, file string, archive pacs.Archive, study *pacs.Study) (instances int, size int64, err error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return 0, 0, fmt.Errorf("opening the received study: %w", err)
	}
	defer z.Close()
	missing := byUID(study)
	for _, f := range z.File {
		if f.FileInfo().IsDir() || !isInstance(f.Name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return instances, size, err
		}
		uid, err := sopInstanceUID(f)
		if err != nil {
			return instances, size, fmt.Errorf("%s: %w", f.Name, err)
		}
		i, held := missing[uid]
		if !held {
			return instances, size, fmt.Errorf("%s: the archive does not hold this instance, or it came twice", f.Name)
		}
		delete(missing, uid)
		if err := entry(ctx, f, archive, i); err != nil {
			return instances, size, fmt.Errorf("%s: %w", f.Name, err)
		}
		instances++
		size += i.Size
	}
	if len(missing) > 0 {
		return instances, size, fmt.Errorf("%d instances that the archive holds did not arrive", len(missing))
	}
	return instances, size, nil
}

// isInstance tells DICOM instances from the directory of the medium, by where IHE PDI puts them.
func isInstance(name string) bool {
	return strings.HasPrefix(name, "DICOM/") || strings.HasSuffix(name, ".dcm")
}

func byUID(study *pacs.Study) map[string]pacs.Instance {
	all := map[string]pacs.Instance{}
	for _, series := range study.Series {
		for _, i := range series.Instances {
			all[i.SOPInstanceUID] = i
		}
	}
	return all
}

func sopInstanceUID(f *zip.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h, err := dicom.ReadHeader(r)
	if err != nil {
		return "", err
	}
	return h.Text(dicom.SOPInstanceUID), nil
}

// entry compares one file of the ZIP with the archive.
func entry(ctx context.Context, f *zip.File, archive pacs.Archive, i pacs.Instance) (err error) {
	received, err := f.Open()
	if err != nil {
		return err
	}
	defer received.Close()
	held, err := archive.Open(ctx, i)
	if err != nil {
		return fmt.Errorf("opening it in the archive: %w", err)
	}
	defer held.Close()
	return same(received, held)
}

// same reads two streams to their ends and tells where they differ.
func same(received, held io.Reader) error {
	a, b := make([]byte, bufferBytes), make([]byte, bufferBytes)
	for offset := int64(0); ; {
		n, errA := io.ReadFull(received, a)
		m, errB := io.ReadFull(held, b)
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return err
			}
		}
		if !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("differs from the archive's within %d bytes of offset %d", bufferBytes, offset)
		}
		if offset += int64(n); n < len(a) {
			return nil
		}
	}
}

// Manifest checks that a manifest is a Key Object Selection of the given uniqueId that names every instance of
// a study.
func Manifest(file, uniqueID string, study *pacs.Study) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxManifestBytes))
	if err != nil {
		return err
	}
	h, err := dicom.ReadHeader(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	if got := h.Text(dicom.SOPClassUID); got != keyObjectSelection {
		return fmt.Errorf("the manifest is of SOP class %s, want Key Object Selection", got)
	}
	if got := h.Text(dicom.SOPInstanceUID); got != uniqueID {
		return fmt.Errorf("the manifest's SOP Instance UID is %s, want its uniqueId %s", got, uniqueID)
	}
	for uid := range byUID(study) {
		if !bytes.Contains(raw, []byte(uid)) {
			return errors.New("the manifest does not name every instance of the archive")
		}
	}
	return nil
}
