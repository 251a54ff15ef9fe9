package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"collimate/ledger"
	"collimate/ledger/tree"
)

// ManifestFile is the name of the manifest in the directory of an archive. It is there only when all chunks are.
const ManifestFile = "manifest"

// ChunkFile returns the name of a chunk in the directory of an archive.
func ChunkFile(i int) string { return fmt.Sprintf("%04d.chunk", i) }

func partFile(i int) string { return fmt.Sprintf("%04d.part", i) }

// Export writes the state as an archive into a directory, which must be empty or hold what an Export left that did not
// come to its end. The files are the same on every node. It reads the state once, in order, and holds
// exportBuffer and one chunk in memory; the directory needs room for about twice the state for a while.
func (s *Snapshot) Export(ctx context.Context, dir string) (*Manifest, error) {
	if s.view == nil {
		return nil, ErrClosed
	}
	if len(s.AppHash()) == 0 {
		return nil, errors.New("exporting the state: it has not begun")
	}
	t := s.view.tree
	m := &Manifest{
		ChainID: s.ChainID(), Height: s.Height(), Time: s.Time(), AppHash: t.Root(),
		Subtrees: t.Subtrees(chunkBits(t.Leaves())),
	}
	if err := s.export(ctx, dir, m); err != nil {
		return nil, fmt.Errorf("exporting the state: %w", err)
	}
	return m, nil
}

func (s *Snapshot) export(ctx context.Context, dir string, m *Manifest) error {
	if err := prepare(dir); err != nil {
		return err
	}
	if err := s.divide(ctx, dir, m); err != nil {
		return err
	}
	for i := range m.Subtrees {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sortChunk(dir, m, i); err != nil {
			return err
		}
	}
	unnamed := filepath.Join(dir, ManifestFile+".part")
	if err := writeFile(unnamed, m.Encode()); err != nil {
		return err
	}
	if err := os.Rename(unnamed, filepath.Join(dir, ManifestFile)); err != nil {
		return err
	}
	return syncDir(dir)
}

// prepare makes the directory, and removes what an interrupted Export left.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); ext != ".part" && ext != ".chunk" {
			return fmt.Errorf("there is a file %s in %s already: %w", f.Name(), dir, fs.ErrExist)
		}
	}
	for _, f := range files {
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// divide writes each record to the part of its chunk.
func (s *Snapshot) divide(ctx context.Context, dir string, m *Manifest) error {
	parts := make([][]byte, len(m.Subtrees))
	flush := func(i int) error {
		f, err := os.OpenFile(filepath.Join(dir, partFile(i)), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(parts[i])
		parts[i] = parts[i][:0]
		return errors.Join(err, f.Close())
	}
	head, _ := ledger.HeadEntry(ledger.Head{})
	err := s.Iterate(nil, func(key, value []byte) error {
		if bytes.Equal(key, head) {
			return nil
		}
		path := tree.Path(key)
		i := int(binary.BigEndian.Uint16(path[:])) >> (16 - m.bits())
		parts[i] = appendRecord(parts[i], key, value)
		if len(parts[i]) < exportBuffer/len(parts) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return flush(i)
	})
	for i := 0; err == nil && i < len(parts); i++ {
		err = flush(i)
	}
	return err
}

// sortChunk makes a chunk of its part, and checks that it is what the tree says.
func sortChunk(dir string, m *Manifest, i int) error {
	part := filepath.Join(dir, partFile(i))
	b, err := os.ReadFile(part)
	if err != nil {
		return err
	}
	type record struct {
		path  tree.Hash
		bytes []byte
	}
	var records []record
	for rest := b; len(rest) > 0; {
		key, _, after, err := cutRecord(rest)
		if err != nil {
			return fmt.Errorf("reading %s: %w", part, err)
		}
		records = append(records, record{tree.Path(key), rest[:len(rest)-len(after)]})
		rest = after
	}
	slices.SortFunc(records, func(a, b record) int { return bytes.Compare(a.path[:], b.path[:]) })
	chunk := make([]byte, 0, len(b))
	for _, r := range records {
		chunk = append(chunk, r.bytes...)
	}
	if err := m.VerifyChunk(i, chunk); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := writeFile(filepath.Join(dir, ChunkFile(i)), chunk); err != nil {
		return err
	}
	return os.Remove(part)
}

// writeFile writes a file that survives a crash once its directory has been synced.
func writeFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
