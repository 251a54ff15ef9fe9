package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"collimate/cmd/collimate/internal/admin"
	"collimate/dicom/phantom"
)

// prepare is step 7, for whoever wants to go on by hand or by program: the study is granted again, and there are
// two small ones, of which one is granted.
func (d *demo) prepare(ctx context.Context) error {
	if _, err := d.allow(ctx, d.study, "opening-2.json"); err != nil {
		return err
	}
	door, err := admin.Open(d.source.Data)
	if err != nil {
		return err
	}
	for i, granted := range []bool{true, false} {
		folder := d.path("dicom-small", fmt.Sprint(i+1))
		if _, err := phantom.GenerateContext(ctx, folder, phantom.Options{Series: 1, Slices: 3, Rows: 64, Columns: 64, Seed: uint64(i) + 1}); err != nil {
			return err
		}
		studies, err := d.publishFolder(ctx, door, folder)
		if err != nil {
			return err
		}
		s := &studies[0]
		if _, err := d.claim(ctx, s); err != nil {
			return err
		}
		if granted {
			if _, err := d.allow(ctx, s, "opening-3.json"); err != nil {
				return err
			}
		}
		d.file.Studies = append(d.file.Studies, *s)
	}
	d.study = &d.file.Studies[0]
	d.out.say("two small studies are there too; south is let in to one of them")
	return nil
}

// relative writes a path as seen from the demo's directory, if it is in there.
func (d *demo) relative(path string) string {
	if r, err := filepath.Rel(d.Dir, path); err == nil && !strings.HasPrefix(r, "..") {
		return r
	}
	return path
}

// shell quotes a word for a shell if need be.
func shell(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,+:@%") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
