package consensus

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"collimate/ledger/store"
)

// archiveMagic begins an archive in one file. Then come manifest, blocks and the chunks, each after its length in 4 bytes,
// big endian.
const archiveMagic = "collimate/archive/v1\n"

// ExportArchive writes the newest snapshot of the node in dir as one file, and returns its height. The node may be running.
func ExportArchive(dir string, w io.Writer) (height int64, err error) {
	kept := &archives{dir: filepath.Join(dir, "data", archiveDir)}
	heights, err := kept.heights()
	if err != nil {
		return 0, fmt.Errorf("exporting: %w", err)
	}
	if len(heights) == 0 {
		return 0, errors.New("exporting: the node has made no snapshot yet")
	}
	height = heights[0]
	b := bufio.NewWriter(w)
	_, err = b.WriteString(archiveMagic)
	put := func(name string) (file []byte) {
		if err != nil {
			return nil
		}
		if file, err = kept.file(height, name); err == nil {
			_, err = b.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(file))), file...))
		}
		return file
	}
	manifest := put(store.ManifestFile)
	put(blocksFile)
	if err != nil {
		return 0, fmt.Errorf("exporting: %w", err)
	}
	m, err := store.DecodeManifest(manifest)
	if err != nil {
		return 0, fmt.Errorf("exporting: %w", err)
	}
	for i := range m.Subtrees {
		put(store.ChunkFile(i))
	}
	if err = errors.Join(err, b.Flush()); err != nil {
		return 0, fmt.Errorf("exporting: %w", err)
	}
	return height, nil
}

// ImportArchive gives an empty directory the state of an archive, as Join does with one of a peer, and returns its height.
// The archive is believed as far as the validators of the genesis have signed what it says. An import that was
// interrupted goes on with the same archive.
func ImportArchive(ctx context.Context, c Config, r io.Reader, log *slog.Logger) (height int64, err error) {
	height, err = importArchive(ctx, c, bufio.NewReader(r), log)
	if err != nil {
		return 0, fmt.Errorf("importing: %w", err)
	}
	return height, nil
}

func importArchive(ctx context.Context, c Config, r *bufio.Reader, log *slog.Logger) (int64, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	if begun, err := hasBegun(filepath.Join(c.Dir, "data")); begun || err != nil {
		return 0, errors.Join(errors.New("the node has a state already: use another directory"), err)
	}
	magic := make([]byte, len(archiveMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != archiveMagic {
		return 0, errors.New("this is no archive of a state")
	}
	manifest, err := section(r, store.MaxManifestBytes)
	if err != nil {
		return 0, err
	}
	blocks, err := section(r, maxBlocksFile)
	if err != nil {
		return 0, err
	}
	trusted, err := c.Genesis.trusted()
	if err != nil {
		return 0, err
	}
	o, err := prove(trusted, manifest, blocks, time.Now())
	if err != nil {
		return 0, err
	}
	at := 0
	return o.manifest.Height, install(ctx, c, o, log, func(ctx context.Context, i int) (chunk []byte, reject func(error), err error) {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if i < at { // asked for again: it was not the right one
			return nil, nil, fmt.Errorf("chunk %d of the archive is damaged: get another copy", i)
		}
		for ; at <= i; at++ {
			if chunk, err = section(r, store.MaxChunkBytes); err != nil {
				return nil, nil, err
			}
		}
		return chunk, func(error) {}, nil
	})
}

// section reads one section of at most some bytes. What is declared is not allocated before it comes.
func section(r io.Reader, most int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("the archive is cut off: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n > int64(most) {
		return nil, fmt.Errorf("a section of the archive has %d bytes, at most %d", n, most)
	}
	b, err := io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("the archive is cut off: %w", err)
	}
	return b, nil
}
