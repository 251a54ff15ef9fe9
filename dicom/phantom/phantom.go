package phantom

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"collimate/dicom"
)

// Options say what to make; zero fields take the defaults named.
type Options struct {
	Series  int    // 2
	Slices  int    // of each series; 32
	Rows    int    // 512
	Columns int    // 512
	Seed    uint64 // 0 is a seed as any other

	PatientName     string // "Phantom^Cylinder"
	PatientID       string // "PHANTOM-1"
	AccessionNumber string // "ACC-1"
	Description     string // "CT water phantom"
	StudyDate       string // YYYYMMDD; "20240311"

	StudyInstanceUID string // derived from all of the above
}

func (o Options) withDefaults() Options {
	number := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	text := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	number(&o.Series, 2)
	number(&o.Slices, 32)
	number(&o.Rows, 512)
	number(&o.Columns, 512)
	text(&o.PatientName, "Phantom^Cylinder")
	text(&o.PatientID, "PHANTOM-1")
	text(&o.AccessionNumber, "ACC-1")
	text(&o.Description, "CT water phantom")
	text(&o.StudyDate, "20240311")
	text(&o.StudyInstanceUID, o.uid("study", 0, 0))
	return o
}

// Validate reports all that is out of bounds, defaults applied.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	within := func(name string, n, low, high int) {
		if n < low || n > high {
			errs = append(errs, fmt.Errorf("%s is %d, want %d to %d", name, n, low, high))
		}
	}
	within("Series", o.Series, 1, maxSeries)
	within("Slices", o.Slices, 1, maxSlices)
	within("Rows", o.Rows, minSide, maxSide)
	within("Columns", o.Columns, minSide, maxSide)
	if err := dicom.CheckUID(o.StudyInstanceUID); err != nil {
		errs = append(errs, fmt.Errorf("StudyInstanceUID: %w", err))
	}
	return errors.Join(errs...)
}

// uid derives a UID of this study. It takes in all Options, so that two studies never share an instance that
// differs.
func (o Options) uid(what string, series, slice int) string {
	return dicom.DeriveUID("collimate/phantom/v1", what, fmt.Sprint(series), fmt.Sprint(slice),
		fmt.Sprint(o.Series), fmt.Sprint(o.Slices), fmt.Sprint(o.Rows), fmt.Sprint(o.Columns), fmt.Sprint(o.Seed),
		o.PatientName, o.PatientID, o.AccessionNumber, o.Description, o.StudyDate, o.StudyInstanceUID)
}

// Info is what was made.
type Info struct {
	StudyInstanceUID string
	Files            int
	Bytes            int64
}

// Generate writes a study below dir, which is made if need be: CT/S0000001/I0000001.dcm and so on. Files that
// are there are overwritten. It holds one slice in memory.
func Generate(dir string, o Options) (Info, error) {
	return GenerateContext(context.Background(), dir, o)
}

// GenerateContext is Generate until ctx is done.
func GenerateContext(ctx context.Context, dir string, o Options) (Info, error) {
	if err := o.Validate(); err != nil {
		return Info{}, fmt.Errorf("phantom: %w", err)
	}
	o = o.withDefaults()
	info := Info{StudyInstanceUID: o.StudyInstanceUID}
	p := newPainter(o)
	var file []byte
	for series := range o.Series {
		folder := filepath.Join(dir, "CT", fmt.Sprintf("S%07d", series+1))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return info, fmt.Errorf("phantom: %w", err)
		}
		for slice := range o.Slices {
			if err := ctx.Err(); err != nil {
				return info, fmt.Errorf("phantom: %w", err)
			}
			var err error
			if file, err = o.dataset(series, slice, p.paint(series, slice)).AppendFile(file[:0]); err != nil {
				return info, fmt.Errorf("phantom: %w", err)
			}
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("I%07d.dcm", slice+1)), file, 0o644); err != nil {
				return info, fmt.Errorf("phantom: %w", err)
			}
			info.Files++
			info.Bytes += int64(len(file))
		}
	}
	return info, nil
}
